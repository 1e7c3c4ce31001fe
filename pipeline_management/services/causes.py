"""Why a run failed, in one word by which runs are grouped and one line for its row in the list.

The scheduler's own word goes first (OUT_OF_MEMORY, TIMEOUT …). A script that ended with an error code says more
in its output: the last line there that names a known trouble decides, else the code itself does.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pipeline_management.choices import Reason, RunState, TaskState
from pipeline_management.models import Run, RunTask
from pipeline_management.services import words

_OPEN_QUESTIONS = frozenset({"", Reason.EXIT_NONZERO, Reason.SIGNAL})
_LINES = 400
_SIGNS: tuple[tuple[str, str], ...] = (
    ("QUOTA", r"quota exceeded"),
    ("NO_SPACE", r"no space left on device"),
    ("OUT_OF_MEMORY", r"oom.?kill|out.?of.?memory|\bmemoryerror\b|std::bad_alloc|cannot allocate memory"),
    ("TIMEOUT", r"due to time limit"),
    ("SEGFAULT", r"segmentation fault"),
    ("COMMAND_NOT_FOUND", r"command not found"),
    ("NO_PERMISSION", r"permission denied"),
    ("FILE_NOT_FOUND", r"no such file or directory|filenotfounderror"),
    ("NETWORK", r"could not resolve host|connection (refused|timed out|reset)|network is unreachable"),
)  # fmt: skip
_PATTERNS = [(cause, re.compile(pattern, re.IGNORECASE)) for cause, pattern in _SIGNS]
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(\x07|\x1b\\)")
_LABELS = {
    "QUOTA": gettext_lazy("Quota exceeded"),
    "NO_SPACE": gettext_lazy("No space left"),
    "OUT_OF_MEMORY": gettext_lazy("Out of memory"),
    "TIMEOUT": gettext_lazy("Walltime limit"),
    "NODE_FAIL": gettext_lazy("Node failure"),
    "PREEMPTED": gettext_lazy("Preempted"),
    "SUBMIT_REJECTED": gettext_lazy("Refused by the scheduler"),
    "NO_RESULT": gettext_lazy("Ended without a result"),
    "NEVER_STARTED": gettext_lazy("Lost before it started"),
    "SEGFAULT": gettext_lazy("Segmentation fault"),
    "COMMAND_NOT_FOUND": gettext_lazy("Command not found"),
    "NO_PERMISSION": gettext_lazy("Permission denied"),
    "FILE_NOT_FOUND": gettext_lazy("File not found"),
    "NETWORK": gettext_lazy("Network"),
}


def label_of(cause: str) -> str:
    """The class in words: "Out of memory", "Exit code 3"."""
    if cause in _LABELS:
        return str(_LABELS[cause])
    kind, _under, number = cause.partition("_")
    if kind in ("EXIT", "SIGNAL") and number.isdigit():
        text = _("Exit code %(number)s") if kind == "EXIT" else _("Signal %(number)s")
        return text % {"number": number}
    return str(Reason(cause).label) if cause in Reason.values else cause


def record(run_ids: Collection[UUID], tails: Mapping[UUID, bytes] | None = None) -> None:
    """Write the cause of each of the runs that has failed, and the words it is found by.

    ``tails`` are the ends of their outputs, as far as known. In the transaction that ends the runs.
    """
    failed = Run.objects.filter(pk__in=list(run_ids), state=RunState.FAILED).only(
        "reason", "reason_text", "attention_text", "exit_code", "signal"
    )
    runs = list(failed.order_by())
    if not runs:
        return
    tasks = _first_failed([run.pk for run in runs])
    texts = {}
    for run in runs:
        cause, line = classify(run, (tails or {}).get(run.pk, b""))
        task = tasks.get(run.pk)
        if task is not None:
            line = f"{task.name}: {line}" if line else task.name
        text = clean(line)[:200]
        Run.objects.filter(pk=run.pk).update(cause=cause, cause_text=text)
        texts[run.pk] = f"{run.reason_text} {text} {label_of(cause)}"
    words.index_reasons(texts)


def classify(run: Run, tail: bytes) -> tuple[str, str]:
    """The class of a failed run, and the line of its output that says most; "" for none."""
    lines = [clean(line) for line in tail.decode(errors="replace").splitlines()[-_LINES:]]
    lines = [line for line in lines if line]
    last = lines[-1] if lines else clean(run.reason_text)
    if run.reason not in _OPEN_QUESTIONS:
        return str(run.reason), clean(run.reason_text) or last
    for line in reversed(lines):
        for cause, pattern in _PATTERNS:
            if pattern.search(line):
                return cause, line
    if run.reason == Reason.SIGNAL and run.signal is not None:
        return f"SIGNAL_{run.signal}", last
    return (f"EXIT_{run.exit_code}" if run.exit_code is not None else str(run.reason)), last


def clean(text: str) -> str:
    """One line as it can be shown: without escapes of terminals, control and direction marks."""
    shown = _ESCAPE.sub("", text)
    kept = (char if unicodedata.category(char) not in ("Cc", "Cf") else " " for char in shown)
    return " ".join("".join(kept).split())[:1000]


def _first_failed(run_ids: list[UUID]) -> dict[UUID, RunTask]:
    """The task of each run that failed first."""
    found: dict[UUID, RunTask] = {}
    never = datetime.max.replace(tzinfo=UTC)
    rows = RunTask.objects.filter(run_id__in=run_ids, state=TaskState.FAILED).only(
        "run_id", "name", "ended_at", "reported_at"
    )
    for task in rows.order_by("run_id", "pk")[:20_000]:
        known = found.get(task.run_id)
        if known is None or (task.ended_at or never) < (known.ended_at or never):
            found[task.run_id] = task
    return found
