"""The part of a page that the system is asked for: a directory, a file, or the sentence why there is neither."""

from __future__ import annotations

import posixpath
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from hpc.files.browsing import Seen
from pipeline_management.errors import (
    Conflict,
    DomainError,
    Missing,
    NotAllowed,
    TooLarge,
    TooOften,
    Unavailable,
)
from pipeline_management.file_names import quoted, visible
from pipeline_management.services.clients import limits_of
from pipeline_management.services.file_places import Place, look, named
from pipeline_management.services.previews.links import Link
from pipeline_management.services.previews.making import preview
from pipeline_management.views.access import PageRequest
from pipeline_management.views.file_rows import View, address, crumbs, parent, row, shown

DIRECT_LIMIT = 64 * 1024 * 1024
"""Bytes of a file that comes straight from the system by a click; larger ones come by a transfer."""

_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (Missing, 404),
    (NotAllowed, 403),
    (Conflict, 409),
    (TooLarge, 413),
    (Unavailable, 503),
    (TooOften, 429),
    (DomainError, 400),
)


def status_of(error: DomainError) -> int:
    """The HTTP status of a refusal on a page."""
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def fault_context(error: DomainError) -> dict[str, Any]:
    """What ``files/fault.html`` shows."""
    return {
        "kind": "fault",
        "sentence": error.message,
        "status": status_of(error),
        "away": isinstance(error, Unavailable),
    }


def system_part(request: PageRequest, place: Place, path: str) -> dict[str, Any]:
    """What is at an absolute path of a system, for ``files/part.html``. Raises ``DomainError``."""
    found = look(place, path)
    common = {
        "system": place.system,
        "path": visible(path),
        "at": quoted(path),
        "crumbs": crumbs(place.system, path),
        "parent": None if path == "/" else address(place.system, parent(path)),
        "name": visible(posixpath.basename(path)) or "/",
        "limit_mb": limits_of(place.account.system).max_file_size_mb,
        "here": address(place.system, path),
    }
    if isinstance(found, Seen):
        return common | _file(request, place, path, found)
    view = View.of(request.GET)
    page, hidden = shown(found.entries, view)
    page_entries = list(page)
    named(place, page_entries)
    rows = [row(e, address(place.system, posixpath.join(path, e.name))) for e in page_entries]
    return common | {
        "kind": "list",
        "rows": rows,
        "with_owner": True,
        **listing(view, page, hidden),
    }


def listing(view: View, page: Any, hidden: int) -> dict[str, Any]:
    """What every list of a directory shows around its rows."""
    columns = [("name", _("Name")), ("size", _("Size")), ("modified", _("Changed"))]
    heads = [
        {
            "label": label,
            "href": view.sorting(key),
            "order": _order(view, key),
            "key": key,
        }
        for key, label in columns
    ]
    return {
        "view": view,
        "page": page,
        "hidden_count": hidden,
        "heads": heads,
        "without_filter": view.query(q=""),
        "switch_hidden": view.query(hidden="" if view.hidden else "1"),
        "newer": view.query(page=str(page.previous_page_number())) if page.has_previous() else "",
        "older": view.query(page=str(page.next_page_number())) if page.has_next() else "",
    }


def _order(view: View, key: str) -> str:
    if view.sort.removeprefix("-") != key:
        return ""
    return "descending" if view.sort.startswith("-") else "ascending"


def _file(request: PageRequest, place: Place, path: str, entry: Seen) -> dict[str, Any]:
    named(place, [entry])
    shown_row = row(entry, address(place.system, path))
    context = {
        "kind": "file",
        "entry": shown_row,
        "by_transfer": entry.size > DIRECT_LIMIT and entry.kind != "l",
        "octal": octal(entry.permissions),
    }
    if entry.is_broken or entry.leads_to != "f":
        return context
    try:
        return context | preview_context(request, place, path, Link(path, place.system))
    except Unavailable:
        raise
    except DomainError as error:  # one that may not be read can still be renamed
        return context | {"no_preview": error.message}


def preview_context(request: PageRequest, place: Place, path: str, link: Link) -> dict[str, Any]:
    """A file's preview and the address of its content. Raises what ``previews.making.preview`` raises."""
    start = request.GET.get("from", "")
    made = preview(
        place,
        path,
        start=int(start) if start.isascii() and start.isdigit() and len(start) < 19 else 0,
        end="end" in request.GET,
        as_text="text" in request.GET,
    )
    return {"preview": made, **content_address(request, link)}


def content_address(request: PageRequest, link: Link) -> dict[str, str]:
    """Where the browser gets the file itself for the next minutes."""
    name = quoted(posixpath.basename(link.path)) or "file"
    token = link.token(request.user)
    return {"content_url": reverse("file-content", args=[token, ""]) + name}


def octal(permissions: str) -> str:
    """``rwxr-s---`` as ``2750``; three digits where no special bit is set."""
    digits = [
        sum(
            bit
            for char, bit in zip(permissions[at : at + 3], (4, 2, 1), strict=False)
            if char not in "-ST"
        )
        for at in (0, 3, 6)
    ]
    marks = zip((permissions[2:3], permissions[5:6], permissions[8:9]), (4, 2, 1), strict=True)
    special = sum(bit for char, bit in marks if char in tuple("sStT"))
    return (str(special) if special else "") + "".join(map(str, digits))
