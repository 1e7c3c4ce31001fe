"""The keys of the search language: what each takes, in words and as a check."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from pipeline_management.choices import RunSource, RunState

LOST = "lost"
HELD = "held"
STATES = (*(state.value for state in RunState if state is not RunState.DRAFT), HELD, LOST)
FLAGS = ("mine", "starred", "attention", "open", "ended", "noted")
_AGO = re.compile(r"(\d{1,4})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_DAY = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?")


@dataclass(frozen=True, slots=True)
class Key:
    """``help`` says what it finds, ``expected`` what may follow; ``values`` are all there are, where that is known."""

    help: Any
    expected: Any
    takes: Callable[[str], bool] = lambda value: len(value) <= 200
    values: tuple[str, ...] = ()


def _among(values: tuple[str, ...]) -> Callable[[str], bool]:
    return lambda value: value.lower() in values


def _is_uuid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def first_moment(value: str) -> datetime | None:
    """The aware moment at which a day ("2026-01-31"), month ("2026-01"), "today", "yesterday" or age
    ("12h", "7d", "2w") begins; None for anything else. Days are those of the site's time zone."""
    ago = _AGO.fullmatch(value.lower())
    if ago:
        return timezone.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    day = _day(value.lower())
    return None if day is None else midnight(day)


def last_moment(value: str) -> datetime | None:
    """The first moment after the day or month; for an age the same as ``first_moment``."""
    if _AGO.fullmatch(value.lower()):
        return first_moment(value)
    day = _day(value.lower())
    if day is None:
        return None
    if day >= date(9999, 12, 1):
        return datetime.max.replace(tzinfo=UTC)
    whole_month = value.count("-") == 1
    after = (
        (day.replace(day=28) + timedelta(days=4)).replace(day=1)
        if whole_month
        else day + timedelta(days=1)
    )
    return midnight(after)


def midnight(day: date) -> datetime:
    """The start of the day in the site's zone. Days at the ends of the calendar have no other zone."""
    zone = UTC if day.year in (date.min.year, date.max.year) else timezone.get_current_timezone()
    return datetime.combine(day, time.min, tzinfo=zone)


def _day(value: str) -> date | None:
    if value in ("today", "yesterday"):
        return timezone.localdate() - timedelta(days=value == "yesterday")
    found = _DAY.fullmatch(value)
    if found is None or not value.isascii():
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3] or 1))
    except ValueError:
        return None


def _is_moment(value: str) -> bool:
    return first_moment(value) is not None


_DATE = _("a day (2026-01-31), a month (2026-01), today, yesterday, or an age (12h, 7d, 2w)")
KEYS: dict[str, Key] = {
    "state": Key(_("state of the run"), ", ".join(STATES), _among(STATES), STATES),
    "is": Key(_("your own, starred, …"), ", ".join(FLAGS), _among(FLAGS), FLAGS),
    "user": Key(_("who submitted it"), _("a user name, or me")),
    "pipeline": Key(_("name of the pipeline"), _("a name, or name@version")),
    "version": Key(_("version of the pipeline"), _("a version such as 1.2.0")),
    "lab": Key(_("the lab it belongs to"), _("the short name of a lab")),
    "system": Key(_("where it runs"), _("the name of a system")),
    "input": Key(_("sample or input file"), _("the beginning of a sample's or file's name")),
    "label": Key(_("label on the run"), _("a label")),
    "cause": Key(_("why it failed"), _("a class such as OUT_OF_MEMORY, TIMEOUT, QUOTA or EXIT_1")),
    "after": Key(_("submitted on that day or later"), _DATE, _is_moment),
    "before": Key(_("submitted on that day or earlier"), _DATE, _is_moment),
    "job": Key(_("id of its job"), _("a whole job id")),
    "id": Key(_("id of the run"), _("a whole run id"), _is_uuid),
    "source": Key(
        _("through which door it came"), ", ".join(RunSource.values), _among(tuple(RunSource.values)),
        tuple(RunSource.values),
    ),
}  # fmt: skip
ALIASES = {
    "submitter": "user", "sample": "input", "file": "input", "tag": "label", "reason": "cause",
    "since": "after", "until": "before", "cluster": "system", "status": "state", "run": "id",
}  # fmt: skip
