"""Pipelines and their versions, as far as the viewer's labs may run them."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponseBase
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse

from accounts.policy import is_administrator
from pipeline_management.curl import posting
from pipeline_management.models import PipelineVersion, Run
from pipeline_management.policy import may_submit
from pipeline_management.querysets import visible_versions
from pipeline_management.schema_outline import outline
from pipeline_management.services.catalogue import overview
from pipeline_management.services.catalogue.markdown import rendered
from pipeline_management.views.access import PageRequest, page

_TEXTS = ("schema", "script", "example", "documentation", "rules", "engine_options")
_MOST_RUNS = 5
_LOOKED_AT = 300
"""Of the newest runs of a version, so many are looked through for those that the viewer sees."""


def offered_versions(request: PageRequest) -> QuerySet[PipelineVersion]:
    """What the catalogue shows: what the viewer may run; to administrators the hidden ones as well."""
    if is_administrator(request.user):
        return PipelineVersion.objects.select_related("pipeline")
    return visible_versions(request.user)


@page()
def pipeline_list(request: PageRequest) -> HttpResponseBase:
    """Every pipeline with its versions, newest first; ``?q=`` looks in names, titles and descriptions."""
    versions = offered_versions(request)
    wanted = request.GET.get("q", "").strip()[:200]
    for word in wanted.split()[:10]:
        versions = versions.filter(
            Q(pipeline__name__icontains=word)
            | Q(pipeline__title__icontains=word)
            | Q(pipeline__description__icontains=word)
        )
    ordered = (
        versions.defer(*_TEXTS)
        .prefetch_related("systems", "labs")
        .order_by("pipeline__name", "-sort_key")
    )
    known = overview.records(request.user)
    rows = []
    for pipeline, some in groupby(ordered, lambda row: row.pipeline):
        of_pipeline = list(some)
        rows.append(
            {
                "pipeline": pipeline,
                "count": len(of_pipeline),
                "latest": _latest(of_pipeline),
                "development": next((v for v in of_pipeline if v.is_development), None),
                "record": known.get(pipeline.pk),
            }
        )
    context = {
        "rows": rows,
        "wanted": wanted,
        "days": overview.DAYS,
        "may_submit": may_submit(request.user),
        "may_publish": is_administrator(request.user),
    }
    return render(request, "pipelines/list.html", context)


@page()
def detail(request: PageRequest, name: str) -> HttpResponseBase:
    """One pipeline; ``?version=`` chooses among those that the viewer may run, the latest by default."""
    versions = list(
        offered_versions(request)
        .filter(pipeline__name=name)
        .defer(*_TEXTS)
        .order_by("-sort_key", "-pk")
    )
    if not versions:
        raise Http404
    latest = _latest(versions)
    development = next((version for version in versions if version.is_development), None)
    wanted = request.GET.get("version")
    chosen = _chosen(versions, latest, development, wanted)
    chosen.refresh_from_db(fields=list(_TEXTS))
    administrator = is_administrator(request.user)
    context = {
        "pipeline": chosen.pipeline,
        "version": chosen,
        "versions": versions,
        "latest": latest,
        "development": development,
        "rows": outline(chosen.schema),
        "documentation": rendered(chosen.documentation) if chosen.documentation else "",
        "schema_text": _json(chosen.schema),
        "rules_text": _json(chosen.rules) if chosen.rules else "",
        "example_text": _json(chosen.example),
        "systems": [link.system for link in chosen.pipeline_systems.select_related("system")],
        "labs": list(chosen.labs.all()),
        "recent": _recent(request, chosen),
        "record": overview.records(request.user).get(chosen.pipeline_id),
        "days": overview.DAYS,
        "curl": _curl(request),
        "workbook": _workbook(chosen),
        "may_submit": may_submit(request.user) and not chosen.is_hidden,
        "may_publish": administrator,
    }
    return render(request, "pipelines/detail.html", context)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _recent(request: PageRequest, version: PipelineVersion) -> list[Run]:
    """The newest runs of the version among those that the viewer sees; bounded, however many there are."""
    newest = Run.objects.filter(version=version).order_by("-created_at")
    ids = list(newest.values_list("pk", flat=True)[:_LOOKED_AT])
    seen = Run.objects.visible_to(request.user).filter(pk__in=ids).for_lists()
    return list(seen.order_by("-created_at")[:_MOST_RUNS])


def _curl(request: PageRequest) -> str:
    """The line that submits a configuration in a file."""
    address = request.build_absolute_uri(reverse("api-new-run"))
    return posting(address, "@config.json")


def _workbook(version: PipelineVersion) -> str:
    """Where the version's workbook is fetched; "" where this Centro makes none."""
    try:
        address = reverse("pipeline-workbook", args=[version.pipeline.name])
    except NoReverseMatch:
        return ""
    return f"{address}?version={version.version}"


def _latest(versions: list[PipelineVersion]) -> PipelineVersion:
    """The pinned version, else the newest that is neither hidden nor for development, else the newest."""
    released = [v for v in versions if not v.is_development and not v.is_hidden]
    pinned = next((version for version in released if version.is_pinned), None)
    return pinned or (released[0] if released else versions[0])


def _chosen(
    versions: list[PipelineVersion],
    latest: PipelineVersion,
    development: PipelineVersion | None,
    wanted: str | None,
) -> PipelineVersion:
    if not wanted or wanted == "latest":
        return latest
    if wanted == "development" and development is not None:
        return development
    for version in versions:
        if version.version == wanted:
            return version
    raise Http404
