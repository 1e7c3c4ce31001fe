"""What a store must offer. Two do: ``staging.local`` and ``staging.s3``.

An object is found by its key, "<folder>/<file name>". Links carry their permission in themselves, for one
key and one method, and end at a time; nobody who has one needs to log in. Sizes are in bytes, the life of a
link in seconds. All methods raise the ``StagingError`` tree and nothing else for what a store does.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

MIB = 1024 * 1024
GIB = 1024 * MIB
CHUNK = 256 * 1024
SMALLEST_PART = 5 * MIB
"""Of all parts but the last (Amazon S3, "multipart upload limits", also those of the next two)."""
LARGEST_PART = 5 * GIB
MOST_PARTS = 10_000
_USUAL_PART = 16 * MIB
_AIM_PARTS = 8_000
_LONGEST_NAME = 180


@dataclass(frozen=True, slots=True)
class UploadForm:
    """How somebody without keys puts an object there: a form of ``fields``, the file last, as "file"."""

    method: str
    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object. ``etag`` is the store's own mark of its content: for S3 mostly the MD5 in hexadecimal
    digits, or that of the parts' MD5s with "-<number of parts>". ``sha256`` is "" where the store has none.
    """

    size: int
    etag: str
    modified: datetime
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has; parts are numbered from 1."""

    number: int
    size: int
    etag: str


@dataclass(frozen=True, slots=True)
class Stray:
    """An object, or with ``upload_id`` an unfinished upload in parts, that has lain there since ``since``."""

    key: str
    since: datetime
    upload_id: str = field(default="")


class Sink(Protocol):
    """Takes the content of a part or of an object, in pieces."""

    def write(self, data: bytes, /) -> int: ...


class Source(Protocol):
    """Gives the content of an object, in pieces; b"" at its end."""

    def read(self, size: int = -1, /) -> bytes: ...


class StagingArea(ABC):
    """One store. Safe for use by several threads at once."""

    kind: ClassVar[str]
    largest_form: ClassVar[int | None]
    """The most bytes that one form can bring; larger files go in parts. None: any number."""

    @abstractmethod
    def prepare(self) -> list[str]:
        """Make what the area needs and is missing, set rules of expiry where the store knows such.

        May be called at every start. Returns what could not be set, one sentence each.
        """

    @abstractmethod
    def upload_form(self, key: str, limit: int, seconds: int) -> UploadForm:
        """A form that takes one file of at most ``limit`` bytes under this key."""

    @abstractmethod
    def upload_url(self, key: str, size: int, seconds: int) -> str:
        """A link for one PUT of exactly ``size`` bytes."""

    @abstractmethod
    def download_url(self, key: str, seconds: int, *, name: str = "", inside: bool = False) -> str:
        """A link for GET and HEAD, whole or ranges, as often as wanted.

        ``name``: what a browser is to call the file. ``inside``: by the address that systems use.
        """

    @abstractmethod
    def begin_parts(self, key: str, part_size: int) -> str:
        """Begin an upload in parts, all but the last of ``part_size``; its id."""

    @abstractmethod
    def part_url(
        self,
        key: str,
        upload_id: str,
        number: int,
        size: int,
        seconds: int,
        *,
        inside: bool = False,
    ) -> str:
        """A link for a PUT of one part of ``size`` bytes; may be used again, the last one counts."""

    @abstractmethod
    def parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts that are there, by number. Raises ``ObjectMissing`` for an unknown upload."""

    @abstractmethod
    def finish_parts(self, key: str, upload_id: str, parts: list[Part]) -> ObjectInfo:
        """Make the parts, which follow one another without a gap, the object. It appears whole.

        An upload that has been finished already is no error.
        """

    @abstractmethod
    def abort_parts(self, key: str, upload_id: str) -> None:
        """Forget an upload and its parts; an unknown one is no error."""

    @abstractmethod
    def part_writer(
        self, key: str, upload_id: str, number: int, size: int
    ) -> AbstractContextManager[Sink]:
        """Write one part of ``size`` bytes from here; kept when the block ends, checked against what the
        store says it got. Flat memory."""

    @abstractmethod
    def reader(
        self, key: str, offset: int = 0, length: int | None = None
    ) -> AbstractContextManager[Source]:
        """Read an object from ``offset``, ``length`` bytes or to its end. Flat memory."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """A small object from memory."""

    @abstractmethod
    def stat(self, key: str) -> ObjectInfo | None:
        """The object, or None where there is none."""

    @abstractmethod
    def revoke(self, key: str) -> None:
        """Delete the object and let every link to it be dead from now on, those for uploads included as
        far as the store can (S3 cannot: what still comes there is a stray)."""

    @abstractmethod
    def strays(self, before: datetime) -> list[Stray]:
        """What has lain in the area since before that time, at most a thousand of each kind."""

    @property
    @abstractmethod
    def origins(self) -> list[str]:
        """ "https://host" of every address that a browser is sent to."""


def part_size_for(size: int) -> int:
    """The size of the parts of a file: 16 MiB, and more where that would be too many. ``ValueError`` for a
    file that no store takes (above some 40 TiB)."""
    wanted = max(_USUAL_PART, -(-size // _AIM_PARTS))
    rounded = -(-wanted // MIB) * MIB
    if rounded > LARGEST_PART:
        raise ValueError(f"{size} bytes are more than a store takes in {MOST_PARTS} parts")
    return rounded


def key_for(folder: str, name: str) -> str:
    """The key of a file: characters that make trouble in links or headers become "_"."""
    plain = re.sub(r"[^\w.+@=,()-]", "_", name, flags=re.ASCII).lstrip(".") or "file"
    return f"{folder}/{plain[-_LONGEST_NAME:]}"
