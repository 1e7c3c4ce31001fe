"""The local staging area by HTTP: what its signed links and forms lead to.

No session and no log-in: the signature is the authority. Answers have the statuses of S3, errors its XML.
Bodies go from the socket to the file and back in pieces, so memory stays flat whatever the size.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from urllib.parse import quote
from xml.sax.saxutils import escape

from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from pipeline_management.services.transfers import arrivals
from pipeline_management.services.transfers.area import local_area
from pipeline_management.views.form_stream import CHUNK, BadForm, FormStream, boundary_of, pieces
from staging.base import ObjectInfo, Sink
from staging.errors import (
    Incomplete,
    LinkRefused,
    ObjectMissing,
    StagingError,
    StoreFull,
    TooLarge,
)
from staging.local import LocalArea
from staging.signing import Grant

_FORM_OVERHEAD = 64 * 1024
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_ANSWERS: tuple[tuple[type[Exception], int, str], ...] = (
    (LinkRefused, 403, "AccessDenied"),
    (ObjectMissing, 404, "NoSuchKey"),
    (TooLarge, 400, "EntityTooLarge"),
    (Incomplete, 400, "IncompleteBody"),
    (BadForm, 400, "MalformedPOSTRequest"),
    (StoreFull, 507, "InsufficientStorage"),
    (StagingError, 500, "InternalError"),
)


@csrf_exempt
@require_http_methods(["POST"])
def form(request: HttpRequest) -> HttpResponseBase:
    """A browser's or curl's form with one file: 204 when the file is there."""
    try:
        area = _area()
        key, etag = _take_form(area, request)
    except (StagingError, BadForm) as error:
        return _refusal(error)
    arrivals.arrived(key)
    response = HttpResponse(status=204)
    response["ETag"] = f'"{etag}"'
    return response


@csrf_exempt
@require_http_methods(["GET", "HEAD", "PUT"])
def item(request: HttpRequest, key: str) -> HttpResponseBase:
    """One object by its link: read whole or in ranges, or written whole or by parts."""
    method = str(request.method)
    try:
        area = _area()
        grant = area.check_url(method, key, request.GET.dict())
        if method == "PUT":
            return _put(area, grant, request)
        return _get(area, grant, request)
    except StagingError as error:
        return _refusal(error)


def _area() -> LocalArea:
    area = local_area()
    if area is None:
        raise ObjectMissing("Centro does not keep staged files itself.")
    return area


def _length(request: HttpRequest) -> int | None:
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdigit() else None


def _take_form(area: LocalArea, request: HttpRequest) -> tuple[str, str]:
    """The key and mark of the object that the form brought."""
    with contextlib.ExitStack() as stack:
        sinks: list[Sink] = []
        grants: list[Grant] = []

        def begin(fields: dict[str, str]) -> None:
            grant = area.check_form(fields)
            announced = _length(request) or 0
            if announced > grant.limit + _FORM_OVERHEAD:  # before the bytes come, not after
                raise TooLarge(f"More than {grant.limit} bytes are announced.")
            grants.append(grant)
            sinks.append(stack.enter_context(area.writer(grant.key, grant.limit)))

        stream = FormStream(boundary_of(request), begin, lambda data: _write(sinks[-1], data))
        try:
            stream.feed(pieces(request))
        except UnreadablePostError as error:
            raise Incomplete(f"The body broke off: {error}") from error
        key = grants[-1].key
    done = area.stat(key)
    return key, done.etag if done else ""


def _write(sink: Sink, data: bytes) -> None:
    sink.write(data)


def _put(area: LocalArea, grant: Grant, request: HttpRequest) -> HttpResponse:
    announced = _length(request)
    if announced != grant.limit:
        raise LinkRefused(f"This link is for {grant.limit} bytes, announced are {announced}.")
    key = grant.key
    if grant.part:
        writer = area.part_writer(key, grant.upload_id, grant.part, grant.limit)
    else:
        writer = area.writer(key, grant.limit, exact=True)
    try:
        with writer as sink:
            for chunk in pieces(request):
                sink.write(chunk)
    except UnreadablePostError as error:
        raise Incomplete(f"The body broke off: {error}") from error
    response = HttpResponse(status=200)
    if grant.part:
        part = next(one for one in area.parts(key, grant.upload_id) if one.number == grant.part)
        response["ETag"] = f'"{part.etag}"'
    else:
        arrivals.arrived(key)
        done = area.stat(key)
        response["ETag"] = f'"{done.etag if done else ""}"'
    return response


def _get(area: LocalArea, grant: Grant, request: HttpRequest) -> HttpResponseBase:
    found = area.stat(grant.key)
    if found is None:
        raise ObjectMissing("There is no such file.")
    span = _span(request.headers.get("Range", ""), found.size)
    if span is None:
        response: HttpResponseBase = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{found.size}"
        return response
    first, length = span
    if request.method == "HEAD":
        response = HttpResponse(status=200)
    else:
        response = StreamingHttpResponse(_read(area, grant.key, first, length))
    _describe(response, found, grant, length)
    if length != found.size:
        response.status_code = 206
        response["Content-Range"] = f"bytes {first}-{first + length - 1}/{found.size}"
    return response


def _describe(response: HttpResponseBase, found: ObjectInfo, grant: Grant, length: int) -> None:
    name = grant.name or grant.key.rpartition("/")[2]
    response["Content-Type"] = "application/octet-stream"
    response["Content-Length"] = str(length)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    response["Content-Security-Policy"] = "sandbox"
    response["Cache-Control"] = "private, no-store"
    response["Accept-Ranges"] = "bytes"
    response["ETag"] = f'"{found.etag}"'


def _span(text: str, size: int) -> tuple[int, int] | None:
    """First byte and length of what is asked for; the whole where no single range is, None where it is outside."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match.groups() == ("", ""):
        return 0, size
    first_text, last_text = match.groups()
    if not first_text:
        length = min(int(last_text), size)
        return (size - length, length) if length else None
    first = int(first_text)
    last = min(int(last_text), size - 1) if last_text else size - 1
    return (first, last - first + 1) if first <= last else None


def _read(area: LocalArea, key: str, first: int, length: int) -> Iterator[bytes]:
    if not length:
        return
    with area.reader(key, first, length) as source:
        while chunk := source.read(CHUNK):
            yield chunk


def _refusal(error: Exception) -> HttpResponse:
    status, code = next((s, c) for kind, s, c in _ANSWERS if isinstance(error, kind))
    said = f"<Code>{code}</Code><Message>{escape(str(error))}</Message>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{said}</Error>'
    return HttpResponse(body, status=status, content_type="application/xml")
