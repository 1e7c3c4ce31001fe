"""Files that are measured while they are written, and windows of files that are read."""

from __future__ import annotations

import hashlib
from typing import IO

from staging.errors import TooLarge


class Measured:
    """Passes on what is written, counts it, digests it, and stops it at ``limit`` bytes (``TooLarge``)."""

    def __init__(self, target: IO[bytes], limit: int) -> None:
        self._target = target
        self._limit = limit
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self.size += len(data)
        if self.size > self._limit:
            raise TooLarge(f"More than {self._limit} bytes came.")
        self._digest.update(data)
        self._target.write(data)
        return len(data)

    @property
    def sha256(self) -> str:
        """Of what has been written, 64 hexadecimal digits."""
        return self._digest.hexdigest()


class Window:
    """At most ``length`` bytes of a file from where it stands."""

    def __init__(self, source: IO[bytes], length: int | None) -> None:
        self._source = source
        self._left = length

    def read(self, size: int = -1, /) -> bytes:
        if self._left is not None:
            size = self._left if size < 0 else min(size, self._left)
        data = self._source.read(size)
        if self._left is not None:
            self._left -= len(data)
        return data
