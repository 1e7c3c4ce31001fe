"""The index, the description, and the pages that explain the API."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from api.exceptions import single
from api.v1.views.base import ApiView
from pipeline_management.querysets import visible_versions


class IndexView(ApiView):
    """Where everything is."""

    @extend_schema(
        operation_id="index", summary="Where everything is", responses=OpenApiTypes.OBJECT
    )
    def get(self, request: Request) -> Response:
        names = {
            "new_run": "api-new-run",
            "validate": "api-validate",
            "runs": "api-runs",
            "pipelines": "api-pipelines",
            "systems": "api-systems",
            "transfers": "api-transfers",
            "whoami": "api-whoami",
            "tokens": "api-tokens",
            "schema": "api-schema",
            "docs": "api-docs",
        }
        return Response({key: reverse(name, request=request) for key, name in names.items()})


class NothingHereView(ApiView):
    """Every other address below /api/v1/: 404 as JSON, or on to the address with its last slash."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.perform_authentication(request)
        self.check_permissions(request)

    def any_method(self, request: Request) -> HttpResponse:
        """The answer."""
        with_slash = f"{request.path}/"
        if request.path.endswith("/") or not _exists(with_slash):
            return single(404, "not_found", "There is no such address; /api/v1/ lists them.")
        if request.method in ("GET", "HEAD"):
            query = request.META.get("QUERY_STRING")
            return HttpResponsePermanentRedirect(f"{with_slash}?{query}" if query else with_slash)
        return single(404, "not_found", f"The address ends with a slash: {with_slash}")

    get = head = post = put = patch = delete = any_method
    options = any_method  # type: ignore[assignment]  # not the framework's Response


def _exists(path: str) -> bool:
    try:
        return resolve(path).url_name != "api-nothing"
    except Resolver404:
        return False


# The description is the same for everybody, but nothing below /api/v1/ is shown without log-in.
schema_view = SpectacularAPIView.as_view(permission_classes=[IsAuthenticated])
reference_view = login_required(
    SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="api/reference.html")
)


@require_safe
@login_required
@never_cache
def docs_view(request: HttpRequest) -> HttpResponse:
    """The API explained for people, with curl lines that work as they are on this site."""
    with_example = visible_versions(request.user).order_by("pipeline__name", "-sort_key")[:50]
    version = next((v for v in with_example if v.example and not v.is_development), None)
    example: dict[str, Any] = {"pipeline": "hello", "name": "world"}
    if version is not None:
        example = {"pipeline": f"{version.pipeline.name}@{version.version}"} | {
            key: value for key, value in version.example.items() if key != "pipeline"
        }
    context = {
        "base": request.build_absolute_uri("/").rstrip("/"),
        "host": request.get_host().partition(":")[0],
        "example": json.dumps(example, indent=2, ensure_ascii=False),
    }
    return render(request, "api/docs.html", context)
