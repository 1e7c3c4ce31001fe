"""Addresses under which a browser gets the content of one file for a few minutes: signed, and bound to the person."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.contrib.auth.models import User
from django.core import signing

from pipeline_management.errors import Missing, NotAllowed
from pipeline_management.file_names import quoted, unquoted
from pipeline_management.models import Run
from pipeline_management.services.file_places import Place, place_of, place_of_run

SECONDS = 15 * 60
_SALT = "centro.file"


@dataclass(frozen=True, slots=True)
class Link:
    """A file of a system, seen by the person's own account, or, with ``run``, of that run's directories."""

    path: str
    system: str = ""
    run: uuid.UUID | None = None

    def token(self, user: User) -> str:
        """Good for this person for a quarter of an hour."""
        values = [user.pk, self.system, str(self.run or ""), quoted(self.path)]
        return signing.dumps(values, salt=_SALT, compress=True)


def opened(token: str, user: User) -> tuple[Link, Place]:
    """What a token stands for, with everything asked anew: the person may have lost his rights meanwhile.

    Raises ``NotAllowed`` for a token that is old, another's or no token, and what ``place_of`` raises.
    """
    try:
        owner, system, run, path = signing.loads(token, salt=_SALT, max_age=SECONDS)
    except signing.BadSignature as error:
        raise NotAllowed("This link has run out; open the file's page again.") from error
    if owner != user.pk:
        raise NotAllowed("This link belongs to somebody else.")
    if not run:
        return Link(unquoted(path), system), place_of(user, system)
    found = Run.objects.visible_to(user).select_related("system", "account__system")
    seen = found.filter(pk=run).first()
    if seen is None:
        raise Missing("There is no such run.")
    return Link(unquoted(path), run=seen.pk), place_of_run(seen)
