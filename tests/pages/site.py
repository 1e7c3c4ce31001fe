"""People in a lab, somebody outside of it, a system and a pipeline, for the tests of the pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.test import Client

from accounts.models import Lab, Role
from pipeline_management.models import PipelineVersion, Run, SystemAccount
from tests.factories import make_account, make_lab, make_run, make_system, make_user, make_version

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "description": "whom to greet"},
        "times": {"type": "integer", "minimum": 1, "maximum": 9, "default": 1},
    },
    "additionalProperties": False,
}


@dataclass
class Site:
    """One lab with a person per role, an outsider, an administrator, and something to run."""

    lab: Lab
    other_lab: Lab
    account: SystemAccount
    version: PipelineVersion
    people: dict[str, User]

    def client(self, name: str) -> Client:
        """A browser in which the person is logged in."""
        client = Client()
        client.force_login(self.people[name])
        return client

    def run(self, **fields: Any) -> Run:
        """A run of the lab, by the submitter unless said otherwise."""
        values: dict[str, Any] = {
            "lab": self.lab,
            "submitter": self.people["submitter"],
            "version": self.version,
            "account": self.account,
        }
        return make_run(**(values | fields))


def make_site() -> Site:
    """See ``Site``; the people are called after their roles."""
    lab = make_lab(
        "genomics", manager=Role.MANAGER, submitter=Role.SUBMITTER, viewer=Role.VIEWER
    )
    other_lab = make_lab("imaging", outsider=Role.MANAGER)
    names = ("manager", "submitter", "viewer", "outsider")
    people = {name: User.objects.get(username=name) for name in names}
    people["administrator"] = make_user("administrator", staff=True)
    account = make_account(make_system("cluster"))
    example = {"pipeline": "hello", "name": "world"}
    version = make_version("hello", "1.0", system=account.system, schema=SCHEMA, example=example)
    return Site(lab, other_lab, account, version, people)
