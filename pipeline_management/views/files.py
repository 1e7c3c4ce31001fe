"""The file browser: which systems there are, and what is at a path of one of them.

A page comes at once, without a question to the system; the browser then asks for the part that the system has
to be asked for. Without scripts the page asks for itself again, with ``?now``.
"""

from __future__ import annotations

import posixpath
from typing import Any

from django.http import HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from hpc.commands import MIB
from pipeline_management.errors import DomainError, InvalidRequest, Problem, TooLarge
from pipeline_management.file_names import absolute, tail_of, visible
from pipeline_management.services import system_access
from pipeline_management.services.clients import limits_of
from pipeline_management.services.file_places import Place, home, place_of
from pipeline_management.services.transfer_intake import from_home
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.file_actions import act
from pipeline_management.views.file_parts import fault_context, status_of, system_part
from pipeline_management.views.file_rows import address, crumbs

_OVERHEAD = 64 * 1024
_MOST_MB = 64
"""The most that any system's ``max_file_size_mb`` can be."""
_MOST_SENT = _MOST_MB * MIB + _OVERHEAD
_LONGEST_PATH = 4096


@page()
def index(request: PageRequest) -> HttpResponseBase:
    """The systems whose files the person may look at. One query."""
    accounts = system_access.accounts_of(request.user)
    places = [
        {
            "system": account.system,
            "username": account.username,
            "home": f"{address(account.system.name, '/')}?go=~",
            "filesystems": [
                (one, address(account.system.name, str(one.get("path", "/"))))
                for one in account.system.filesystems
                if isinstance(one, dict)
            ],
        }
        for account in accounts
    ]
    return render(request, "files/index.html", {"places": places})


@csrf_exempt  # until the size was looked at: the check reads the whole form, and ``_browse`` makes it
def browse(request: PageRequest, system: str, path: str = "") -> HttpResponseBase:
    """A directory or a file; POST changes something there. 403 and 404 in words where there is no way to it."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > _MOST_SENT:
        return _too_large(request, system, _MOST_MB)
    return _browse(request, system)


@csrf_protect
@page("GET", "HEAD", "POST")
def _browse(request: PageRequest, system: str) -> HttpResponseBase:
    try:
        place = place_of(request.user, system)
    except DomainError as error:
        return _refused(request, system, error)
    wanted = tail_of(request, 2)
    where = absolute(wanted)
    if request.method == "POST":
        limit = limits_of(place.account.system).max_file_size_mb
        length = int(request.META.get("CONTENT_LENGTH") or 0)
        if length > limit * MIB + _OVERHEAD:
            return _too_large(request, system, limit)
        return _change(request, place, where)
    if "go" in request.GET:
        return _go(request, place, where, request.GET["go"])
    if where.lstrip("/") != wanted.rstrip("/"):
        return redirect(address(system, where))
    return show(request, place, where)


def _too_large(request: PageRequest, system: str, limit: int) -> HttpResponseBase:
    sentence = _(
        "What was sent is larger than %(limit)s MB, the most that comes this way; use a transfer for it."
    )
    error = TooLarge([Problem("too_large", sentence % {"limit": limit})])
    return _refused(request, system, error)


def _change(request: PageRequest, place: Place, path: str) -> HttpResponseBase:
    """POST: do it and go where its result is seen, or show the page again with the reason why not."""
    try:
        return HttpResponseRedirect(act(request, place, path))
    except DomainError as error:
        return show(request, place, path, refusal=error)


def show(
    request: PageRequest, place: Place, path: str, *, refusal: DomainError | None = None
) -> HttpResponseBase:
    """The page, its part, or the page with the part in it; ``refusal`` is why a change was not made."""
    frame: dict[str, Any] = {
        "system": place.system,
        "path": visible(path),
        "title": visible(posixpath.basename(path)) or "/",
        "crumbs": crumbs(place.system, path),
    }
    whole = not request.htmx or request.htmx.history_restore_request
    if whole and refusal is None and "now" not in request.GET:
        query = request.GET.urlencode()
        frame["part_url"] = address(place.system, path) + (f"?{query}" if query else "")
        return render(request, "files/browse.html", frame | {"kind": "wait"})
    status = 200 if refusal is None else status_of(refusal)
    try:
        frame |= system_part(request, place, path)
    except DomainError as error:
        frame |= fault_context(error)
        # htmx shows no answer with an error's status, and this part is what there is to show
        status = status_of(error) if whole else 200
    if refusal is not None:
        frame |= {"refusal": refusal.message, "entered": request.POST}
    template = "files/browse.html" if whole else "files/part.html"
    return render(request, template, frame, status=status)


def _go(request: PageRequest, place: Place, here: str, text: str) -> HttpResponseBase:
    """To a path that somebody typed: absolute, from the home directory (``~``), or from where he is."""
    try:
        if not text.strip() or len(text) > _LONGEST_PATH or "\0" in text:
            raise InvalidRequest(
                [Problem("invalid", _("Name a path, such as /data or ~/results."))]
            )
        if text == "~" or text.startswith("~/"):
            path = home(place, from_home(text))
        else:
            path = absolute(posixpath.join(here, text))
    except DomainError as error:
        return _refused(request, place.system, error, typed=text[:_LONGEST_PATH])
    return redirect(address(place.system, path))


def _refused(
    request: PageRequest, system: str, error: DomainError, typed: str = ""
) -> HttpResponseBase:
    """The page without any file: there is no way to the system for this person, or not to what was typed."""
    context = {"system": system, "path": typed, "typed": typed, **fault_context(error)}
    return render(request, "files/browse.html", context, status=status_of(error))
