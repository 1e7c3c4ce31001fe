"""Two labs with their people, two pipelines and a system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from accounts.models import Lab, Role
from pipeline_management.models import PipelineVersion, Run, SystemAccount
from tests.factories import make_account, make_lab, make_run, make_system, make_user, make_version

PASSWORD = "correct horse 7"
JSON = "application/json"


@dataclass
class Site:
    """``lab`` with viewer, submitter and manager; ``other_lab`` with a manager; an administrator.

    ``run`` is of ``lab``, by the submitter, of ``hidden_version`` on the system "cluster", both of which
    only ``lab`` may use; ``version`` on the system "local" is for everybody.
    """

    lab: Lab
    other_lab: Lab
    viewer: User
    submitter: User
    manager: User
    stranger: User
    administrator: User
    account: SystemAccount
    version: PipelineVersion
    hidden_version: PipelineVersion
    run: Run

    def client(self, user: User | None, **options: Any) -> Client:
        """A browser in which the person is logged in; None is nobody."""
        client = Client(raise_request_exception=False, **options)
        if user is not None:
            client.force_login(user)
        return client

    def make_run(self, **fields: Any) -> Run:
        """A run of the lab."""
        return make_run(
            **{
                "lab": self.lab,
                "submitter": self.submitter,
                "version": self.version,
                "account": self.account,
                **fields,
            }
        )


def build() -> Site:
    """The rows."""
    viewer, submitter, manager = make_user("vera"), make_user("sam"), make_user("mona")
    stranger = make_user("strange")
    lab = make_lab("lab-a", vera=Role.VIEWER, sam=Role.SUBMITTER, mona=Role.MANAGER)
    other_lab = make_lab("lab-b", strange=Role.MANAGER)
    account = make_account(make_system("local"))
    version = make_version(
        "hello", "1.0", system=account.system, example={"pipeline": "hello", "name": "world"}
    )
    hidden_account = make_account(make_system("cluster"))
    hidden = make_version("secret", "1.0", system=hidden_account.system, all_labs=False)
    hidden.labs.add(lab)
    return Site(
        lab=lab,
        other_lab=other_lab,
        viewer=viewer,
        submitter=submitter,
        manager=manager,
        stranger=stranger,
        administrator=make_user("root", staff=True),
        account=account,
        version=version,
        hidden_version=hidden,
        run=make_run(
            lab=lab,
            submitter=submitter,
            version=hidden,
            account=hidden_account,
            configuration={"pipeline": "secret", "name": "world"},
        ),
    )
