"""Why a run failed: the class by which runs are grouped, a plain sentence, and what to do about it.

``find`` is pure: it names the class from what the run's row, its first failed task and the ends of its output say.
``look`` reads these from the database and keeps the last lines as well; the run's page shows its answer. Lists
show what was written to ``Run.cause`` (``Cause.name``) and ``Run.cause_text`` (``Cause.text``) when the run ended.
A cause explains an outcome; it never decides one: output is a hint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.db.models import F
from django.utils.translation import gettext as _

from pipeline_management.choices import Reason, RunState, TaskState
from pipeline_management.models import Run, RunTask
from pipeline_management.services.log_text import readable

TASK = "task"
"""The name under which ``tails`` has the end of the first failed task's log."""
LINES = 5
"""Lines of output that the run's page shows."""
_LOOKED_AT = 200
"""Lines of each stream's end that are searched."""
_LONGEST = 300
_ORDER = (TASK, "stderr", "runner", "stdout", "scheduler")
"""Whose end is shown first; all of them are searched."""

# A word of the system that names the class, in the order in which they are looked for. Recorded from slurmstepd
# 22.05.8, bash, coreutils, Python, the JVM and conda; what a program of its own says cannot be known.
_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "OUT_OF_MEMORY",
        re.compile(
            r"(?i)oom[-_ ]kill|out[-_ ]of[-_ ]memory|outofmemoryerror|cannot allocate memory|std::bad_alloc"
            r"|exceeded (job )?memory limit|\bMemoryError\b"
        ),
    ),
    ("TIMEOUT", re.compile(r"DUE TO TIME LIMIT|job killed: walltime")),
    ("NODE_FAIL", re.compile(r"DUE TO NODE FAILURE")),
    ("PREEMPTED", re.compile(r"DUE TO PREEMPTION")),
    ("QUOTA", re.compile(r"(?i)no space left on device|disk quota exceeded|quota exceeded")),
    ("COMMAND_MISSING", re.compile(r"(?i)command not found|ModuleNotFoundError|unable to locate a modulefile")),
    ("PERMISSION", re.compile(r"(?i)permission denied|operation not permitted")),
    ("FILE_MISSING", re.compile(r"(?i)no such file or directory|FileNotFoundError")),
    ("FILE_BROKEN", re.compile(r"(?i)unexpected end of (file|input)|not in gzip format|crc error|truncated file")),
    ("CRASH", re.compile(r"(?i)segmentation fault|core dumped|bus error|illegal instruction")),
)  # fmt: skip
_EXIT_CODES = {126: "PERMISSION", 127: "COMMAND_MISSING"}
"""What bash(1), "EXIT STATUS", means by them."""
_SIGNALS = {9: "KILLED", 11: "CRASH", 7: "CRASH", 4: "CRASH", 6: "CRASH"}
_TELLING = re.compile(r"(?i)\b(error|fatal|exception|failed|killed|denied|cannot|not found|no such)\b")


@dataclass(frozen=True, slots=True)
class Cause:
    """``name``: the class, as "OUT_OF_MEMORY" or "EXIT_3", at most 40 characters. ``text``: the first failed task and
    the line of output that says it, at most 200 characters, "" where nothing is known. ``advice``: what to do, one
    sentence in the viewer's language."""

    name: str
    text: str
    advice: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What the run's page shows of a failure. ``stream`` is where ``lines`` are the end of; "" and [] where no
    output was kept. ``failed`` is the first task that failed, None where none is known to have."""

    cause: Cause
    failed: RunTask | None
    stream: str
    lines: list[str]


def find(run: Run, failed: RunTask | None = None, tails: Mapping[str, bytes] | None = None) -> Cause | None:
    """The cause of a run whose ``outcome`` or state is failed; None for every other run. Asks nobody.

    ``failed`` is its first failed task; ``tails`` has the ends of its streams by their names, and under ``TASK``
    that task's.
    """
    if RunState.FAILED not in (run.state, run.outcome):
        return None
    ends = {name: _lines(data) for name, data in (tails or {}).items()}
    name, line = _named(run, failed, ends)
    words = [failed.name] if failed is not None else []
    line = line or _telling(ends)
    return Cause(name, ": ".join([*words, *([line] if line else [])])[:200], advice(name))


def look(run: Run) -> Failure | None:
    """``find`` with what the database keeps of a run; None for one that did not fail. At most two queries, and
    one more for the task."""
    if RunState.FAILED not in (run.state, run.outcome):
        return None
    failed = first_failed(run)
    tails = {kept.stream: bytes(kept.data) for kept in run.logs.all()}
    if failed is not None and f"task:{failed.pk}" in tails:
        tails[TASK] = tails.pop(f"task:{failed.pk}")
    cause = find(run, failed, tails)
    if cause is None:
        return None
    for name in _ORDER:
        lines = _lines(tails.get(name, b""))
        if lines:
            stream = f"task:{failed.pk}" if name == TASK and failed is not None else name
            return Failure(cause, failed, stream, lines[-LINES:])
    return Failure(cause, failed, "", [])


def first_failed(run: Run) -> RunTask | None:
    """The task that failed first, by its end; one query, and none for a run without failed tasks."""
    if not run.tasks_failed:
        return None
    failed = run.tasks.filter(state=TaskState.FAILED)
    return failed.order_by(F("ended_at").asc(nulls_last=True), "pk").first()


def _named(run: Run, failed: RunTask | None, ends: Mapping[str, list[str]]) -> tuple[str, str]:
    """The class, and the line that says so."""
    if run.reason not in (Reason.EXIT_NONZERO, Reason.SIGNAL, Reason.NO_RESULT, Reason.NONE):
        return run.reason, run.reason_text.partition("\n")[0][:_LONGEST]
    for name, sign in _SIGNS:
        for line in _said(ends):
            if sign.search(line):
                return name, line
    code = failed.exit_code if failed is not None and failed.exit_code else run.exit_code
    number = run.signal or (code - 128 if code is not None and 128 < code <= 192 else 0)
    if number:
        return _SIGNALS.get(number, f"SIGNAL_{number}"), ""
    if code is not None and code in _EXIT_CODES:
        return _EXIT_CODES[code], ""
    return (f"EXIT_{code}" if code else run.reason or "FAILED"), ""


def _said(ends: Mapping[str, list[str]]) -> Iterator[str]:
    """The lines of all streams, the last of the most telling stream first."""
    for name in _ORDER:
        yield from reversed(ends.get(name, []))


def _telling(ends: Mapping[str, list[str]]) -> str:
    """The last line that speaks of an error; where none does, the last one of what is shown first."""
    last = ""
    for name in _ORDER:
        for line in reversed(ends.get(name, [])):
            if _TELLING.search(line):
                return line
        last = last or (ends[name][-1] if ends.get(name) else "")
    return last


def _lines(data: bytes) -> list[str]:
    text = readable(data)
    return [line[:_LONGEST].rstrip() for line in text.split("\n")[-_LOOKED_AT:] if line.strip()]


def advice(name: str) -> str:
    """What to do about a cause of that class, as one plain sentence in the viewer's language."""
    known = {
        "OUT_OF_MEMORY": _("Ask for more memory, or give it less to do at once, and submit it again."),
        "TIMEOUT": _("Ask for a longer walltime; a pipeline that can be resumed goes on where it stopped."),
        "NODE_FAIL": _("The machine failed, not the run: submit it again, or resume it."),
        "BOOT_FAIL": _("The machine failed, not the run: submit it again, or resume it."),
        "PREEMPTED": _("It had to make room: submit it again, or resume it."),
        "DEADLINE": _("Submit it again with a later deadline or a shorter walltime."),
        "QUOTA": _("Delete what is no longer needed on the system, then resume it or submit it again."),
        "COMMAND_MISSING": _("A program is missing on the system: tell whoever looks after the pipeline."),
        "PERMISSION": _("Its account may not read or write something: see the line above for its path."),
        "FILE_MISSING": _("A file is not where the configuration says: correct its path, then submit it again."),
        "FILE_BROKEN": _("An input file is cut off or damaged: compare its checksum, copy it anew, submit it again."),
        "CRASH": _("A program crashed: its log says where; tell whoever looks after the pipeline."),
        "KILLED": _("Something killed it, most often for want of memory: ask for more and submit it again."),
        "SUBMIT_REJECTED": _("Change what the scheduler objects to, then submit it again."),
        "STAGE_FAILED": _("Look whether the system has room and the directory can be written, then submit it again."),
        "LAUNCH_FAILED": _("The cluster could not start it: submit it again; if it stays so, tell its administrators."),
        "NO_RESULT": _("Its job vanished without a word: its log may say why; submit it again, or resume it."),
        "NEVER_STARTED": _("Submit it again; if it stays so, tell the administrators of the cluster."),
        "OUTPUT_MISSING": _("The job said it was done, but a file that it should make is not there: read its log."),
        "INTERNAL": _("This is Centro's fault: tell its administrators the id of the run."),
    }  # fmt: skip
    return known.get(name) or _("Its log says more; correct the configuration or the pipeline, then submit it again.")
