"""Reading request bodies: forms of both kinds, for POST, PUT and DELETE alike.

Values come as ``FormValues``, which keep bytes that are no UTF-8 where the encoding lets them through.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import parse_qsl

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import (
    FileUploadHandler,
    MemoryFileUploadHandler,
    TemporaryFileUploadHandler,
)
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

MAX_FIELDS = 200
MAX_PLAIN_FORM = 1024 * 1024
IN_MEMORY = 256 * 1024
"""Bytes: a larger upload lies in a temporary file while it is read, so that memory stays flat."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a form: ``name`` as the client sent it, without directories; ``size`` in bytes."""

    name: str
    size: int
    file: IO[bytes]


class FormValues(MultiValueDict[str, str]):
    """The parsed body: fields, and ``parts``, its files. ``lossy`` as for ``Fields``."""

    def __init__(
        self,
        values: dict[str, list[str]] | None = None,
        parts: Mapping[str, Part] | None = None,
        *,
        lossy: bool = False,
    ) -> None:
        super().__init__(values or {})
        self.parts = dict(parts or {})
        self.lossy = lossy

    def fields(self) -> dict[str, list[str]]:
        """All values of every field."""
        return {name: self.getlist(name) for name in self}


def plain_values(text: str) -> dict[str, list[str]]:
    """The pairs of a query string or urlencoded form; other bytes than UTF-8 as surrogate escapes.

    ``text`` is as WSGI gives it, each character one byte. Raises ``ParseError`` (400).
    """
    try:
        pairs = parse_qsl(
            text.encode("latin-1").decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise ParseError(f"The parameters cannot be read: {error}.") from error
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


class PlainFormParser(BaseParser):
    """``application/x-www-form-urlencoded``"""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None
    ) -> FormValues:
        """Raises ``ParseError``."""
        data = stream.read(MAX_PLAIN_FORM + 1)
        if len(data) > MAX_PLAIN_FORM:
            raise ParseError("The form is over 1 MiB; send files as multipart/form-data.")
        return FormValues(plain_values(data.decode("latin-1")))


class FormWithFilesParser(BaseParser):
    """``multipart/form-data``"""

    media_type = "multipart/form-data"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> FormValues:
        """Raises ``ParseError``."""
        request: HttpRequest = parser_context["request"]
        meta = {**request.META, "CONTENT_TYPE": media_type}
        try:
            parser = _KeepingNames(meta, stream, request.upload_handlers, "utf-8")
            data, files = parser.parse()
        except (MultiPartParserError, LookupError, UnicodeError) as error:
            # The last two: a header may name any character set for a file name.
            raise ParseError(f"The form cannot be read: {error}") from error
        parts = {name: parser.part(files.getlist(name)[0]) for name in files}
        return FormValues({name: data.getlist(name) for name in data}, parts, lossy=True)


class _KeepingNames(MultiPartParser):
    """Django's parser changes file names: it undoes HTML escapes and cuts them at 255 characters."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._names: list[str] = []

    def sanitize_file_name(self, file_name: str) -> str:
        """The number of the name, under which ``part`` finds it."""
        self._names.append(file_name)
        return str(len(self._names) - 1)

    def part(self, uploaded: UploadedFile) -> Part:
        """The file with the name that was sent."""
        name = os.path.basename(self._names[int(uploaded.name or "")])
        return Part(name, uploaded.size or 0, uploaded.file)  # type: ignore[arg-type]  # is open


def upload_handlers(request: HttpRequest, length: int) -> list[FileUploadHandler]:
    """Where the files of a body of this many bytes go while it is read."""
    kind = MemoryFileUploadHandler if length <= IN_MEMORY else TemporaryFileUploadHandler
    return [kind(request)]
