"""The daily digest of a lab for its managers: what ended, failed runs first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Case, Count, IntegerField, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.models import Lab, Membership, Role
from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Delivery, MailPreference, Run
from pipeline_management.models.notification import DeliveryKind, DeliveryPurpose
from pipeline_management.services.notifications.addresses import is_address
from pipeline_management.services.notifications.plain_text import one_line
from pipeline_management.services.notifications.run_mails import address_of, moment
from pipeline_management.services.notifications.spreading import can_mail, delivery_key
from pipeline_management.services.presentation import explain
from pipeline_management.services.transactions import atomically

DAY = timedelta(days=1)
LONGEST = timedelta(days=7)
"""How far back a digest goes after Centro was down for long."""
MOST_RUNS = 200


def last_moment(hour: int, now: datetime) -> datetime:
    """The newest time not after ``now`` at which it was ``hour`` o'clock in the project's zone (aware UTC)."""
    zone = ZoneInfo(settings.TIME_ZONE)
    local = now.astimezone(zone)
    found = local.replace(hour=hour, minute=0, second=0, microsecond=0, fold=0)
    if found > local:
        found = datetime.combine(local.date() - DAY, found.time(), tzinfo=zone)
    return found.astimezone(ZoneInfo("UTC"))


def queue_due(now: datetime | None = None) -> int:
    """Make the digests whose hour has come, each once; returns how many mails that is."""
    if not can_mail():
        return 0
    now = now or timezone.now()
    wishes = MailPreference.objects.filter(digest=True, user__is_active=True).select_related("user")
    return sum(_queue(wish, now) for wish in wishes)


def _queue(wish: MailPreference, now: datetime) -> int:
    until = last_moment(wish.digest_hour, now)
    if not is_address(wish.user.email) or (wish.digest_until and wish.digest_until >= until):
        return 0
    since = max(wish.digest_until or until - DAY, until - LONGEST)
    return atomically(lambda: _make(wish, since, until))


def _make(wish: MailPreference, since: datetime, until: datetime) -> int:
    same = MailPreference.objects.filter(pk=wish.pk, digest_until=wish.digest_until)
    if not same.update(digest_until=until):
        return 0  # somebody else makes them
    made = [
        Delivery(
            key=delivery_key("digest", lab.pk, wish.user_id, until.isoformat()),
            kind=DeliveryKind.MAIL,
            purpose=DeliveryPurpose.DIGEST,
            user=wish.user,
            lab=lab,
            address=wish.user.email,
            data={"since": since.isoformat(), "until": until.isoformat()},
            next_at=timezone.now(),
        )
        for lab in Lab.objects.filter(
            memberships__user=wish.user_id, memberships__role=Role.MANAGER
        )
        if _ended(lab, since, until).exists()
    ]
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    return len(made)


def _ended(lab: Lab, since: datetime, until: datetime) -> QuerySet[Run]:
    return Run.objects.filter(
        lab=lab, finished_at__gte=since, finished_at__lt=until, state__in=TERMINAL_STATES
    )


def content(delivery: Delivery) -> tuple[str, str] | None:
    """Subject and text; None for somebody who no longer manages the lab or wants no digest."""
    lab, user = delivery.lab, delivery.user
    if lab is None or user is None or not _is_wanted(lab, user):
        return None
    since, until = (datetime.fromisoformat(delivery.data[name]) for name in ("since", "until"))
    runs = _ended(lab, since, until)
    counts = dict(runs.order_by().values_list("state").annotate(number=Count("pk")))
    total = sum(counts.values())
    ended = ngettext("%(count)d run ended", "%(count)d runs ended", total) % {"count": total}
    summary = ", ".join(
        f"{counts[state]} {state.value}" for state in _ORDER if counts.get(state.value)
    )
    subject = f"[Centro] {lab.name}: {ended}" + (f" ({summary})" if summary else "")
    heading = _("%(lab)s, %(since)s to %(until)s") % {
        "lab": one_line(lab.name, 100), "since": moment(since), "until": moment(until),
    }  # fmt: skip
    footer = _("You get this mail because you manage the lab. Change it at %(address)s.") % {
        "address": f"{settings.CENTRO_PUBLIC_URL}/notifications/"
    }
    text = "\n\n".join([heading, f"{ended}: {summary}", *_entries(runs, total), f"-- \n{footer}"])
    return subject, text + "\n"


def _is_wanted(lab: Lab, user: User) -> bool:
    if not MailPreference.objects.filter(user=user, digest=True).exists():
        return False
    return Membership.objects.filter(lab=lab, user=user, role=Role.MANAGER).exists()


_ORDER = (RunState.FAILED, RunState.CANCELLED, RunState.SUCCEEDED)


def _entries(runs: QuerySet[Run], total: int) -> Iterator[str]:
    rank = Case(
        *(When(state=state, then=Value(place)) for place, state in enumerate(_ORDER)),
        output_field=IntegerField(),
    )
    related = runs.select_related("version__pipeline", "submitter", "system")
    rows = related.defer("configuration_json", "script").order_by(rank, "-finished_at")
    for run in rows[:MOST_RUNS]:
        title = one_line(f"{RunState(run.state).label}: {run.title} {run.name}", 180)
        who = f"{run.submitter.get_username()}, {run.system.name}, {moment(run.finished_at)}"
        why = [one_line(explain(run), 300)] if run.state != RunState.SUCCEEDED else []
        yield "\n".join([title, *(f"    {line}" for line in [*why, who, address_of(run)])])
    if total > MOST_RUNS:
        yield _("… and %(count)d more.") % {"count": total - MOST_RUNS}
