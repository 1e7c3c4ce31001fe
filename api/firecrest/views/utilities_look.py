"""``/utilities/*`` that look at files: ls, file, stat, checksum, whoami."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework.request import Request

from api.firecrest.base import FirecrestView
from api.firecrest.envelopes import output, query, utility
from api.firecrest.errors import INVALID_PATH, NOT_FOUND
from api.firecrest.fields import Fields
from api.firecrest.routing import route
from hpc.errors import FileMissing, ParentForbidden
from hpc.files.identity import Name
from hpc.files.listing import Entry
from pipeline_management.services import files

_TARGET = query("targetPath", "Absolute, or relative to the home directory.", required=True)
_TEXT = {"type": "string"}
_NUMBERS = {"type": "object", "additionalProperties": {"type": "integer"}}
_ENTRIES = {"type": "array", "items": {"type": "object", "additionalProperties": _TEXT}}
_IDENTITY = {"oneOf": [_TEXT, {"type": "object"}]}


class ListView(FirecrestView):
    description: ClassVar[str] = "Error on ls operation"
    headers_for = {ParentForbidden: INVALID_PATH}

    @utility(
        "ls", "What is in a directory", _TARGET,
        query("showhidden", "Also names that begin with a dot."),
        query("recursive", "Also what is in the directories below."),
        query("numericUid", "Ids in place of user and group names."),
        query("followLinks", "Describe what links point to."),
        query("pageSize", "Entries a page; only together with pageNumber."),
        query("pageNumber", "From 1; only together with pageSize."),
        value=_ENTRIES,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.query
        entries = files.listing(
            account,
            fields.text("targetPath"),
            hidden=fields.flag("showhidden"),
            recursive=fields.flag("recursive"),
            numeric=fields.flag("numericUid"),
            follow=fields.flag("followLinks"),
        )
        return output([_entry(entry) for entry in page(entries, fields)], "List of contents")


class KindView(FirecrestView):
    description: ClassVar[str] = "Error on file operation"

    @utility("file", "The type of a file", _TARGET)
    def get(self, request: Request) -> HttpResponseBase:
        found = files.kind(self.account(), self.query.text("targetPath"))
        return output(found, "Success to file type")


class StatView(FirecrestView):
    description: ClassVar[str] = "Error on stat operation"
    headers_for = {FileMissing: NOT_FOUND}

    @utility(
        "stat", "The numbers of a file", _TARGET,
        query("dereference", "Of what a link points to."), value=_NUMBERS,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.query
        path = fields.text("targetPath")
        found = files.status(account, path, follow=fields.flag("dereference"))
        return output(asdict(found), "Success to stat file")


class ChecksumView(FirecrestView):
    description: ClassVar[str] = "Error on checksum operation"

    @utility("checksum", "The SHA-256 of a file", _TARGET)
    def get(self, request: Request) -> HttpResponseBase:
        found = files.checksum(self.account(), self.query.text("targetPath"))
        return output(found, "Success to checksum file")


class WhoAmIView(FirecrestView):
    description: ClassVar[str] = "Error on whoami operation"

    @utility(
        "whoami", "The user on the system", query("groups", "With the groups and all ids."),
        value=_IDENTITY,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account = self.account()
        if not self.query.flag("groups"):
            return output(files.user_name(account), "User information")
        found = files.identity(account)
        value = {
            "user": _name(found.user),
            "group": _name(found.group),
            "groups": [_name(group) for group in found.groups],
        }
        return output(value, "User information")


def page(entries: list[Entry], fields: Fields) -> list[Entry]:
    """One page of the entries; all of them unless both parameters are there and name a page."""
    size, number = fields.number("pageSize"), fields.number("pageNumber")
    if size is None or number is None or size < 1 or number < 1:
        return entries
    start = (number - 1) * size
    return entries[start : start + size] if start < len(entries) else entries


def _entry(entry: Entry) -> dict[str, str]:
    return {
        "name": entry.name,
        "type": entry.kind,
        "link_target": entry.link_target,
        "user": entry.user,
        "group": entry.group,
        "permissions": entry.permissions,
        "last_modified": entry.last_modified,
        "size": str(entry.size),
    }


def _name(name: Name) -> dict[str, Any]:
    return {"name": name.name, "id": str(name.id)}


urlpatterns = [
    route("utilities/ls", ListView, "firecrest-utilities-ls"),
    route("utilities/file", KindView, "firecrest-utilities-file"),
    route("utilities/stat", StatView, "firecrest-utilities-stat"),
    route("utilities/checksum", ChecksumView, "firecrest-utilities-checksum"),
    route("utilities/whoami", WhoAmIView, "firecrest-utilities-whoami"),
]
