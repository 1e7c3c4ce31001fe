"""A run's output: read, searched, numbered, downloaded."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.exceptions import BadParameter, single
from api.v1.log_serializers import LogPlaceSerializer, LogSearchSerializer, LogSerializer
from api.v1.parameters import Parameters
from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from pipeline_management.services import log_download, log_lines, log_search, logs
from pipeline_management.services.logs import LogSlice

FARTHEST = 2**53
STREAM = OpenApiParameter(
    "stream",
    OpenApiTypes.STR,
    default="stdout",
    description="stdout, stderr, scheduler, runner (where the engine has a log of its own), or `task:` and the "
    "number of a task.",
)
# Output is anybody's text: never a page of this site.
HARMLESS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
ERRORS = {(status, "application/json"): ErrorSerializer for status in (400, 404)}
NOT_READABLE = {
    400: ErrorSerializer,
    404: OpenApiResponse(
        ErrorSerializer, "Unknown, not yours to see, or no such file on the system."
    ),
    503: OpenApiResponse(ErrorSerializer, "The system does not answer."),
}


def stream_of(query: Parameters) -> str:
    """The parameter ``stream``; raises ``BadParameter``."""
    stream = query.text("stream", 40) or "stdout"
    if not logs.is_stream(stream):
        names = ", ".join(logs.NAMES)
        text = f"“stream” is “{stream}”; expected one of {names}, or task: and a number."
        raise BadParameter("stream", text)
    return stream


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

    parameters = {"GET": frozenset({"stream", "offset", "before", "limit", "lines", "format"})}
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
            STREAM,
            OpenApiParameter(
                "offset", OpenApiTypes.INT64, description="Byte; negative or missing: from the end."
            ),
            OpenApiParameter(
                "limit", OpenApiTypes.INT, description="Bytes, 1 to 1048576, 65536 if not given."
            ),
            OpenApiParameter(
                "before",
                OpenApiTypes.INT64,
                description="The bytes that end here, instead of `offset`.",
            ),
            OpenApiParameter(
                "lines",
                OpenApiTypes.STR,
                enum=["end", "whole"],
                description="Whole lines: end with one, or begin with one, too. Only a line longer than "
                "`limit` is then cut, between characters.",
            ),
            OpenApiParameter("format", OpenApiTypes.STR, enum=["text", "json"]),
        ],
        responses={
            (200, "text/plain"): OpenApiTypes.BINARY,
            (200, "application/json"): LogSerializer,
            **ERRORS,
        },
    )
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponse:
        stream = stream_of(self.query)
        offset = self.query.integer("offset", -FARTHEST, FARTHEST)
        before = self.query.integer("before", 0, FARTHEST)
        if offset is not None and before is not None:
            raise BadParameter("before", "“before” and “offset” are given; give one of them.")
        limit = self.query.integer("limit", 1, logs.MAX_LIMIT) or 65536
        lines = self.query.choice("lines", ("end", "whole")) or ""
        self.query.choice("format", ("text", "json"))
        piece = logs.read_log(
            run=self.run(run_id),
            stream=stream,
            offset=offset,
            limit=limit,
            before=before,
            lines=lines,  # type: ignore[arg-type]  # one of the words of Lines, checked above
        )
        if request.accepted_renderer.format == "json":
            return Response(_described(stream, piece), headers={"Cache-Control": "no-store"})
        return HttpResponse(
            piece.data,
            content_type="text/plain; charset=utf-8",
            headers={
                "X-Centro-Offset": str(piece.offset),
                "X-Centro-Next-Offset": str(piece.next_offset),
                "X-Centro-Size": str(piece.size),
                "X-Centro-Complete": "true" if piece.complete else "false",
                "X-Centro-Source": piece.source,
                "X-Centro-Starts-Line": "true" if piece.starts_line else "false",
                "X-Centro-At": piece.at.isoformat(),
                "X-Centro-Note": quote(piece.note, safe=" "),
                "Cache-Control": "no-store",
                **HARMLESS,
            },
        )


def _described(stream: str, piece: LogSlice) -> dict[str, Any]:
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
        "starts_line": piece.starts_line,
    }
    return dict(LogSerializer(fields).data)


class RunLogSearchView(ApiView):
    """Text in a run's output."""

    parameters = {
        "GET": frozenset({"stream", "pattern", "regex", "ignore_case", "errors", "start", "limit"})
    }

    @extend_schema(
        operation_id="search_run_log",
        summary="Search a run's output",
        description=(
            "Lines that contain `pattern`, or with `errors` those that look like an error. One request "
            "searches 64 MiB at most, however large the file is: go on with `start` = `next_offset` until "
            "`complete`."
        ),
        parameters=[
            STREAM,
            OpenApiParameter("pattern", OpenApiTypes.STR, description="1 to 200 characters."),
            OpenApiParameter(
                "regex",
                OpenApiTypes.BOOL,
                description="The pattern is a POSIX extended regular expression.",
            ),
            OpenApiParameter("ignore_case", OpenApiTypes.BOOL, description="For ASCII letters."),
            OpenApiParameter(
                "errors",
                OpenApiTypes.BOOL,
                description="Instead of `pattern`: the site's patterns.",
            ),
            OpenApiParameter(
                "start",
                OpenApiTypes.INT64,
                description="Byte at which a line begins; 0 if not given.",
            ),
            OpenApiParameter(
                "limit", OpenApiTypes.INT, description="Matches, 1 to 1000, 200 if not given."
            ),
        ],
        responses={200: LogSearchSerializer, **NOT_READABLE},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        run, query = self.run(run_id), self.query
        stream = stream_of(query)
        start = query.integer("start", 0, FARTHEST) or 0
        most = query.integer("limit", 1, log_search.MOST) or 200
        pattern = query.text("pattern", log_search.LONGEST_PATTERN)
        regex, ignore_case = query.flag("regex"), query.flag("ignore_case")
        errors = query.flag("errors")
        if errors == (pattern is not None):
            raise BadParameter("pattern", "Give either “pattern” or “errors=1”.")
        if pattern is None:
            found = log_search.errors(run, stream, start=start, most=most)
        else:
            found = log_search.search(
                run,
                stream,
                pattern,
                start=start,
                regex=regex,
                ignore_case=ignore_case,
                most=most,
            )
        return Response(LogSearchSerializer(found).data, headers={"Cache-Control": "no-store"})


class RunLogLinesView(ApiView):
    """Line numbers of a run's output."""

    parameters = {"GET": frozenset({"stream", "line", "offset"})}

    @extend_schema(
        operation_id="find_run_log_line",
        summary="Find a line of a run's output",
        description=(
            "Where a line begins, or in which line a byte stands. One request counts 64 MiB at most and "
            "the next goes on from there: repeat it until `complete`."
        ),
        parameters=[
            STREAM,
            OpenApiParameter("line", OpenApiTypes.INT64, description="A line, counted from 1."),
            OpenApiParameter("offset", OpenApiTypes.INT64, description="A byte, counted from 0."),
        ],
        responses={200: LogPlaceSerializer, **NOT_READABLE},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        run, stream = self.run(run_id), stream_of(self.query)
        line = self.query.integer("line", 1, FARTHEST)
        offset = self.query.integer("offset", 0, FARTHEST)
        if (line is None) == (offset is None):
            raise BadParameter("line", "Give either “line” or “offset”.")
        if line is not None:
            place = log_lines.place_of(run, stream, line)
        else:
            place = log_lines.line_at(run, stream, offset or 0)
        return Response(LogPlaceSerializer(place).data, headers={"Cache-Control": "no-store"})


class RunLogDownloadView(ApiView):
    """A run's output as a file."""

    parameters = {"GET": frozenset({"stream"})}
    renderer_classes = [PlainText, JSONRenderer]
    content_negotiation_class = ByFormat

    @extend_schema(
        operation_id="download_run_log",
        summary="Download a run's output",
        description="The whole file as it is on the system now; a `Range` header asks for a part.",
        parameters=[STREAM],
        responses={
            (200, "text/plain"): OpenApiTypes.BINARY,
            (206, "text/plain"): OpenApiTypes.BINARY,
            **ERRORS,
            (416, "application/json"): ErrorSerializer,
            (503, "application/json"): ErrorSerializer,
        },
    )
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponseBase:
        run = self.run(run_id)
        file = log_download.log_file(run, stream_of(self.query))
        try:
            part = log_download.part_of(request.headers.get("Range", ""), file.size)
        except ValueError:
            text = f"The range is not within the {file.size} bytes of the file."
            size = {"Content-Range": f"bytes */{file.size}"}
            return single(416, "bad_range", text, parameter="Range", headers=size)
        start, stop = part or (0, file.size)
        answer = StreamingHttpResponse(
            log_download.pieces(run, file, start, stop),
            status=206 if part else 200,
            content_type="text/plain; charset=utf-8",
            headers={
                "Content-Length": str(stop - start),
                "Accept-Ranges": "bytes",
                "Content-Disposition": content_disposition_header(True, file.name) or "attachment",
                "Cache-Control": "no-store",
                **HARMLESS,
            },
        )
        if part:
            answer["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
        return answer
