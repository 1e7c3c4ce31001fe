"""The mail that tells a lab's managers that its budget reaches a threshold: one for each threshold and period."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Lab, Membership, Role
from pipeline_management.models import Budget, Delivery
from pipeline_management.models.notification import DeliveryKind, DeliveryPurpose
from pipeline_management.services import dispatch
from pipeline_management.services.notifications.addresses import is_address
from pipeline_management.services.notifications.plain_text import one_line
from pipeline_management.services.notifications.spreading import can_mail, delivery_key
from pipeline_management.services.transactions import atomically
from pipeline_management.services.usage.budgets import Standing, standings


def queue_due() -> int:
    """Make the mails about budgets that have reached a threshold since the last look; returns how many."""
    if not can_mail():
        return 0
    reached = [one for one in standings(Budget.objects.select_related("lab")) if _is_new(one)]
    return sum(_queue(one) for one in reached)


def _is_new(one: Standing) -> bool:
    told = one.budget.told_percent if one.budget.told_for == one.period.first else 0
    return one.threshold > told


def _queue(one: Standing) -> int:
    return atomically(lambda: _make(one))


def _make(one: Standing) -> int:
    budget = one.budget
    same = Budget.objects.filter(
        pk=budget.pk, told_percent=budget.told_percent, told_for=budget.told_for
    )
    if not same.update(told_percent=one.threshold, told_for=one.period.first):
        return 0  # somebody else makes them
    managers = User.objects.filter(
        memberships__lab=budget.lab, memberships__role=Role.MANAGER, is_active=True
    )
    data = {
        "percent": one.percent, "threshold": one.threshold, "used": one.used_text,
        "budget": one.budget_text, "first": one.period.first.isoformat(), "last": one.period.last.isoformat(),
    }  # fmt: skip
    made = [
        Delivery(
            key=delivery_key("budget", budget.lab_id, user.pk, one.period.first, one.threshold,
                             budget.updated_at.isoformat()),
            kind=DeliveryKind.MAIL, purpose=DeliveryPurpose.BUDGET, user=user, lab=budget.lab,
            address=user.email, data=data, next_at=timezone.now(),
        )
        for user in managers
        if is_address(user.email)
    ]  # fmt: skip
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    if made:
        dispatch.ring_on_commit(dispatch.NOTIFY, dispatch.NO_ACCOUNT)
    return len(made)


def content(delivery: Delivery) -> tuple[str, str] | None:
    """Subject and text; None for somebody who no longer manages the lab."""
    lab, user = delivery.lab, delivery.user
    if lab is None or user is None or not _manages(lab, user):
        return None
    facts = {name: one_line(str(value), 40) for name, value in delivery.data.items()}
    facts |= {"lab": one_line(lab.name, 100), "url": settings.CENTRO_PUBLIC_URL}
    subject = _("[Centro] %(lab)s has used %(percent)s %% of its core hours") % facts
    text = _(
        "%(lab)s has used %(used)s of its %(budget)s core hours, %(percent)s %%, for %(first)s to %(last)s (UTC).\n"
        "\nRuns are not stopped by it. Who used what: %(url)s/usage/\n"
        "\n-- \nYou get this mail because you manage the lab, once at 80, 95 and 100 %%.\n"
    )
    return subject, text % facts


def _manages(lab: Lab, user: User) -> bool:
    return Membership.objects.filter(lab=lab, user=user, role=Role.MANAGER).exists()
