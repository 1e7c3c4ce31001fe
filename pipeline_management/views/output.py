"""The output of a run: what its viewer needs, and the same as a page that works without scripts."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _

from pipeline_management.models import Run
from pipeline_management.services.log_text import readable
from pipeline_management.services.logs import (
    NAMES,
    STREAMS,
    is_stream,
    read_log,
    streams_of,
    task_streams,
)
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.run_head import head_context

PIECE = 65_536


def viewer_context(run: Run, stream: str = "") -> dict[str, Any]:
    """The streams of a run for the viewer, and the one that is shown first."""
    streams = streams_of(run) or STREAMS[:1]
    return {"streams": streams, "stream": stream or streams[0], "task_streams": task_streams(run)}


def output_context(run: Run, stream: str, offset: int | None, before: int | None) -> dict[str, Any]:
    """A piece of a stream as text: from ``offset``, or up to ``before``, or its end."""
    piece = read_log(
        run=run,
        stream=stream,
        offset=offset,
        before=before,
        limit=PIECE,
        lines="whole" if offset is None else "end",
    )
    return {
        "run": run,
        "piece": piece,
        "text": readable(piece.data),
        "earlier": piece.offset if piece.data and piece.offset > 0 else None,
        "later": piece.next_offset if piece.next_offset < piece.size else None,
    }


@page()
def log(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """One output stream (``?stream=``) on a page of its own; without scripts its end, what follows ``?offset=``
    or what comes ``?before=`` a byte. 400 for a wrong value."""
    run = visible_run(request, pk)
    stream = request.GET.get("stream", STREAMS[0])
    if not is_stream(stream):
        names = ", ".join(NAMES)
        return _wrong(
            _("stream: expected one of %(names)s, or task: and a number") % {"names": names}
        )
    places: dict[str, int | None] = {}
    for name in ("offset", "before"):
        given = request.GET.get(name, "")
        if given and not (given.isascii() and given.isdigit() and len(given) <= 18):
            return _wrong(_("%(name)s: expected a number of bytes") % {"name": name})
        places[name] = int(given) if given else None
    if None not in places.values():
        return _wrong(_("before: expected alone, without offset"))
    context = output_context(run, stream, places["offset"], places["before"])
    context |= viewer_context(run, stream) | head_context(request, run, "log")
    return render(request, "runs/log_page.html", context)


def _wrong(sentence: str) -> HttpResponse:
    return HttpResponse(sentence + "\n", status=400, content_type="text/plain; charset=utf-8")
