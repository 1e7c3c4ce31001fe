"""Reading pipelines and systems."""

from __future__ import annotations

from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.policy import Viewer
from api.v1.catalogue import (
    PipelineListSerializer,
    PipelineSerializer,
    SystemListSerializer,
    SystemSerializer,
    VersionSerializer,
)
from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from pipeline_management.models import Pipeline, PipelineVersion, System, SystemAccount
from pipeline_management.models.pipeline import ALIASES
from pipeline_management.querysets import visible_versions

MISSING = {404: OpenApiResponse(ErrorSerializer, "Unknown, or not for your labs.")}


def _pipelines(user: Viewer) -> QuerySet[Pipeline]:
    versions = visible_versions(user).defer("schema", "script", "example", "resources")
    shown = Prefetch("versions", queryset=versions.order_by("-sort_key"), to_attr="shown_versions")
    return Pipeline.objects.visible_to(user).prefetch_related(shown)


class PipelineListView(ApiView):
    """The pipelines that the person's labs may run."""

    @extend_schema(
        operation_id="list_pipelines", summary="List pipelines", responses=PipelineListSerializer
    )
    def get(self, request: Request) -> Response:
        rows = PipelineSerializer(_pipelines(request.user), many=True, context={"request": request})
        return Response({"results": rows.data})


class PipelineView(ApiView):
    """One pipeline."""

    @extend_schema(
        operation_id="get_pipeline",
        summary="Show a pipeline",
        responses={200: PipelineSerializer, **MISSING},
    )
    def get(self, request: Request, name: str) -> Response:
        pipeline = _pipelines(request.user).filter(name=name).first()
        if pipeline is None:
            raise Http404
        return Response(PipelineSerializer(pipeline, context={"request": request}).data)


def version_of(user: Viewer, name: str, version: str) -> PipelineVersion:
    """The version by its own name or by an alias. ``Http404`` for what the person may not run."""
    versions = visible_versions(user).filter(pipeline__name=name).order_by("-sort_key")
    if version in ALIASES:
        versions = versions.filter(is_development=version == "development")
        versions = versions.order_by("-is_pinned", "-sort_key")
    else:
        versions = versions.filter(version=version)
    found = versions.prefetch_related("pipeline_systems__system").first()
    if found is None:
        raise Http404
    return found


class PipelineVersionView(ApiView):
    """One version of a pipeline."""

    @extend_schema(
        operation_id="get_pipeline_version",
        summary="Show a version",
        description="`version` may also be `latest` or `development`.",
        responses={200: VersionSerializer, **MISSING},
    )
    def get(self, request: Request, name: str, version: str) -> Response:
        found = version_of(request.user, name, version)
        return Response(VersionSerializer(found, context={"request": request}).data)


class PipelineSchemaView(ApiView):
    """The JSON Schema of a version's configuration."""

    @extend_schema(
        operation_id="get_pipeline_schema",
        summary="The configuration's JSON Schema",
        responses={200: OpenApiTypes.OBJECT, **MISSING},
    )
    def get(self, request: Request, name: str, version: str) -> Response:
        return Response(version_of(request.user, name, version).schema)


def _systems(user: Viewer) -> QuerySet[System]:
    accounts = SystemAccount.objects.filter(Q(user=user) | Q(user=None)).order_by("username")
    shown = Prefetch("accounts", queryset=accounts, to_attr="shown_accounts")
    return System.objects.visible_to(user).prefetch_related(shown)


class SystemListView(ApiView):
    """The systems on which the person's runs may be."""

    @extend_schema(
        operation_id="list_systems", summary="List systems", responses=SystemListSerializer
    )
    def get(self, request: Request) -> Response:
        rows = SystemSerializer(_systems(request.user), many=True, context={"request": request})
        return Response({"results": rows.data})


class SystemView(ApiView):
    """One system."""

    @extend_schema(
        operation_id="get_system",
        summary="Show a system",
        responses={200: SystemSerializer, **MISSING},
    )
    def get(self, request: Request, name: str) -> Response:
        system = _systems(request.user).filter(name=name).first()
        if system is None:
            raise Http404
        return Response(SystemSerializer(system, context={"request": request}).data)
