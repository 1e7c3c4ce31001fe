"""The class of a failure, and the line that is shown of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pipeline_management.choices import Reason, RunState, TaskState
from pipeline_management.models import Run, RunTask
from pipeline_management.search import apply, parse
from pipeline_management.services import causes
from pipeline_management.services.transition import Change
from pipeline_management.services.transition import apply as change
from tests.pages.site import Site


@pytest.mark.parametrize(
    ("reason", "tail", "cause", "line"),
    [
        (Reason.TIMEOUT, b"Disk quota exceeded", "TIMEOUT", "Disk quota exceeded"),
        (Reason.EXIT_NONZERO, b"cp: /scratch/x: Disk quota exceeded\nfailed\n", "QUOTA",
         "cp: /scratch/x: Disk quota exceeded"),
        (Reason.EXIT_NONZERO, b"write: No space left on device", "NO_SPACE", "write: No space left on device"),
        (Reason.EXIT_NONZERO, b"slurmstepd: Detected 1 oom_kill event", "OUT_OF_MEMORY",
         "slurmstepd: Detected 1 oom_kill event"),
        (Reason.EXIT_NONZERO, b"sh: bwa: command not found", "COMMAND_NOT_FOUND", "sh: bwa: command not found"),
        (Reason.EXIT_NONZERO, b"all is well\n\n", "EXIT_3", "all is well"),
        (Reason.EXIT_NONZERO, b"\x1b[31mred\x1b[0m \xe2\x80\xaeevil\x00\xff", "EXIT_3", "red evil \ufffd"),
        (Reason.SIGNAL, b"", "SIGNAL_9", ""),
        (Reason.NODE_FAIL, b"", "NODE_FAIL", ""),
    ],
)  # fmt: skip
def test_the_schedulers_word_goes_first_then_the_output(
    reason: Reason, tail: bytes, cause: str, line: str
) -> None:
    run = Run(reason=reason, exit_code=3, signal=9)
    assert causes.classify(run, tail) == (cause, line)


def test_every_class_has_words() -> None:
    assert causes.label_of("EXIT_3") == "Exit code 3"
    assert causes.label_of("SIGNAL_9") == "Signal 9"
    assert causes.label_of("QUOTA") == "Quota exceeded"
    assert causes.label_of("STAGE_FAILED").startswith("The run's files")
    assert causes.label_of("SOMETHING") == "SOMETHING"


def test_a_run_that_fails_has_its_cause_with_the_first_failed_task(site: Site) -> None:
    run = site.run(state=RunState.FINISHING, reason=Reason.OUT_OF_MEMORY, reason_text="it grew and grew")
    for number, name in enumerate(("second", "first")):
        RunTask.objects.create(
            run=run, name=name, key=name, state=TaskState.FAILED, reported_at=timezone.now(),
            ended_at=timezone.now() - timedelta(hours=number),
        )  # fmt: skip
    change([Change(run, RunState.FAILED)], actor="test")
    run.refresh_from_db()
    assert (run.cause, run.cause_text) == ("OUT_OF_MEMORY", "first: it grew and grew")
    everything = Run.objects.all()
    assert set(apply(everything, parse("grew cause:OUT_OF_MEMORY"), site.people["viewer"])) == {run}


def test_a_run_that_succeeds_has_none(site: Site) -> None:
    run = site.run(state=RunState.FINISHING)
    change([Change(run, RunState.SUCCEEDED)], actor="test")
    run.refresh_from_db()
    assert (run.cause, run.cause_text) == ("", "")
