"""The engine's steps in this process, without a worker."""

from __future__ import annotations

import time
from pathlib import Path

from pipeline_management.choices import RunState
from pipeline_management.models import Run, SystemAccount
from pipeline_management.services import cancellation, finishing, polling, submission
from pipeline_management.services.history import first_fault
from tests.factories import make_run


def new_run(account: SystemAccount, tmp_path: Path, script: str, **fields: object) -> Run:
    made = make_run(account=account, script=script, **fields)
    made.directory = str(tmp_path / "work with a blank" / str(made.pk))
    made.save()
    return made


def follow(run: Run, *states: RunState, seconds: float = 20) -> Run:
    """Do what worker and beat do until the run is in one of the states (default: over)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        submission.submit_due(run.account_id)
        cancellation.cancel_due(run.account_id)
        polling.poll_account(run.account_id)
        finishing.finish_due(run.account_id)
        run.refresh_from_db()
        if run.state in (states or [s for s in RunState if s.is_terminal]):
            assert first_fault(run) == ""
            return run
        time.sleep(0.1)
    raise AssertionError(f"{run.state} {run.reason_text} {run.attention_text} {list(run.events.values())}")
