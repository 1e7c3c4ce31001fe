"""What can be done with files by the browser: each a plain form, each in the audit trail."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import IO, cast

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pipeline_management.errors import Conflict, InvalidRequest, Problem, TooLarge
from pipeline_management.file_names import absolute, visible
from pipeline_management.services import files, transfer_intake
from pipeline_management.services.clients import limits_of
from pipeline_management.services.file_places import Place, entry, exists
from pipeline_management.services.file_refusals import translated
from pipeline_management.views.access import PageRequest
from pipeline_management.views.file_rows import address, parent

LONGEST_NAME = 255
_MOST_FILES = 50

Action = Callable[[PageRequest, Place, str], str]


def act(request: PageRequest, place: Place, path: str) -> str:
    """Do what the form's ``action`` says with an absolute path; the address to go on to.

    Raises ``DomainError``: ``InvalidRequest`` for a field, the others for what the system says.
    """
    chosen = _ACTIONS.get(request.POST.get("action", ""))
    if chosen is None:
        known = ", ".join(_ACTIONS)
        raise _wrong("action", _("action: expected one of %(known)s") % {"known": known})
    return chosen(request, place, path)


def _mkdir(request: PageRequest, place: Place, path: str) -> str:
    target = posixpath.join(path, _name(request.POST.get("name", "")))
    with translated(place.system):
        files.make_directory(place.account, target, user=request.user, address=_address(request))
    _say(request, _("The folder %(name)s is made."), target)
    return address(place.system, target)


def _upload(request: PageRequest, place: Place, path: str) -> str:
    found = [one for one in request.FILES.getlist("files") if isinstance(one, UploadedFile)]
    limit = limits_of(place.account.system).max_file_size_mb
    if not found:
        raise _wrong("files", _("Choose a file first."))
    if len(found) > _MOST_FILES:
        raise _wrong(
            "files",
            _("At most %(most)s files at once; use a transfer for more.") % {"most": _MOST_FILES},
        )
    for one in found:
        if (one.size or 0) > limit * 1024 * 1024:
            sentence = _("%(name)s is larger than %(limit)s MB; use a transfer for it.")
            said = sentence % {"name": visible(one.name or ""), "limit": limit}
            raise TooLarge([Problem("too_large", said, "/files")])
    replace = "replace" in request.POST
    for one in found:
        target = posixpath.join(path, _name(one.name or ""))
        if not replace and exists(place, target):
            raise _taken(target)
        with translated(place.system):
            files.upload(
                place.account,
                target,
                cast(IO[bytes], one.file),
                one.size or 0,
                user=request.user,
                address=_address(request),
            )
    sentence = ngettext("%(count)s file is uploaded.", "%(count)s files are uploaded.", len(found))
    messages.success(request, sentence % {"count": len(found)})
    return address(place.system, path)


def _rename(request: PageRequest, place: Place, path: str) -> str:
    target = _target(request, place, path)
    with translated(place.system):
        files.rename(place.account, path, target, user=request.user, address=_address(request))
    _say(request, _("It is %(name)s now."), target)
    return address(place.system, target)


def _copy(request: PageRequest, place: Place, path: str) -> str:
    target = _target(request, place, path)
    with translated(place.system):
        files.copy(place.account, path, target, user=request.user, address=_address(request))
    _say(request, _("The copy is %(name)s."), target)
    return address(place.system, target)


def _chmod(request: PageRequest, place: Place, path: str) -> str:
    mode = request.POST.get("mode", "").strip()
    if not mode or len(mode) > 40 or not mode.isprintable():
        raise _wrong("mode", _("Permissions: expected digits such as 640, or letters such as g+w."))
    with translated(place.system):
        files.change_mode(place.account, path, mode, user=request.user, address=_address(request))
    _say(request, _("The permissions of %(name)s are changed."), path)
    return address(place.system, path)


def _delete(request: PageRequest, place: Place, path: str) -> str:
    if path == "/":
        raise Conflict(_("The root of a system is not deleted."))
    name = visible(posixpath.basename(path))
    is_folder = entry(place, path).kind == "d"
    typed = request.POST.get("typed", "") == name
    if is_folder and not typed:
        raise _wrong(
            "typed",
            _("Type the folder's name, %(name)s, to delete it with everything in it.")
            % {"name": name},
        )
    if not typed and request.POST.get("sure") != "yes":
        raise _wrong("sure", _("Say that you are sure: a deleted file is gone."))
    with translated(place.system):
        files.remove(place.account, path, user=request.user, address=_address(request))
    _say(request, _("%(name)s is deleted."), path)
    return address(place.system, parent(path))


def _checksum(request: PageRequest, place: Place, path: str) -> str:
    with translated(place.system):
        found = files.checksum(place.account, path)
    said = {"name": visible(posixpath.basename(path)), "sum": found}
    messages.info(request, _("SHA-256 of %(name)s: %(sum)s") % said)
    return address(place.system, path)


def _fetch(request: PageRequest, place: Place, path: str) -> str:
    transfer_intake.download(request.user, place.system, path, address=_address(request))
    messages.success(request, _("The file is being fetched; its link appears below."))
    return reverse("transfers")


_ACTIONS: dict[str, Action] = {
    "mkdir": _mkdir,
    "upload": _upload,
    "rename": _rename,
    "copy": _copy,
    "chmod": _chmod,
    "delete": _delete,
    "checksum": _checksum,
    "fetch": _fetch,
}


def _target(request: PageRequest, place: Place, path: str) -> str:
    """Where to: another name beside it, or an absolute path; into it where that is a folder. Nothing is replaced."""
    text = request.POST.get("to", "").strip()
    if path == "/" or not text or "\0" in text or len(text) > 4096:
        raise _wrong("to", _("Give a new name, or an absolute path."))
    if "/" not in text:
        target = posixpath.join(parent(path), _name(text, "to"))
    elif text.startswith("/"):
        target = absolute(text)
        if text.endswith("/"):
            target = posixpath.join(target, posixpath.basename(path))
    else:
        raise _wrong("to", _("A path begins with “/”; a name has no “/” in it."))
    if target == path or target.startswith(f"{path}/"):
        raise _wrong("to", _("That is the same place, or within it."))
    if exists(place, target):
        raise _taken(target)
    return target


def _name(text: str, field: str = "name") -> str:
    name = text.strip()
    long = len(name.encode("utf-8", "surrogateescape")) > LONGEST_NAME
    if not name or name in (".", "..") or "/" in name or "\0" in name or long:
        raise _wrong(
            field, _("Expected a name without “/”, of 1 to 255 bytes, other than . and ..")
        )
    return name


def _taken(path: str) -> Conflict:
    sentence = _("%(path)s exists already. Nothing was replaced.")
    return Conflict(sentence % {"path": visible(path)})


def _wrong(field: str, sentence: str) -> InvalidRequest:
    return InvalidRequest([Problem("invalid", sentence, f"/{field}")])


def _say(request: PageRequest, sentence: str, path: str) -> None:
    messages.success(request, sentence % {"name": visible(posixpath.basename(path))})


def _address(request: PageRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None
