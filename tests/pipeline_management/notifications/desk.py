"""A lab with a submitter and a manager who have mail addresses, and the ends of their runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Role
from pipeline_management.choices import RunState
from pipeline_management.models import Delivery, Run, RunLog
from pipeline_management.services.notifications import delivering
from pipeline_management.services.transition import Change, apply
from tests.factories import make_account, make_lab, make_run, make_system, make_user, make_version


class Desk:
    """``end`` makes a run and ends it by the state machine; ``work`` does one round of telling people."""

    def __init__(self) -> None:
        self.submitter, self.manager = make_user("sam"), make_user("mona")
        for person in (self.submitter, self.manager):
            person.email = f"{person.username}@example.org"
            person.save()
        self.lab = make_lab("genomics", sam=Role.SUBMITTER, mona=Role.MANAGER)
        self.account = make_account(make_system("gemini"))
        self.version = make_version("phoenix", "1.2", system=self.account.system)

    def run(self, **fields: Any) -> Run:
        """A run of which only the last step is missing."""
        values: dict[str, Any] = {
            "lab": self.lab,
            "submitter": self.submitter,
            "version": self.version,
            "account": self.account,
            "state": RunState.FINISHING,
            "name": "NA12878",
        }
        return make_run(**(values | fields))

    def end(self, state: RunState = RunState.SUCCEEDED, stderr: bytes = b"", **fields: Any) -> Run:
        """A run that has just ended."""
        run = self.run(outcome=state, **fields)
        if stderr:
            RunLog.objects.create(
                run=run, stream="stderr", size=len(stderr), data=stderr, collected_at=timezone.now()
            )
        assert apply([Change(run, state)], actor="test") == {run.pk}
        run.refresh_from_db()
        return run

    def work(self) -> int:
        """Tell whoever is to be told now; how many deliveries were tried."""
        return delivering.work()

    def wait(self) -> None:
        """Let the pauses of all deliveries pass."""
        Delivery.objects.filter(next_at__isnull=False).update(
            next_at=timezone.now() - timedelta(seconds=1)
        )
