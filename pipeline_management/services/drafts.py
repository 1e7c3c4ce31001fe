"""The draft of the submission page: one per person, kept on the server and never in the browser."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from pipeline_management.errors import Conflict, InvalidRequest, Problem, TooLarge
from pipeline_management.models import Draft
from pipeline_management.services.documents import MAX_BODY

KEPT = timedelta(days=30)
"""How long an untouched draft is kept."""
KEPT_AFTER_SENDING = timedelta(days=1)
"""How long one that became a run is kept for the way back to the form."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is kept: the text as typed, the choice of pipeline, the run that is edited, the form's token."""

    text: str
    pipeline: str = ""
    origin: str = ""
    token: uuid.UUID | None = None

    def checked(self) -> Content:
        """Itself; raises ``TooLarge`` over ``MAX_BODY`` bytes and ``InvalidRequest`` for what no form sends."""
        if len(self.text.encode("utf-8", "surrogatepass")) > MAX_BODY:
            raise TooLarge([Problem("too_large", _("The draft is over 10 MB and cannot be kept."))])
        for name, value, most in (("pipeline", self.pipeline, 200), ("origin", self.origin, 36)):
            if len(value) > most:
                message = _("%(name)s has %(count)d characters; at most %(most)d are accepted.")
                raise InvalidRequest(
                    [Problem(name, message % {"name": name, "count": len(value), "most": most})]
                )
        return self


def of(user: User) -> Draft | None:
    """The person's draft, sent or not."""
    return Draft.objects.filter(user=user).first()


def unsent(user: User) -> Draft | None:
    """The draft to go on with: not yet sent and not empty."""
    draft = Draft.objects.filter(user=user, sent_at__isnull=True).first()
    return draft if draft is not None and draft.text.strip() else None


def save(user: User, content: Content, *, seen: int | None = None) -> Draft:
    """Keep the text in place of what was kept before.

    ``seen`` is the revision that the writer's page knows (0: none); raises ``Conflict`` where another window has
    changed it since. Without it the text goes in whatever was there.
    """
    content.checked()
    values = {
        "text": content.text,
        "pipeline": content.pipeline,
        "origin": content.origin,
        "token": content.token,
        "saved_at": timezone.now(),
        "sent_at": None,
    }
    mine = Draft.objects.filter(user=user)
    rows = mine if seen is None else mine.filter(revision=seen)
    if not rows.update(revision=F("revision") + 1, **values):
        try:
            with transaction.atomic():
                return Draft.objects.create(user=user, **values)
        except IntegrityError as error:
            if seen is not None:
                message = _("The draft was changed in another window; this page no longer saves it.")
                raise Conflict(message) from error
            mine.update(revision=F("revision") + 1, **values)
    return Draft.objects.get(user=user)


def revision(user: User) -> int:
    """The revision of what is kept for the person, 0 without any."""
    return Draft.objects.filter(user=user).values_list("revision", flat=True).first() or 0


def sent(user: User, content: Content) -> None:
    """The text became a run: it is no draft any more, but the way back to the form still finds it."""
    save(user, content)
    Draft.objects.filter(user=user).update(sent_at=timezone.now())


def discard(user: User) -> None:
    """Forget the draft; there may be none."""
    Draft.objects.filter(user=user).delete()


def delete_expired() -> None:
    """Forget drafts that nobody touched for ``KEPT``, and sent ones after ``KEPT_AFTER_SENDING``."""
    now = timezone.now()
    old = Q(saved_at__lt=now - KEPT) | Q(sent_at__lt=now - KEPT_AFTER_SENDING)
    Draft.objects.filter(old).delete()
