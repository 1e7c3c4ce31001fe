"""The one writer of run states.

Every change is a compare-and-set on (state, newest event) in one short transaction that also writes its
events. A change that lost the race is left out of the answer, never an error: whoever won has moved on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from pipeline_management.choices import Confirmation, RunState
from pipeline_management.models import Run, RunEvent
from pipeline_management.services import causes
from pipeline_management.services.announcing import announce_all
from pipeline_management.services.notifications.outbox import note_ends
from pipeline_management.services.transactions import atomically
from pipeline_management.services.usage import pending
from pipeline_management.states import is_legal

EXCERPT = 4096


class IllegalTransition(Exception):
    """A move that the table in ``states`` does not have: a bug in the caller."""


@dataclass(frozen=True, slots=True)
class Note:
    """An event that is not a move."""

    type: str
    evidence: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """What to do to one run, as read before: move it (``to``), set ``fields``, write ``notes``.

    ``run`` carries the state and, with ``fenced``, the fence on which the change rests.
    """

    run: Run
    to: RunState | None = None
    evidence: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    notes: Sequence[Note] = ()
    fenced: bool = False

    @property
    def event_count(self) -> int:
        return len(self.notes) + (self.to is not None)


def apply(changes: Iterable[Change], *, actor: str) -> set[UUID]:
    """Apply changes (at most one per run) in one transaction; returns the ids that were changed.

    Raises ``IllegalTransition`` before anything is written. Database errors pass through after retries.
    """
    batch = sorted(changes, key=lambda change: change.run.pk)
    for change in batch:
        by_person = change.evidence == Confirmation.PERSON
        if change.to is not None and not is_legal(RunState(change.run.state), change.to, by_person=by_person):
            raise IllegalTransition(f"{change.run.pk}: {change.run.state} to {change.to}")
    if not batch:
        return set()
    return atomically(lambda: _apply(batch, actor))


def _apply(batch: list[Change], actor: str) -> set[UUID]:
    rows = (
        Run.objects.select_for_update()
        .filter(pk__in=[change.run.pk for change in batch])
        .order_by("pk")
        .values_list("pk", "state", "fence", "event_seq")
    )
    current = {pk: (state, fence, seq) for pk, state, fence, seq in rows}
    now = timezone.now()
    events: list[RunEvent] = []
    groups: dict[tuple[Any, ...], list[UUID]] = defaultdict(list)
    samples: dict[tuple[Any, ...], Change] = {}
    changed = set()
    for change in batch:
        state, fence, seq = current.get(change.run.pk, (None, 0, 0))
        if state != change.run.state or (change.fenced and fence != change.run.fence):
            continue
        events.extend(_events(change, seq, now, actor))
        key = (change.to, change.event_count, tuple(sorted((k, repr(v)) for k, v in change.fields.items())))
        groups[key].append(change.run.pk)
        samples[key] = change
        changed.add(change.run.pk)
    for key, ids in groups.items():
        sample = samples[key]
        values: dict[str, Any] = dict(sample.fields)
        if sample.to is not None:
            values["state"] = sample.to
            if sample.to.is_terminal:
                values["finished_at"] = now
        if sample.event_count:
            values["event_seq"] = F("event_seq") + sample.event_count
        if values:
            Run.objects.filter(pk__in=ids).update(**values)
    RunEvent.objects.bulk_create(events)
    causes.record([change.run.pk for change in batch if change.to is RunState.FAILED and change.run.pk in changed])
    note_ends(events)
    pending.note_ends(events)
    announce_all(events)
    return changed


def _events(change: Change, seq: int, now: datetime, actor: str) -> Iterable[RunEvent]:
    for note in change.notes:
        seq += 1
        yield RunEvent(
            run_id=change.run.pk, seq=seq, at=now, actor=actor,
            type=note.type, evidence=note.evidence, data=_bounded(note.data),
        )  # fmt: skip
    if change.to is not None:
        yield RunEvent(
            run_id=change.run.pk, seq=seq + 1, at=now, actor=actor, type="state",
            from_state=change.run.state, to_state=change.to,
            evidence=change.evidence, data=_bounded(change.data),
        )  # fmt: skip


def _bounded(data: dict[str, Any]) -> dict[str, Any]:
    """Texts come from clusters: cap each at ``EXCERPT`` characters."""
    return {k: v[:EXCERPT] if isinstance(v, str) else v for k, v in data.items()}
