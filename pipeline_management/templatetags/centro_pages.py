"""What the pages show again and again: icons, badges, times, sizes. All output is escaped."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.dates import MONTHS_3
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from pipeline_management import curl
from pipeline_management.choices import HealthState, RunState, TaskState
from pipeline_management.models import Run, RunTask, System
from pipeline_management.services.presentation import explain, last_confirmation

register = template.Library()

_UNSEEN = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

_TASK_ICONS = {
    TaskState.NEW: "draft",
    TaskState.PENDING: "queued",
    TaskState.RUNNING: "running",
    TaskState.COMPLETE: "succeeded",
    TaskState.FAILED: "failed",
    TaskState.SKIPPED: "succeeded",
    TaskState.CANCELLED: "cancelled",
}

_HEALTH_ICONS = {
    HealthState.UNKNOWN: "unknown",
    HealthState.OK: "succeeded",
    HealthState.DEGRADED: "attention",
    HealthState.DOWN: "failed",
    HealthState.BLOCKED: "cancelled",
}


@register.simple_tag
@lru_cache(maxsize=512)
def icon(name: str, extra: str = "") -> SafeString:
    """One picture of the sprite ``static/img/icons.svg``; decoration only, hidden from screen readers."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        extra,
        static("img/icons.svg"),
        name,
    )


def state_badge_html(state: str, extra: str = "") -> SafeString:
    """The badge of a run state: colour, icon and word together."""
    return _state_badge(state, extra, get_language())


@lru_cache(maxsize=512)
def _state_badge(state: str, extra: str, language: str | None) -> SafeString:
    """Made once for each language: a page has a hundred of them."""
    value = RunState(state)
    return format_html(
        '<span class="badge-state tone-{} {}" data-state="{}">{}{}</span>',
        value.colour,
        extra,
        value.value,
        icon(value.value),
        value.label,
    )


@register.simple_tag
def state_badge(run: Run | str, extra: str = "") -> SafeString:
    """The badge of a run's state, or of a state's name; a run on hold says so."""
    if isinstance(run, Run) and run.is_held:
        return format_html(
            '<span class="badge-state tone-warning {}" data-state="{}" data-held>{}{}</span>',
            extra,
            run.state,
            icon("pause"),
            _("Held"),
        )
    return state_badge_html(run if isinstance(run, str) else run.state, extra)


@register.simple_tag
def task_badge(task: RunTask, over: bool = False) -> SafeString:
    """The badge of a task's state; of a run that is ``over`` a task that never ended says so."""
    state = TaskState(task.state)
    left = over and not state.is_over
    return format_html(
        '<span class="badge-state tone-{}" data-state="{}">{}{}</span>',
        "secondary" if left else state.colour,
        state.value,
        icon("unknown" if left else _TASK_ICONS[state]),
        _("Not finished") if left else state.label,
    )


@register.filter
def task_label(state: str) -> str:
    """The word for a task's state."""
    return str(TaskState(state).label)


@register.simple_tag
def health_badge(system: System) -> SafeString:
    """The badge of a system's health; a disabled system says so instead."""
    if not system.enabled:
        return format_html(
            '<span class="badge-state tone-secondary">{}{}</span>', icon("cancelled"), _("Disabled")
        )
    health = HealthState(system.health)
    return format_html(
        '<span class="badge-state tone-{}" data-health="{}">{}{}</span>',
        health.colour,
        health.value,
        icon(_HEALTH_ICONS[health]),
        health.label,
    )


@lru_cache(maxsize=256)
def _month(number: int, language: str | None) -> str:
    return str(MONTHS_3[number]).title()


def moment_html(at: datetime | None, style: str = "local") -> SafeString:
    """A ``<time>`` element in UTC; a script rewrites it in the viewer's zone.

    ``style``: "local" (date and time), "short" (without seconds), "ago" (age), "since" (running duration).
    """
    if at is None:
        return format_html('<span class="quiet">{}</span>', "–")
    utc = at.astimezone(UTC)
    day, clock = utc.date().isoformat(), f"{utc:%H:%M:%S}"
    # django's date_format takes ten times as long, and a page has hundreds of them
    text = f"{utc.day} {_month(utc.month, get_language())} {utc.year}, {clock} UTC"
    return format_html(
        '<time datetime="{}" title="{}" data-time="{}">{}</time>',
        f"{day}T{clock}Z",
        f"{day} {clock} UTC",
        style,
        text,
    )


@register.simple_tag
def moment(at: datetime | None, style: str = "local") -> SafeString:
    """See ``moment_html``."""
    return moment_html(at, style)


@register.filter
def duration(seconds: float | None) -> str:
    """Seconds as "2 d 3 h", "4 h 05 min", "3 min 20 s" or "12 s"."""
    if seconds is None:
        return "–"
    total = max(0, int(seconds))
    days, rest = divmod(total, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"


@register.filter
def seen(text: Any) -> str:
    """Text with control and direction marks as JSON writes them, as \\u202e, so that they do nothing and are seen."""
    return _UNSEEN.sub(lambda mark: f"\\u{ord(mark[0]):04x}", str(text))


@register.filter
def pretty_json(value: Any) -> str:
    """A JSON value indented by two, in the order of its keys."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.simple_tag
def centro_version() -> str:
    """The installed version, or nothing where it is not known."""
    return str(getattr(settings, "CENTRO_VERSION", ""))


@register.simple_tag
def freshness(run: Run, now: datetime) -> str:
    """A class name: "is-stale" for an open run that nothing has confirmed for over three polls."""
    if RunState(run.state).is_terminal or run.state == RunState.QUEUED:
        return ""
    at, _source = last_confirmation(run)
    allowed = max(30, 3 * run.system.poll_interval)
    return "is-stale" if at is None or (now - at).total_seconds() > allowed else ""


@register.simple_tag
def confirmed(run: Run) -> SafeString:
    """The age of the last confirmation of an open run; nothing for a run that has ended."""
    at, _source = last_confirmation(run)
    return moment_html(at, "ago") if at else SafeString("")


@register.simple_tag
def why(run: Run) -> str:
    """Why the run waits, or how it ended and in which words of the system."""
    sentence = explain(run)
    more = run.reason_text if run.state == RunState.FAILED else ""
    return f"{sentence} {more}" if more and more not in sentence else sentence


@register.simple_tag
def curl_login() -> str:
    """How an example begins that calls curl as the person who reads it."""
    return curl.LOGIN
