"""Pipelines and their versions, as far as the viewer's labs may run them."""

from __future__ import annotations

import json
from itertools import groupby

from django.http import Http404, HttpResponseBase
from django.shortcuts import render

from pipeline_management.models import PipelineVersion
from pipeline_management.policy import may_submit
from pipeline_management.querysets import visible_versions
from pipeline_management.schema_outline import outline
from pipeline_management.views.access import PageRequest, page

_TEXTS = ("schema", "script", "example")


@page()
def pipeline_list(request: PageRequest) -> HttpResponseBase:
    """Every pipeline with its versions, newest first."""
    versions = (
        visible_versions(request.user)
        .defer(*_TEXTS)
        .prefetch_related("systems")
        .order_by("pipeline__name", "-sort_key")
    )
    groups = [(pipeline, list(rows)) for pipeline, rows in groupby(versions, lambda row: row.pipeline)]
    rows = [(pipeline, of_pipeline, _latest(of_pipeline)) for pipeline, of_pipeline in groups]
    return render(
        request, "pipelines/list.html", {"rows": rows, "may_submit": may_submit(request.user)}
    )


@page()
def detail(request: PageRequest, name: str) -> HttpResponseBase:
    """One pipeline; ``?version=`` chooses among those that the viewer may run, the latest by default."""
    versions = list(
        visible_versions(request.user).filter(pipeline__name=name).order_by("-sort_key")
    )
    if not versions:
        raise Http404
    wanted = request.GET.get("version")
    chosen = _latest(versions) if not wanted else _named(versions, wanted)
    context = {
        "pipeline": chosen.pipeline,
        "version": chosen,
        "versions": versions,
        "latest": _latest(versions),
        "rows": outline(chosen.schema),
        "schema_text": json.dumps(chosen.schema, indent=2, ensure_ascii=False),
        "example_text": json.dumps(chosen.example, indent=2, ensure_ascii=False),
        "systems": [link.system for link in chosen.pipeline_systems.select_related("system")],
        "labs": list(chosen.labs.all()),
        "may_submit": may_submit(request.user),
    }
    return render(request, "pipelines/detail.html", context)


def _latest(versions: list[PipelineVersion]) -> PipelineVersion:
    """The newest version that is not for development, else the newest."""
    return next((version for version in versions if not version.is_development), versions[0])


def _named(versions: list[PipelineVersion], wanted: str) -> PipelineVersion:
    for version in versions:
        if version.version == wanted:
            return version
    raise Http404
