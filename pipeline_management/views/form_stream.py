"""A form with one file, read as it comes: the fields first, then the file piece by piece, never all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.message import Message

from django.http import HttpRequest
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

CHUNK = 256 * 1024
_MOST_FIELDS = 40
_LONGEST_FIELD = 16 * 1024
FILE = "file"


class BadForm(Exception):
    """The body is not a form with its file last; the text is a sentence."""


class FormStream:
    """Calls ``begin`` with the fields when the file begins, and ``take`` with each of its pieces."""

    def __init__(
        self, boundary: str, begin: Callable[[dict[str, str]], None], take: Callable[[bytes], None]
    ) -> None:
        self.fields: dict[str, str] = {}
        self.ended = False
        self._begin = begin
        self._take = take
        self._header = [b"", b""]
        self._name = ""
        self._value = b""
        self._in_file = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._part_end,
            },
        )

    def feed(self, chunks: Iterator[bytes]) -> None:
        """Read until the file has ended; what stands behind it is ignored. Raises ``BadForm``."""
        try:
            for chunk in chunks:
                self._parser.write(chunk)
        except MultipartParseError as error:
            raise BadForm(f"The form cannot be read: {error}") from error
        if not self.ended:
            raise BadForm(f"The form ended before its file, which is to come last as '{FILE}'.")

    def _part_begin(self) -> None:
        self._name, self._value = "", b""
        self._header = [b"", b""]

    def _add(self, which: int, data: bytes) -> None:
        self._header[which] += data

    def _header_end(self) -> None:
        name, value = self._header
        self._header = [b"", b""]
        if name.lower() == b"content-disposition":
            message = Message()
            message["content-disposition"] = value.decode("utf-8", "replace")
            found = message.get_param("name", "", "content-disposition")
            self._name = found if isinstance(found, str) else ""

    def _headers_end(self) -> None:
        if self.ended:
            raise BadForm(f"Nothing may come behind the field '{FILE}'.")
        self._in_file = self._name == FILE
        if self._in_file:
            self._begin(self.fields)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._take(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > _LONGEST_FIELD or len(self.fields) >= _MOST_FIELDS:
            raise BadForm("The form has too many or too long fields.")

    def _part_end(self) -> None:
        if self._in_file:
            self._in_file, self.ended = False, True
        else:
            self.fields[self._name] = self._value.decode("utf-8", "replace")


def boundary_of(request: HttpRequest) -> str:
    """What separates the parts of the body. Raises ``BadForm``."""
    found = request.content_params.get("boundary", "") if request.content_params else ""
    if request.content_type != "multipart/form-data" or not found or len(found) > 200:
        raise BadForm("Expected a form, multipart/form-data with a boundary.")
    return str(found)


def pieces(request: HttpRequest, size: int = CHUNK) -> Iterator[bytes]:
    """The body as it comes."""
    while chunk := request.read(size):
        yield chunk
