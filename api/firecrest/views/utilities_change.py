"""``/utilities/*`` that change what is there: mkdir, rename, copy, chmod, chown, symlink, rm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpResponseBase
from rest_framework.request import Request

from api.firecrest.base import FirecrestView
from api.firecrest.envelopes import form, no_content, output, utility
from api.firecrest.errors import INVALID_PATH, NOT_FOUND
from api.firecrest.routing import route
from hpc.errors import FileMissing, HpcError, ParentMissing
from pipeline_management.services import files

_PATH = "Absolute, or relative to the home directory."
_BOTH = {"sourcePath": _PATH, "targetPath": _PATH}
_SOURCE_MISSING: Mapping[type[HpcError], str] = {
    ParentMissing: INVALID_PATH,
    FileMissing: NOT_FOUND,
}


class ChangingView(FirecrestView):
    """Changes are written to the audit trail with who asked and from where."""

    @property
    def actor(self) -> dict[str, Any]:
        """For the services."""
        return {"user": self.person, "address": self.address}


class MakeDirectoryView(ChangingView):
    description: ClassVar[str] = "Error on mkdir operation"

    @utility(
        "mkdir", "Make a directory", status=201,
        request=form({"targetPath": _PATH}, {"p": "Also those above it; none is an error if it exists."}),
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        path = fields.text("targetPath")
        files.make_directory(account, path, parents=fields.has("p"), **self.actor)
        return output(description="Directory created", status=201)


class RenameView(ChangingView):
    description: ClassVar[str] = "Error on rename operation"
    headers_for = _SOURCE_MISSING

    @utility("rename", "Move a file or directory", request=form(_BOTH))
    def put(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        files.rename(account, fields.text("sourcePath"), fields.text("targetPath"), **self.actor)
        return output(description="Success to rename file or directory")


class CopyView(ChangingView):
    description: ClassVar[str] = "Error on copy operation"
    headers_for = _SOURCE_MISSING

    @utility("copy", "Copy a file or directory", status=201, request=form(_BOTH))
    def post(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        files.copy(account, fields.text("sourcePath"), fields.text("targetPath"), **self.actor)
        return output(description="Success to copy file or directory", status=201)


class ChangeModeView(ChangingView):
    description: ClassVar[str] = "Error on chmod operation"

    @utility(
        "chmod", "Change permissions",
        request=form({"targetPath": _PATH, "mode": "As for chmod(1), octal or symbolic."}),
    )  # fmt: skip
    def put(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        path, mode = fields.text("targetPath"), fields.text("mode")
        said = files.change_mode(account, path, mode, **self.actor)
        return output(said, "Success to chmod file or directory")


class ChangeOwnerView(ChangingView):
    description: ClassVar[str] = "Error on chown operation"

    @utility(
        "chown", "Change owner or group",
        request=form({"targetPath": _PATH}, {"owner": "User name or id.", "group": "Group name or id."}),
    )  # fmt: skip
    def put(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        path = fields.text("targetPath")
        owner = fields.optional("owner", blank_is_absent=True) or ""
        group = fields.optional("group", blank_is_absent=True) or ""
        if not owner and not group:
            raise self.refuse(400, "group or owner must be set")
        said = files.change_owner(account, path, owner, group, **self.actor)
        return output(said, "Success to chown file or directory")


class SymlinkView(ChangingView):
    description: ClassVar[str] = "Error on symlink operation"

    @utility(
        "symlink", "Make a symbolic link", status=201,
        request=form({"targetPath": "What it points to.", "linkPath": "The new link."}),
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        target = fields.text("targetPath")
        path = fields.text("linkPath", label="'linkPath' value")
        files.link(account, target, path, **self.actor)
        return output(description="Success to link file or directory", status=201)


class RemoveView(ChangingView):
    description: ClassVar[str] = "Error on rm operation"

    @utility(
        "rm", "Remove a file or directory", status=204, request=form({"targetPath": _PATH}),
        text="`targetPath` comes as a form field in the body, as for POST.",
    )  # fmt: skip
    def delete(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        files.remove(account, fields.text("targetPath"), **self.actor)
        return no_content()


urlpatterns = [
    route("utilities/mkdir", MakeDirectoryView, "firecrest-utilities-mkdir"),
    route("utilities/rename", RenameView, "firecrest-utilities-rename"),
    route("utilities/copy", CopyView, "firecrest-utilities-copy"),
    route("utilities/chmod", ChangeModeView, "firecrest-utilities-chmod"),
    route("utilities/chown", ChangeOwnerView, "firecrest-utilities-chown"),
    route("utilities/symlink", SymlinkView, "firecrest-utilities-symlink"),
    route("utilities/rm", RemoveView, "firecrest-utilities-rm"),
]
