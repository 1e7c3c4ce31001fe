"""Reading runs, their events and logs; cancelling."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.v1 import filters, pagination
from api.v1.serializers import (
    ErrorSerializer,
    LogSerializer,
    RunDetailSerializer,
    RunPageSerializer,
    RunSerializer,
)
from api.v1.views.base import ApiView
from pipeline_management.choices import RunSource, RunState
from pipeline_management.models import Run
from pipeline_management.services import cancellation, logs

MISSING = {404: OpenApiResponse(ErrorSerializer, "Unknown, or not yours to see.")}


def _text(name: str, description: str = "") -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description)


class RunListView(ApiView):
    """The runs that the person may see."""

    parameters = {"GET": filters.PARAMETERS | pagination.PARAMETERS}

    @extend_schema(
        operation_id="list_runs",
        summary="List runs",
        description="Newest first. All filters are optional and narrow together.",
        parameters=[
            OpenApiParameter(
                "state",
                OpenApiTypes.STR,
                enum=RunState.values,
                many=True,
                description="Several: repeat it.",
            ),
            _text("pipeline", "Pipeline name."),
            _text("version", "Pipeline version."),
            _text("system", "System name."),
            _text("lab", "The lab's short name."),
            _text("submitter", "User name."),
            OpenApiParameter("source", OpenApiTypes.STR, enum=RunSource.values),
            OpenApiParameter("created_after", OpenApiTypes.DATETIME, description="Inclusive."),
            OpenApiParameter("created_before", OpenApiTypes.DATETIME, description="Exclusive."),
            _text("text", "Part of the name or reason; a whole job id or run id."),
            _text("cursor", "From the `next` address of the page before."),
            OpenApiParameter(
                "page_size", OpenApiTypes.INT, description="1 to 500, 50 if not given."
            ),
        ],
        responses={200: RunPageSerializer, 400: ErrorSerializer},
    )
    def get(self, request: Request) -> Response:
        visible = Run.objects.visible_to(self.person)
        rows, following = pagination.page_of(filters.narrow(visible, self.query), request)
        results = RunSerializer(rows, many=True, context={"request": request}).data
        return Response({"next": following, "results": results})


class RunView(ApiView):
    """One run."""

    @extend_schema(
        operation_id="get_run",
        summary="Show a run",
        responses={200: RunDetailSerializer, **MISSING},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        return Response(RunDetailSerializer(self.run(run_id), context={"request": request}).data)


class RunCancelView(ApiView):
    """Cancelling a run."""

    @extend_schema(
        operation_id="cancel_run",
        summary="Cancel a run",
        description="Asking again changes nothing. The state follows once the system has confirmed it.",
        request=None,
        responses={
            202: OpenApiResponse(RunDetailSerializer, "Wanted; watch `state`."),
            200: OpenApiResponse(RunDetailSerializer, "The run was over already."),
            403: OpenApiResponse(
                ErrorSerializer, "Only its submitter, managers and administrators may."
            ),
            **MISSING,
        },
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        run = self.run(run_id)
        was_over = RunState(run.state).is_terminal
        cancellation.request_cancel(run=run, user=self.person, address=self.address)
        data = RunDetailSerializer(self.run(run_id), context={"request": request}).data
        return Response(data, status=200 if was_over else 202)


class PlainText(BaseRenderer):
    """Stands for text/plain in the negotiation; the view writes the answer itself."""

    media_type = "text/plain"
    format = "text"

    def render(self, data: Any, *_: Any) -> bytes:
        return bytes(data)


class ByFormat(BaseContentNegotiation):
    """``?format=json`` or ``text`` wins over the Accept header. A bad value is the view's to refuse."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        wanted = request.query_params.get("format")
        for renderer in renderers:
            if renderer.format == wanted:
                return renderer, renderer.media_type
        return DefaultContentNegotiation().select_renderer(request, renderers, format_suffix)

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return DefaultContentNegotiation().select_parser(request, parsers)


class RunLogView(ApiView):
    """A run's output."""

    parameters = {"GET": frozenset({"stream", "offset", "limit", "format"})}
    renderer_classes = [PlainText, JSONRenderer]
    content_negotiation_class = ByFormat

    @extend_schema(
        operation_id="read_run_log",
        summary="Read a run's output",
        description=(
            "As bytes (text/plain) with the offsets in `X-Centro-…` headers, or as JSON. Continue with "
            "`offset` = the last `next_offset`. A system that is down is no error: what was kept is "
            "given, and the note says why."
        ),
        parameters=[
            OpenApiParameter("stream", OpenApiTypes.STR, enum=logs.STREAMS, default="stdout"),
            OpenApiParameter(
                "offset", OpenApiTypes.INT64, description="Byte; negative or missing: from the end."
            ),
            OpenApiParameter(
                "limit", OpenApiTypes.INT, description="Bytes, 1 to 1048576, 65536 if not given."
            ),
            OpenApiParameter("format", OpenApiTypes.STR, enum=["text", "json"]),
        ],
        responses={
            (200, "text/plain"): OpenApiTypes.BINARY,
            (200, "application/json"): LogSerializer,
            **{(status, "application/json"): ErrorSerializer for status in (400, 404)},
        },
    )
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponse:
        stream = self.query.choice("stream", logs.STREAMS) or "stdout"
        offset = self.query.integer("offset", -(2**53), 2**53)
        limit = self.query.integer("limit", 1, logs.MAX_LIMIT) or 65536
        self.query.choice("format", ("text", "json"))
        piece = logs.read_log(run=self.run(run_id), stream=stream, offset=offset, limit=limit)
        if request.accepted_renderer.format == "json":
            fields = {
                "stream": stream,
                "text": piece.data.decode("utf-8", "replace"),
                "offset": piece.offset,
                "next_offset": piece.next_offset,
                "size": piece.size,
                "complete": piece.complete,
                "source": piece.source,
                "at": piece.at,
                "note": piece.note,
            }
            return Response(LogSerializer(fields).data, headers={"Cache-Control": "no-store"})
        return HttpResponse(
            piece.data,
            content_type="text/plain; charset=utf-8",
            headers={
                "X-Centro-Offset": str(piece.offset),
                "X-Centro-Next-Offset": str(piece.next_offset),
                "X-Centro-Size": str(piece.size),
                "X-Centro-Complete": "true" if piece.complete else "false",
                "X-Centro-Source": piece.source,
                "Cache-Control": "no-store",
                # Output is anybody's text: never a page of this site.
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "X-Content-Type-Options": "nosniff",
            },
        )
