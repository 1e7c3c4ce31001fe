"""The events of a run as sentences, for its timeline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from pipeline_management import report_entries
from pipeline_management.choices import Attention, Confirmation, Reason, RunState
from pipeline_management.models import Run, RunEvent

_TITLES = {
    "cancel_requested": gettext_lazy("Cancellation requested"),
    "cancel_too_late": gettext_lazy("The job ended before it could be cancelled"),
    "cancel_sent": gettext_lazy("Cancellation sent to the scheduler"),
    "cancel_failed": gettext_lazy("The scheduler did not take the cancellation"),
    "adopted": gettext_lazy("Another job id was found for the run"),
    "submit_unknown": gettext_lazy("Not yet known whether the scheduler took the job"),
    "attention": gettext_lazy("Attention"),
    "late_evidence": gettext_lazy("Evidence arrived after the run had ended"),
    "output_collected": gettext_lazy("Output collected"),
    "hold_requested": gettext_lazy("Hold requested"),
    "hold_sent": gettext_lazy("The scheduler took the hold"),
    "hold_refused": gettext_lazy("The scheduler cannot hold jobs"),
    "hold_too_late": gettext_lazy("The job started before it could be held"),
    "release_requested": gettext_lazy("Released"),
    "release_sent": gettext_lazy("The scheduler took the release"),
    "release_refused": gettext_lazy("The scheduler cannot release jobs"),
    "jobs_left": gettext_lazy("Jobs that the run had submitted are still there"),
    "report_refused": gettext_lazy("Something that the job reported cannot be read"),
    "job_lost": gettext_lazy("The scheduler lost the job before it started"),
}
_LABELS = {
    "attempt": gettext_lazy("attempt"),
    "job_id": gettext_lazy("job"),
    "node": gettext_lazy("node"),
    "exit_code": gettext_lazy("exit code"),
    "signal": gettext_lazy("signal"),
    "native_state": gettext_lazy("scheduler says"),
    "from": gettext_lazy("from"),
    "to": gettext_lazy("to"),
    "source": gettext_lazy("through"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline: ``tone`` is a colour name, ``evidence`` where the change was learnt."""

    seq: int
    at: datetime
    title: str
    tone: str
    actor: str
    evidence: str
    text: str
    facts: list[tuple[str, str]] = field(default_factory=list)


def timeline(run: Run, events: Iterable[RunEvent]) -> list[Entry]:
    """All events of ``run`` in their order."""
    return [_entry(event, run.submitter.get_username()) for event in events]


def _entry(event: RunEvent, submitter: str) -> Entry:
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    evidence = {str(value): str(label) for value, label in Confirmation.choices}
    return Entry(
        seq=event.seq,
        at=event.at,
        title=_title(event),
        tone=_tone(event),
        actor=_actor(event, submitter),
        evidence=evidence.get(event.evidence, event.evidence),
        text=report_entries.text(event) if event.sender else _text(data),
        facts=[
            (str(label), str(data[key])[:200])
            for key, label in _LABELS.items()
            if data.get(key) not in (None, "")
        ],
    )


def _actor(event: RunEvent, submitter: str) -> str:
    if event.sender:
        return _("the job")
    return _("the submitter") if event.actor == submitter and event.seq > 1 else event.actor


def _title(event: RunEvent) -> str:
    if event.sender:
        return report_entries.title(event)
    if event.type == "state":
        return str(RunState(event.to_state).label) if event.to_state in RunState else event.to_state
    title: str | Promise = _TITLES.get(event.type, event.type.replace("_", " ").capitalize())
    return str(title)


def _tone(event: RunEvent) -> str:
    if event.sender:
        return report_entries.tone(event)
    if event.type == "state" and event.to_state in RunState:
        return RunState(event.to_state).colour
    return "warning"


def _text(data: dict[str, Any]) -> str:
    """The sentence of the reason or flag, and the system's own words."""
    parts = []
    for key, words in (("reason", dict(Reason.choices)), ("attention", dict(Attention.choices))):
        value = data.get(key)
        if isinstance(value, str) and value:
            parts.append(str(words.get(value, value)))
    text = data.get("text")
    if isinstance(text, str) and text.strip() and text.strip() not in parts:
        parts.append(text.strip())
    return " – ".join(parts)
