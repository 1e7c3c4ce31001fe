"""The filters of the run list; the names are those of the page's filter."""

from __future__ import annotations

import uuid
from contextlib import suppress

from django.db.models import Q, QuerySet

from api.v1.parameters import Parameters
from pipeline_management.choices import RunSource, RunState
from pipeline_management.models import Run

PARAMETERS = frozenset(
    {
        "state", "pipeline", "version", "system", "lab", "submitter",
        "source", "created_after", "created_before", "text",
    }
)  # fmt: skip
_EXACT = {
    "pipeline": "version__pipeline__name",
    "version": "version__version",
    "system": "system__name",
    "lab": "lab__slug",
    "submitter": "submitter__username",
}


def narrow(runs: QuerySet[Run], parameters: Parameters) -> QuerySet[Run]:
    """Only the runs that all given filters leave. A name that nothing has gives an empty list.

    Raises ``BadParameter`` for a malformed value.
    """
    if states := parameters.several("state", RunState.values):
        runs = runs.filter(state__in=states)
    for name, field in _EXACT.items():
        value = parameters.text(name, 150)
        if value is not None:
            runs = runs.filter(**{field: value})
    if source := parameters.choice("source", RunSource.values):
        runs = runs.filter(source=source)
    if after := parameters.moment("created_after"):
        runs = runs.filter(created_at__gte=after)
    if before := parameters.moment("created_before"):
        runs = runs.filter(created_at__lt=before)
    text = parameters.text("text", 200)
    return runs if text is None else runs.filter(_mentions(text))


def _mentions(text: str) -> Q:
    """Part of the name or of a reason; a whole job id or run id."""
    found = (
        Q(name__icontains=text)
        | Q(reason_text__icontains=text)
        | Q(attention_text__icontains=text)
        | Q(job_id=text)
    )
    with suppress(ValueError):
        found |= Q(pk=uuid.UUID(text))
    return found
