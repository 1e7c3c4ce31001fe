"""Stars, labels, notes and causes of runs, for templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.contrib.auth.models import User

from pipeline_management.models import Run
from pipeline_management.policy import may_annotate
from pipeline_management.services import marks
from pipeline_management.services.causes import label_of

register = template.Library()


def annotation_context(run: Run, user: User) -> dict[str, Any]:
    """What ``runs/annotations.html`` shows: labels, notes, the person's star, and what he may change."""
    allowed = may_annotate(user, run)
    return {
        "run": run,
        "user": user,
        "labels": [label.name for label in run.labels.all()],
        "notes": list(run.notes.select_related("author")),
        "starred": run.pk in marks.starred(user, [run.pk]),
        "may_annotate": allowed,
        "label_choices": marks.label_cloud(user) if allowed else [],
    }


@register.inclusion_tag("runs/annotations.html", takes_context=True)
def annotations_of(context: dict[str, Any], run: Run) -> dict[str, Any]:
    """The panel of a run's labels, star and notes: ``{% annotations_of run %}``."""
    made = annotation_context(run, context["user"])
    return {**made, "csrf_token": context.get("csrf_token"), "request": context.get("request")}


@register.filter
def cause_label(cause: str) -> str:
    """The class of a failure in words."""
    return label_of(cause)
