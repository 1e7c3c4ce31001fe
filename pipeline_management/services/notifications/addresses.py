"""Mail addresses as people write them into configurations."""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from pipeline_management.errors import Problem
from pipeline_management.services.notifications.plain_text import one_line

MOST = 20
"""Addresses of one configuration that are written to."""
LONGEST = 254
"""Characters of an address (RFC 5321, 4.5.3.1.3, less the angle brackets)."""


def is_address(text: str) -> bool:
    """Whether mail can be sent there; never with a line end or another control character."""
    if len(text) > LONGEST or not text.isprintable():
        return False
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


def in_value(value: Any) -> list[str]:
    """The texts of an ``email`` value: one address, several separated by commas, or a list of such."""
    texts = value if isinstance(value, list) else [value]
    parts = [part.strip() for text in texts if isinstance(text, str) for part in text.split(",")]
    return [part for part in parts if part]


def warnings_of(document: dict[str, Any]) -> list[Problem]:
    """A warning for each part of ``email`` to which no mail can be sent, and one for too many.

    Warnings, not faults: another pipeline may mean something else by the key.
    """
    value = document.get("email")
    texts = value if isinstance(value, list) else [value]
    found = []
    for number, text in enumerate(texts):
        place = f"/email/{number}" if isinstance(value, list) else "/email"
        wrong = [part for part in in_value(text) if not is_address(part)]
        if wrong:
            shown = one_line(wrong[0], 80)
            message = (
                f'email: "{shown}" is not a mail address; nobody is told there when the run ends.'
            )
            row = number + 1 if isinstance(value, list) else None
            found.append(Problem("not_an_address", message, place, row))
    if len(set(in_value(value))) > MOST:
        message = (
            f"email has more than {MOST} addresses; the first {MOST} are told when the run ends."
        )
        found.append(Problem("too_many_addresses", message, "/email"))
    return found[:MOST]


def in_configuration(text: str) -> list[str]:
    """The usable addresses, at most ``MOST``, each once, of the key ``email`` of a configuration's JSON text."""
    try:
        document = json.loads(text or "null")
    except (ValueError, RecursionError):
        return []  # one broken row must not hold up the ends behind it
    if not isinstance(document, dict):
        return []
    found = {part.lower(): part for part in in_value(document.get("email")) if is_address(part)}
    return list(found.values())[:MOST]
