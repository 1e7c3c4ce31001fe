"""The forms of a time that sacct(1) reads."""

from __future__ import annotations

from datetime import datetime

_TIMES = {
    "%Y-%m-%d ": ("%H:%M", "%H:%M:%S"),
    "%Y ": ("%m%d", "%m/%d", "%m.%d", "%m/%d-%H:%M", "%m/%d-%H:%M:%S"),
    "": (
        "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
        "%m%d%y", "%m/%d/%y", "%m.%d.%y", "%m/%d/%y-%H:%M", "%m/%d/%y-%H:%M:%S",
    ),
}  # fmt: skip
"""By what is to be added in front of them."""


def sacct_time(text: str, now: datetime) -> datetime | None:
    """The time without a zone, in that of ``now``; what it leaves out is today's or this year's. None for no time."""
    for given, fields in ((f"{now:%Y-%m-%d} ", "%Y-%m-%d "), (f"{now.year} ", "%Y "), ("", "")):
        for form in _TIMES[fields]:
            # without this "1122" would be the first of January 2022
            if len(text) != len(now.strftime(form)):
                continue
            try:
                return datetime.strptime(given + text, fields + form)
            except ValueError:
                continue
    return None
