"""The filters of the run list; the names are those of the page's filter, and ``q`` is the same search."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import Model

from accounts.models import Lab
from accounts.policy import Viewer
from api.exceptions import BadParameter
from api.v1.parameters import Parameters
from pipeline_management.choices import RunSource, RunState
from pipeline_management.models import PipelineVersion, System
from pipeline_management.querysets import RunQuerySet
from pipeline_management.search import SearchError, apply, parse

PARAMETERS = frozenset(
    {
        "state", "pipeline", "version", "system", "lab", "submitter",
        "source", "created_after", "created_before", "text", "q",
    }
)  # fmt: skip
_BY_NAME: dict[str, tuple[type[Model], str]] = {
    "system": (System, "name"),
    "lab": (Lab, "slug"),
    "submitter": (User, "username"),
}


def narrow(runs: RunQuerySet, parameters: Parameters, viewer: Viewer) -> RunQuerySet:
    """Only the runs that all given filters leave. A name that nothing has gives an empty list. ``viewer`` is who
    "me" and "mine" of a search refer to.

    Names are looked up first, each by one small query: joined, they keep MariaDB from the index. Raises
    ``BadParameter`` for a malformed value.
    """
    if states := parameters.several("state", RunState.values):
        runs = runs.filter(state__in=states)
    runs = _of_versions(runs, parameters.text("pipeline", 150), parameters.text("version", 150))
    for name, (model, field) in _BY_NAME.items():
        value = parameters.text(name, 150)
        if value is not None:
            keys = model._default_manager.filter(**{field: value}).values_list("pk", flat=True)
            runs = runs.filter(**{f"{name}_id__in": list(keys)})
    if source := parameters.choice("source", RunSource.values):
        runs = runs.filter(source=source)
    if after := parameters.moment("created_after"):
        runs = runs.filter(created_at__gte=after)
    if before := parameters.moment("created_before"):
        runs = runs.filter(created_at__lt=before)
    text = parameters.text("text", 200)
    if text is not None:
        runs = runs.mentioning(text)
    return _searched(runs, parameters.whole("q"), viewer)


def _searched(runs: RunQuerySet, text: str | None, viewer: Viewer) -> RunQuerySet:
    if text is None:
        return runs
    try:
        query = parse(text)
    except SearchError as error:
        raise BadParameter("q", f"“q”: {error}", column=error.at + 1) from None
    if not query:
        # A wish for many runs that is narrowed by nothing would be one for all of them.
        message = "“q” is empty; expected words, or key:value such as state:failed."
        raise BadParameter("q", message)
    return apply(runs, query, viewer)


def _of_versions(runs: RunQuerySet, pipeline: str | None, version: str | None) -> RunQuerySet:
    if pipeline is None and version is None:
        return runs
    versions = PipelineVersion.objects.all()
    if pipeline is not None:
        versions = versions.filter(pipeline__name=pipeline)
    if version is not None:
        versions = versions.filter(version=version)
    return runs.filter(version_id__in=list(versions.values_list("pk", flat=True)))
