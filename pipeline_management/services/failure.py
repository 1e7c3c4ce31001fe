"""What the page of a failed run says: the class of the failure, the first failed task, its last lines, what to do.

The class is what ``services.causes`` has written down when the run ended. Reads the database only.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F
from django.utils.translation import gettext as _

from pipeline_management.choices import RunState, TaskState
from pipeline_management.models import Run, RunTask
from pipeline_management.services import causes
from pipeline_management.services.log_text import readable

LINES = 5
"""Lines of output that are shown."""
_LONGEST = 300
_ORDER = ("stderr", "runner", "stdout", "scheduler")
"""Whose end is shown, the first that has one."""


@dataclass(frozen=True, slots=True)
class Failure:
    """``name`` and ``label``: the class, as "OUT_OF_MEMORY" and "Out of memory". ``task``: the first that failed,
    None where none is known to have. ``lines`` are the end of ``stream``; [] and "" where no output was kept.
    ``log`` is the stream to open. ``advice``: what to do, in one sentence. Texts are in the viewer's language."""

    name: str
    label: str
    task: RunTask | None
    stream: str
    lines: list[str]
    log: str
    advice: str


def look(run: Run) -> Failure | None:
    """What is known of a failure; None for a run that did not fail. Two queries at most.

    A run that ended before causes were written down gets one from what was kept of its output.
    """
    if run.state != RunState.FAILED:
        return None
    task = first_failed(run)
    stream, tail = _kept(run, task)
    name = run.cause or causes.classify(run, tail)[0] or "FAILED"
    lines = [line[:_LONGEST].rstrip() for line in readable(tail).split("\n") if line.strip()]
    log = f"task:{task.pk}" if task is not None and task.log_path else stream
    return Failure(name, causes.label_of(name), task, stream, lines[-LINES:], log, advice(name))


def first_failed(run: Run) -> RunTask | None:
    """The task that failed first, by its end; one query, and none for a run without failed tasks."""
    if not run.tasks_failed:
        return None
    failed = run.tasks.filter(state=TaskState.FAILED)
    return failed.order_by(F("ended_at").asc(nulls_last=True), "pk").first()


def _kept(run: Run, task: RunTask | None) -> tuple[str, bytes]:
    """The stream whose end tells most, and that end: the failed task's where it was kept."""
    names = ([f"task:{task.pk}"] if task is not None else []) + list(_ORDER)
    tails = {kept.stream: bytes(kept.data) for kept in run.logs.filter(stream__in=names)}
    return next(((name, tails[name]) for name in names if tails.get(name, b"").strip()), ("", b""))


def advice(name: str) -> str:
    """What to do about a failure of that class, as one plain sentence in the viewer's language."""
    again = _("The machine failed, not the run: submit it again, or resume it.")
    room = _("Delete what is no longer needed on the system, then resume it or submit it again.")
    known = {
        "OUT_OF_MEMORY": _("Ask for more memory, or give it less to do at once, and submit it again."),
        "TIMEOUT": _("Ask for a longer walltime; a pipeline that can be resumed goes on where it stopped."),
        "NODE_FAIL": again,
        "BOOT_FAIL": again,
        "PREEMPTED": _("It had to make room: submit it again, or resume it."),
        "DEADLINE": _("Submit it again with a later deadline or a shorter walltime."),
        "QUOTA": room,
        "NO_SPACE": room,
        "COMMAND_NOT_FOUND": _("A program is missing on the system: tell whoever looks after the pipeline."),
        "EXIT_127": _("A program is missing on the system: tell whoever looks after the pipeline."),
        "NO_PERMISSION": _("Its account may not read or write something: its last lines name the path."),
        "FILE_NOT_FOUND": _("A file is not where the configuration says: correct its path, then submit it again."),
        "NETWORK": _("The system could not reach another machine: try again later; its last lines name it."),
        "SEGFAULT": _("A program crashed: its log says where; tell whoever looks after the pipeline."),
        "SIGNAL_11": _("A program crashed: its log says where; tell whoever looks after the pipeline."),
        "SIGNAL_9": _("Something killed it, most often for want of memory: ask for more and submit it again."),
        "EXIT_137": _("Something killed it, most often for want of memory: ask for more and submit it again."),
        "SUBMIT_REJECTED": _("Change what the scheduler objects to, then submit it again."),
        "STAGE_FAILED": _("Look whether the system has room and the directory can be written, then submit it again."),
        "LAUNCH_FAILED": _("The cluster could not start it: submit it again; if it stays so, tell its administrators."),
        "NO_RESULT": _("Its job vanished without a word: its log may say why; submit it again, or resume it."),
        "NEVER_STARTED": _("Submit it again; if it stays so, tell the administrators of the cluster."),
        "OUTPUT_MISSING": _("The job said it was done, but a file that it should make is not there: read its log."),
        "SETTLED": _("A person decided this, not the cluster: look for its job there before submitting it again."),
        "INTERNAL": _("This is Centro's fault: tell its administrators the id of the run."),
    }  # fmt: skip
    return known.get(name) or _(
        "Its log says more; correct the configuration or the pipeline, then submit it again."
    )
