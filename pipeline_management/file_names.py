"""Names of files on systems: how they stand in addresses and forms, and how they are shown.

A name may hold any byte but "/" and NUL. Here it is a str in which bytes that are not UTF-8 stand as surrogate
escapes (PEP 383); what a page shows of it is plain text in one line, what an address holds is percent-encoded.
"""

from __future__ import annotations

import posixpath
from urllib.parse import quote, unquote

from django.http import HttpRequest

_FIRST = "\U0010ff00"


def visible(text: str) -> str:
    """One line that shows what is there: control and direction characters and stray bytes are spelled out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def quoted(path: str) -> str:
    """A path for an address or a hidden field; slashes stay.

    Bytes that are not UTF-8 would be lost in an address (Django reads it as UTF-8), so each stands there as a
    character from the very end of Unicode, as do the bytes of such a character itself.
    """
    plain = "".join(
        char if char < _FIRST and not _is_stray(char) else _carried(char) for char in path
    )
    return quote(plain, safe="/~")


def unquoted(text: str) -> str:
    """The path that ``quoted`` made this of."""
    return _restored(unquote(text))


def tail_of(request: HttpRequest, parts: int) -> str:
    """What stands in the request's address behind so many parts, as it was before ``quoted``."""
    return _restored(request.path_info.split("/", parts + 1)[parts + 1])


def _is_stray(char: str) -> bool:
    return "\udc80" <= char <= "\udcff"


def _carried(char: str) -> str:
    return "".join(chr(ord(_FIRST) + byte) for byte in char.encode("utf-8", "surrogateescape"))


def _restored(text: str) -> str:
    if all(char < _FIRST for char in text):
        return text
    data = b"".join(
        bytes([ord(char) - ord(_FIRST)])
        if char >= _FIRST
        else char.encode("utf-8", "surrogateescape")
        for char in text
    )
    return data.decode("utf-8", "surrogateescape")


def absolute(text: str) -> str:
    """An absolute path without ".", ".." and doubled slashes."""
    return posixpath.normpath("/" + text.lstrip("/"))


class RawPath:
    """The converter of addresses that end with any path, the empty one included; read it with ``tail_of``."""

    regex = r"[\s\S]*"

    def to_python(self, value: str) -> str:
        """As Django decoded it."""
        return value

    def to_url(self, value: str) -> str:
        """Django quotes it."""
        return value
