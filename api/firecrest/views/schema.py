"""``/schema/``: the OpenAPI document of this API."""

from __future__ import annotations

from django.http import HttpResponseBase, JsonResponse
from rest_framework.request import Request

from api.firecrest.base import FirecrestView
from api.firecrest.description import document
from api.firecrest.routing import route


class SchemaView(FirecrestView):
    schema = None

    def get(self, request: Request) -> HttpResponseBase:
        from api.firecrest.urls import described  # which lists this view's pattern

        return JsonResponse(document(described))


urlpatterns = [route("schema", SchemaView, "firecrest-schema")]
