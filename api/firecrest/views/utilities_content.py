"""``/utilities/*`` about the content of files: head, tail, view, download, upload, compress, extract."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import MACHINE, answers, form, output, query, utility
from api.firecrest.errors import NOT_FOUND, SIZE_LIMIT
from api.firecrest.parsers import Part
from api.firecrest.routing import route
from api.firecrest.views.utilities_change import ChangingView
from hpc.errors import FileMissing, FileTooLarge, UnsupportedArchive
from hpc.files.archives import kind_of
from pipeline_management.services import files

_PATH = "Absolute, or relative to the home directory."
_TARGET = query("targetPath", _PATH, required=True)
_LINES = query("lines", "A number, possibly with a suffix such as K; 10 without lines and bytes.")
_BYTES = query("bytes", "In place of lines.")
_GREP = query("grep", "Of these lines, only those that contain this text.")


class PartView(FirecrestView):
    """What head and tail share."""

    def options_of(self, skip: str) -> dict[str, Any]:
        """The arguments of the service; ``skip`` is the name of the flag that turns the count round.

        Raises ``Refusal``.
        """
        fields = self.query
        lines = fields.optional("lines", blank_is_absent=True)
        count = fields.optional("bytes", blank_is_absent=True)
        if lines is not None and count is not None:
            raise self.refuse(400, "lines and bytes cannot be specified at the same time")
        grep = fields.raw("grep") or None
        if grep is not None and ("\n" in grep or "\0" in grep):
            raise self.refuse(400, "'grep' has invalid char")
        return {"lines": lines, "count": count, "grep": grep, skip: fields.flag(skip)}


class HeadView(PartView):
    description: ClassVar[str] = "Error on head operation"

    @utility(
        "head", "The beginning of a file", _TARGET, _LINES, _BYTES, _GREP,
        query("skip_ending", "All but the last so many."),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, path = self.account(), self.query.text("targetPath")
        return output(
            files.head(account, path, **self.options_of("skip_ending")), "Success to head file"
        )


class TailView(PartView):
    description: ClassVar[str] = "Error on tail operation"

    @utility(
        "tail", "The end of a file", _TARGET, _LINES, _BYTES, _GREP,
        query("skip_beginning", "All from this number on, counted from 1."),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, path = self.account(), self.query.text("targetPath")
        found = files.tail(account, path, **self.options_of("skip_beginning"))
        return output(found, "Success to tail file")


class ViewView(FirecrestView):
    description: ClassVar[str] = "Error on view operation"
    headers_for = {FileMissing: NOT_FOUND}

    @utility("view", "The whole of a small text file", _TARGET)
    def get(self, request: Request) -> HttpResponseBase:
        account, path = self.account(), self.query.text("targetPath")
        try:
            return output(files.view(account, path), "File content successfully returned")
        except FileTooLarge as error:
            raise _too_large("Failed to view file content", error) from error


class DownloadView(FirecrestView):
    description: ClassVar[str] = "Error on download operation"
    headers_for = {FileMissing: NOT_FOUND}

    @extend_schema(
        operation_id="utilities_download", summary="The bytes of a small file",
        parameters=[MACHINE, query("sourcePath", _PATH, required=True)],
        responses=answers((200, "application/octet-stream"), OpenApiTypes.BINARY, "The content."),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, path = self.account(), self.query.text("sourcePath")
        try:
            found = files.download(account, path)
        except FileTooLarge as error:
            raise _too_large("Failed to download file", error) from error
        name = found.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        answer = StreamingHttpResponse(found.chunks, content_type="application/octet-stream")
        answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
        answer["Content-Length"] = str(found.size)
        return answer


class UploadView(ChangingView):
    description: ClassVar[str] = "Error on upload operation"

    @utility(
        "upload", "Put a small file into a directory", status=201,
        request=form({"targetPath": "The directory."}, file="file"),
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        part = self.sent_file()
        folder = self.form.text("targetPath")
        path = f"{folder.rstrip('/')}/{part.name}"
        files.upload(account, path, part.file, part.size, **self.actor)
        return output(description="File upload successful", status=201)

    def sent_file(self) -> Part:
        """The file with a usable name. Raises ``Refusal``."""
        part = self.part("file")
        if part is None:
            # a part with an empty file name counts as a plain field
            missing = "Filename is empty" if self.form.has("file") else "No file in query"
            raise self.refuse(400, missing)
        self.form.checked(part.name, "Filename")
        if part.name in (".", ".."):
            raise self.refuse(400, "Filename has invalid char")
        return part


class CompressView(ChangingView):
    description: ClassVar[str] = "Error on compress operation"

    @utility(
        "compress", "Make a gzip tar", status=201,
        request=form(
            {"sourcePath": _PATH, "targetPath": "The new archive."},
            {"dereference": "What links point to in place of links."},
        ),
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        source, target = fields.text("sourcePath"), fields.text("targetPath")
        files.compress(
            account, source, target, dereference=fields.flag("dereference"), **self.actor
        )
        return output(description="Success to compress file or directory", status=201)


class ExtractView(ChangingView):
    description: ClassVar[str] = "Error on extract operation"

    @utility(
        "extract", "Unpack an archive", status=201,
        request=form(
            {"sourcePath": "The archive.", "targetPath": "An existing directory."},
            {"extension": "zip, tar, tgz, gz or bz2; else the name of the archive decides."},
        ),
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        account, fields = self.account(), self.form
        source, target = fields.text("sourcePath"), fields.text("targetPath")
        extension = fields.raw("extension") or fields.raw("type") or "auto"
        try:
            kind_of(source, extension)
        except UnsupportedArchive as error:
            raise self.refuse(400, f"Unsupported file format in {source}.") from error
        files.extract(account, source, target, extension=extension, **self.actor)
        return output(description="Success to extract file", status=201)


def _too_large(description: str, error: FileTooLarge) -> Refusal:
    return Refusal(400, {"description": description}, {SIZE_LIMIT: str(error)})


urlpatterns = [
    route("utilities/head", HeadView, "firecrest-utilities-head"),
    route("utilities/tail", TailView, "firecrest-utilities-tail"),
    route("utilities/view", ViewView, "firecrest-utilities-view"),
    route("utilities/download", DownloadView, "firecrest-utilities-download"),
    route("utilities/upload", UploadView, "firecrest-utilities-upload"),
    route("utilities/compress", CompressView, "firecrest-utilities-compress"),
    route("utilities/extract", ExtractView, "firecrest-utilities-extract"),
]
