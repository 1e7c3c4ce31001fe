"""The content of one file for a browser, behind a signed address: to keep, or to show in a place where it can do
nothing.

What it is sent as is read from its name in a table of ours and never guessed. A report (HTML) runs its own scripts
in a sandbox without an origin: no cookies, no storage, no request to anywhere.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from urllib.parse import quote

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from hpc.files.browsing import Peek
from pipeline_management.errors import DomainError, Problem, TooLarge
from pipeline_management.services import audit
from pipeline_management.services.file_audit import printable
from pipeline_management.services.file_places import PIECE, Place, peek, pieces
from pipeline_management.services.previews.kinds import Type, type_of
from pipeline_management.services.previews.links import Link, opened
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.file_parts import DIRECT_LIMIT, fault_context, status_of

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
_INSIDE = (
    "script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:; "
    "font-src data:; media-src data: blob:; worker-src 'none'"
)
_POLICIES = {
    # eval as well: the plots of some reports compile themselves, and the sandbox holds either
    "html": f"sandbox allow-scripts; {_NOTHING}; {_INSIDE}",
    "image": f"sandbox; {_NOTHING}; style-src 'unsafe-inline'",
    # the browser's own viewer shows it, which a sandbox would forbid
    "pdf": f"{_NOTHING}; style-src 'unsafe-inline'; object-src 'self'",
}
_FRAMES = ("iframe", "embed", "object", "frame")


@page()
def content(request: PageRequest, token: str, name: str) -> HttpResponseBase:
    """The file that the token names: to keep with ``?download``, else shown if it is a picture, PDF or report."""
    try:
        link, place = opened(token, request.user)
        kind = type_of(link.path)
        first = peek(place, link.path, 0, 0 if request.method == "HEAD" else PIECE)
        shown = "download" not in request.GET and kind.kind in _POLICIES
        _check_size(link, kind, first.size, shown)
    except DomainError as error:
        return render(request, "files/refused.html", fault_context(error), status=status_of(error))
    if shown and kind.kind == "html" and not _in_a_frame(request):
        sentence = _("A report is shown within its page only, where it can do no harm.")
        return HttpResponse(f"{sentence}\n", status=403, content_type="text/plain; charset=utf-8")
    if not shown and request.method != "HEAD":
        _record(request, link, place)
    return _answer(request, link, place, first, kind if shown else None)


def _check_size(link: Link, kind: Type, size: int, shown: bool) -> None:
    if shown and size > kind.limit:
        raise TooLarge(
            [Problem("too_large", _("It is too large to be shown; download it instead."))]
        )
    if not shown and link.run is None and size > DIRECT_LIMIT:
        raise TooLarge(
            [Problem("too_large", _("It is too large to come this way; fetch it by a transfer."))]
        )


def _in_a_frame(request: PageRequest) -> bool:
    """Whether the browser puts it into a frame of a page of ours; browsers that do not say are believed."""
    where = request.headers.get("Sec-Fetch-Dest", "iframe")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    return where in _FRAMES and site in ("same-origin", "none")


def _record(request: PageRequest, link: Link, place: Place) -> None:
    target = f"{place.system}:{printable(link.path)}"
    data = {"path": printable(link.path), "as": place.account.username}
    if link.run is not None:
        data["run"] = str(link.run)
    address = request.META.get("REMOTE_ADDR") or None
    audit.record(request.user, "files.download", target, address=address, data=data)


def _answer(
    request: PageRequest, link: Link, place: Place, first: Peek, kind: Type | None
) -> HttpResponseBase:
    with_body = request.method != "HEAD"
    body = _bytes(place, link.path, first) if with_body else ()
    response = StreamingHttpResponse(body)
    name = quote(posixpath.basename(link.path), safe="", errors="surrogateescape")
    way = "inline" if kind else "attachment"
    response["Content-Type"] = kind.content_type if kind else "application/octet-stream"
    response["Content-Length"] = str(first.size)
    response["Content-Disposition"] = f"{way}; filename*=UTF-8''{name}"
    response["Content-Security-Policy"] = _POLICIES[kind.kind] if kind else f"sandbox; {_NOTHING}"
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["X-DNS-Prefetch-Control"] = "off"
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "private, no-store"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _bytes(place: Place, path: str, first: Peek) -> Iterator[bytes]:
    """No more than was announced, though the file may grow."""
    left = first.size
    for piece in pieces(place, path, first):
        yield piece[:left]
        left -= len(piece)
