"""What a person wants to be mailed."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone

from pipeline_management.models import Delivery, MailPreference
from pipeline_management.services.notifications.digests import last_moment

SHOWN = 10


def of(user: User) -> MailPreference:
    """The person's preference; the defaults, unsaved, where he has chosen nothing."""
    return MailPreference.objects.filter(user=user).first() or MailPreference(user=user)


def save(user: User, *, runs: str, digest: bool, digest_hour: int) -> MailPreference:
    """Keep the choice. A digest that is switched on comes at the next such hour, not at once."""
    known = of(user)
    values: dict[str, object] = {"runs": runs, "digest": digest, "digest_hour": digest_hour}
    if digest and not known.digest:
        values["digest_until"] = last_moment(digest_hour, timezone.now())
    kept, _created = MailPreference.objects.update_or_create(user=user, defaults=values)
    return kept


def recent_mails(user: User) -> list[Delivery]:
    """The person's own newest mails with how they went."""
    mails = Delivery.objects.filter(user=user).select_related("run__version__pipeline", "lab")
    return list(mails.defer("run__configuration_json", "run__script")[:SHOWN])
