"""The OpenAPI document of the FirecREST API, and keeping it apart from that of Centro's own."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from django.urls import URLPattern
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

MOUNT = "/firecrest/v1"
Endpoint = tuple[str, str, str, Any]

_lock = threading.Lock()
_document: dict[str, Any] = {}


class PlainSchema(AutoSchema):
    """An operation is described by its ``extend_schema`` alone, not by what its class inherits."""

    def get_description(self) -> str:  # type: ignore[override]  # as in drf-spectacular
        """Nothing, unless the view's method says it."""
        return ""


def document(patterns: Iterable[URLPattern]) -> dict[str, Any]:
    """The document for these endpoints, made once per process: it is the same for everybody."""
    with _lock:
        if not _document:
            made = SchemaGenerator(patterns=list(patterns)).get_schema(request=None, public=True)
            made["info"] = {
                "title": "FirecREST v1 by Centro",
                "version": "1.16.6",
                "description": "Files, jobs and tasks on your systems, for clients of FirecREST v1.",
            }
            made["servers"] = [{"url": MOUNT}]
            _document.update(made)
        return _document


def without_firecrest(endpoints: list[Endpoint], **options: Any) -> list[Endpoint]:
    """Hook of drf-spectacular: what remains for the document of /api/v1/."""
    return [endpoint for endpoint in endpoints if not endpoint[0].startswith("/firecrest/")]
