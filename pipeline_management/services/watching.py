"""What watchers of runs are told: reads that are made once for all who watch the same. Nothing is written here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Max, Q

from pipeline_management.models import Run, RunEvent, Transfer
from pipeline_management.services.transfers import requests

PAGE = 500
"""Most events that one read of one run returns."""
RUNS_AT_ONCE = 50
RECENT = 50


def visible_run(user: User, run_id: UUID) -> Run | None:
    """The run as lists show it, if the person may see it."""
    return Run.objects.visible_to(user).for_lists().filter(pk=run_id).first()


def may_see(user: User, run_id: UUID) -> bool:
    """Whether the person may see the run now."""
    return Run.objects.visible_to(user).filter(pk=run_id).exists()


def recent_runs(user: User) -> list[Run]:
    """The newest ``RECENT`` runs that the person may see, newest first."""
    return list(Run.objects.visible_to(user).for_lists().order_by("-created_at", "-id")[:RECENT])


def recent_transfers(user: User) -> list[Transfer]:
    """The person's newest ``RECENT`` transfers, newest first."""
    return list(requests.visible(user)[:RECENT])


def events_after(run_id: UUID, seq: int) -> list[RunEvent]:
    """Events of one run after ``seq``, in order, at most ``PAGE``."""
    return list(RunEvent.objects.filter(run_id=run_id, seq__gt=seq).order_by("seq")[:PAGE])


def events_of(marks: Mapping[UUID, int]) -> list[RunEvent]:
    """Events of many runs, each after its own mark, in order per run. Of a run with more than ``PAGE`` new
    events the first ``PAGE``: ask again."""
    found: list[RunEvent] = []
    runs = list(marks.items())
    for begin in range(0, len(runs), RUNS_AT_ONCE):
        wanted = Q()
        for run_id, seq in runs[begin : begin + RUNS_AT_ONCE]:
            wanted |= Q(run_id=run_id, seq__gt=seq, seq__lte=seq + PAGE)
        found.extend(RunEvent.objects.filter(wanted).order_by("run_id", "seq"))
    return found


def newest_events(run_ids: Collection[UUID]) -> dict[UUID, int]:
    """The number of each run's newest event."""
    return dict(Run.objects.filter(pk__in=run_ids).values_list("pk", "event_seq"))


def last_event_row() -> int:
    """The highest row number of all events; 0 when there are none."""
    return RunEvent.objects.aggregate(last=Max("pk"))["last"] or 0


def runs_changed_after(row: int) -> tuple[set[UUID], int]:
    """The runs with events in rows after ``row``, and the last row looked at. One below it may be committed
    later and is then not found: good enough where the announcements are missing."""
    rows = RunEvent.objects.filter(pk__gt=row).order_by("pk").values_list("pk", "run_id")[:5000]
    found = list(rows)
    return {run_id for _, run_id in found}, found[-1][0] if found else row


def rows_of(
    run_ids: Collection[UUID], people: Iterable[User]
) -> tuple[list[Run], dict[int, set[UUID]]]:
    """These runs as lists show them, and by a person's row number those that he may see."""
    runs = list(Run.objects.for_lists().filter(pk__in=run_ids))
    seen = {
        user.pk: set(
            Run.objects.visible_to(user).filter(pk__in=run_ids).values_list("pk", flat=True)
        )
        for user in people
    }
    return runs, seen
