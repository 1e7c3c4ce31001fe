"""Announcements of maintenance: who is told, and that nothing is submitted to a system meanwhile.

The engine asks with ``is_held`` in its own query, so an announcement acts from its first second to its last, and
a run goes on by itself when it is over. The flag that says so on the run's page follows within a sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from pipeline_management.choices import Attention, Desired, RunKind, RunState
from pipeline_management.errors import Closed
from pipeline_management.models import Maintenance, Run, System
from pipeline_management.services import audit, trouble

AHEAD = timedelta(hours=24)
"""How long before its beginning people are told of it."""
_KEY = "maintenance:announcements"
_KEPT_SECONDS = 30
_CLOSED_SECONDS = 300
_WAITING = (RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING)


def is_held() -> Exists:
    """For a query of runs: whether the run's system takes nothing now, by the database's clock."""
    of_system = Q(system=OuterRef("system")) | Q(system__isnull=True)
    return Exists(_lasting(Now()).filter(of_system, holds_runs=True))


def _lasting(now: Any) -> QuerySet[Maintenance]:
    not_over = Q(ends_at__isnull=True) | Q(ends_at__gt=now)
    return Maintenance.objects.filter(not_over, starts_at__lte=now)


def mark_runs() -> None:
    """Say on every waiting run whether it waits for the end of a maintenance; take it down from the others.

    One statement where nothing is announced.
    """
    lasting = list(_lasting(Now()).filter(holds_runs=True))
    held: list[int] = []
    for system_id in _systems_of(lasting):
        governing = _last_to_end(one for one in lasting if one.system_id in (None, system_id))
        text = sentence(governing)
        held.append(system_id)
        waiting = Run.objects.filter(
            system_id=system_id, kind=RunKind.PIPELINE, state__in=_WAITING, desired=Desired.RUN
        )
        trouble.flag(waiting, Attention.MAINTENANCE, text)
        flagged = waiting.filter(attention=Attention.MAINTENANCE)
        flagged.exclude(attention_text=text[:500]).update(attention_text=text[:500])
    over = Q(state__in=_WAITING, desired=Desired.RUN, system_id__in=held)
    trouble.clear(Run.objects.exclude(over), [Attention.MAINTENANCE])


def _systems_of(lasting: list[Maintenance]) -> list[int]:
    if not lasting:
        return []
    if any(one.system_id is None for one in lasting):
        return list(System.objects.values_list("pk", flat=True))
    return sorted({one.system_id for one in lasting if one.system_id is not None})


def _last_to_end(some: Iterable[Maintenance]) -> Maintenance:
    never = datetime.max.replace(tzinfo=UTC)
    return max(some, key=lambda one: (one.ends_at or never, one.pk))


def sentence(one: Maintenance) -> str:
    """What a waiting run says of it."""
    if one.ends_at is None:
        begun = _("%(text)s. The run is submitted when it is over.")
        return begun % {"text": one.text.rstrip(".")}
    until = f"{one.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    text = _("until %(until)s: %(text)s. The run is submitted then.")
    return text % {"until": until, "text": one.text.rstrip(".")}


def closed_systems(systems: Iterable[System]) -> dict[int, str]:
    """Which of the systems take no jobs now, by their keys, with a sentence each. One query."""
    by_key = {system.pk: system for system in systems}
    of_these = Q(system_id__in=by_key) | Q(system__isnull=True)
    lasting = list(_lasting(Now()).filter(of_these, holds_runs=True))
    found = {}
    for key, system in by_key.items():
        theirs = [one for one in lasting if one.system_id in (None, key)]
        if theirs:
            found[key] = _closed(system, _last_to_end(theirs))
    return found


def _closed(system: System, one: Maintenance) -> str:
    text = one.text.rstrip(".")
    if one.ends_at is None:
        return _("%(system)s is in maintenance: %(text)s.") % {"system": system.name, "text": text}
    until = f"{one.ends_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    sentence = _("%(system)s is in maintenance until %(until)s: %(text)s.")
    return sentence % {"system": system.name, "until": until, "text": text}


def refuse_jobs(system: System) -> None:
    """Raises ``Closed`` while the system takes no jobs. For jobs that somebody waits for: those of pipelines are
    held instead (``is_held``)."""
    sentence = closed_systems([system]).get(system.pk)
    if sentence is not None:
        raise Closed(sentence, _CLOSED_SECONDS)


# --- who is told ------------------------------------------------------------------------------


def announcements(user: User | AnonymousUser) -> list[Maintenance]:
    """What everybody is told on every page: what lasts, then what begins within a day.

    Of a single system only those hear who see that system. Reads the database twice a minute.
    """
    known: list[Maintenance] | None = cache.get(_KEY)
    now = timezone.now()
    if known is None:
        not_over = Q(ends_at__isnull=True) | Q(ends_at__gt=now)
        soon = Maintenance.objects.filter(
            not_over, starts_at__lte=now + AHEAD + timedelta(minutes=1)
        )
        known = list(soon.select_related("system").order_by("starts_at")[:20])
        cache.set(_KEY, known, _KEPT_SECONDS)
    current = [
        one
        for one in known
        if one.starts_at <= now + AHEAD and (one.ends_at is None or one.ends_at > now)
    ]
    wanted = {one.system_id for one in current if one.system_id is not None}
    seen: set[int] = set()
    if wanted and user.is_authenticated:
        visible = System.objects.visible_to(user).filter(pk__in=wanted)
        seen = set(visible.values_list("pk", flat=True))
    return [one for one in current if one.system_id is None or one.system_id in seen]


def has_begun(one: Maintenance) -> bool:
    """Whether it lasts now, as opposed to being announced."""
    return one.starts_at <= timezone.now()


def of_system(system: System) -> list[Maintenance]:
    """What is announced for one system, the nearest first."""
    not_over = Q(ends_at__isnull=True) | Q(ends_at__gt=timezone.now())
    for_it = Q(system=system) | Q(system__isnull=True)
    return list(Maintenance.objects.filter(not_over, for_it).order_by("starts_at")[:20])


# --- changes ----------------------------------------------------------------------------------


def announce(one: Maintenance, person: User, address: str | None = None) -> None:
    """Store a new or changed announcement, which has been checked (``full_clean``), and tell the audit trail."""
    is_new = one.pk is None
    if is_new:
        one.created_by = person
    one.save()
    data = {"text": one.text, "from": str(one.starts_at), "to": str(one.ends_at or "")}
    action = "maintenance.announce" if is_new else "maintenance.change"
    audit.record(person, action, one.system.name if one.system else "*", address=address, data=data)
    changed()


def end(one: Maintenance, person: User, address: str | None = None) -> None:
    """Over from now on; one that has not begun is removed."""
    if has_begun(one):
        one.ends_at = timezone.now()
        one.save(update_fields=["ends_at"])
    else:
        one.delete()
    audit.record(person, "maintenance.end", one.system.name if one.system else "*", address=address)
    changed()


def changed() -> None:
    """Let every process hear of a change at its next page."""
    cache.delete(_KEY)
