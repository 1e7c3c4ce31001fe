"""One request to a presigned link, its body in pieces: flat memory, whatever the size."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import re
import ssl
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from staging.base import CHUNK
from staging.errors import (
    Incomplete,
    ObjectMissing,
    StagingError,
    StoreFull,
    StoreRefused,
    StoreUnreachable,
    TooLarge,
)

_TIMEOUT = 60.0
_CODE = re.compile(rb"<Code>([^<]{1,100})</Code>")
_WORDS = re.compile(rb"<Message>([^<]{1,500})</Message>")

_MISSING = {"404", "NoSuchKey", "NoSuchUpload", "NotFound"}
_FULL = {"InsufficientCapacity", "QuotaExceeded", "XMinioStorageFull"}


def connect(url: str) -> tuple[http.client.HTTPConnection, str]:
    """A connection for the link, not opened yet, and the link's path with its query."""
    parts = urlsplit(url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()
        secure = http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT, context=context)
        return secure, target
    return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT), target


def refused(status: int, code: str, text: str) -> StagingError:
    """The error for an answer of the store; ``code`` and ``text`` are its own words, or ""."""
    text = text or http.client.responses.get(status, "")
    if status == 404 or code in _MISSING:
        return ObjectMissing(text or "There is no such object.")
    if status == 507 or code in _FULL:
        return StoreFull(text)
    kind = StoreUnreachable if status >= 500 or status in (408, 429) else StoreRefused
    return kind(f"The store answers {status}: {text}")


def _refused(status: int, body: bytes) -> StagingError:
    code, words = _CODE.search(body), _WORDS.search(body)
    said = (found[1].decode("utf-8", "replace") if found else "" for found in (code, words))
    return refused(status, *said)


class SendBody:
    """PUT ``size`` bytes that are given piece by piece; ``md5`` is of those that were."""

    def __init__(self, url: str, size: int) -> None:
        self._connection, self._target = connect(url)
        self._size = size
        self._sent = 0
        self._digest = hashlib.md5(usedforsecurity=False)

    def __enter__(self) -> Self:
        try:
            self._connection.putrequest("PUT", self._target)
            self._connection.putheader("Content-Length", str(self._size))
            self._connection.endheaders()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise StoreUnreachable(f"The store does not answer: {error}") from error
        return self

    def write(self, data: bytes, /) -> int:
        self._sent += len(data)
        if self._sent > self._size:
            raise TooLarge(f"More than {self._size} bytes came.")
        self._digest.update(data)
        try:
            self._connection.send(data)
        except OSError as error:
            raise self._early(error) from error
        return len(data)

    def _early(self, error: OSError) -> StagingError:
        """A store that refuses may answer before it has read all, and close."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = self._connection.getresponse()
            return _refused(answer.status, answer.read(CHUNK))
        return StoreUnreachable(f"The store broke off: {error}")

    def finish(self) -> str:
        """The store's mark of what it got (ETag). Raises ``Incomplete`` and what the store says."""
        if self._sent != self._size:
            raise Incomplete(f"{self._sent} of {self._size} bytes came.")
        try:
            answer = self._connection.getresponse()
            body = answer.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnreachable(f"The store does not answer: {error}") from error
        if answer.status >= 300:
            raise _refused(answer.status, body)
        return answer.headers.get("ETag", "").strip('"')

    @property
    def md5(self) -> str:
        return self._digest.hexdigest()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()


class ReadAnswer:
    """GET a link, from ``offset`` on, ``length`` bytes or to the end."""

    def __init__(self, url: str, offset: int = 0, length: int | None = None) -> None:
        self._connection, self._target = connect(url)
        self._offset = offset
        self._length = length
        self._answer: http.client.HTTPResponse | None = None

    def __enter__(self) -> Self:
        headers = {}
        if self._offset or self._length is not None:
            end = "" if self._length is None else str(self._offset + self._length - 1)
            headers["Range"] = f"bytes={self._offset}-{end}"
        try:
            self._connection.request("GET", self._target, headers=headers)
            answer = self._connection.getresponse()
            if answer.status not in (200, 206):
                raise _refused(answer.status, answer.read(CHUNK))
            if headers and answer.status != 206 and self._offset:
                raise StoreRefused("The store does not give parts of objects.")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise StoreUnreachable(f"The store does not answer: {error}") from error
        except StagingError:
            self._connection.close()
            raise
        self._answer = answer
        return self

    def read(self, size: int = -1, /) -> bytes:
        if self._answer is None:
            raise ValueError("read before the request was made")
        try:
            # read1 gives what is there, so that a slow store does not hold up what has come
            data = self._answer.read1(size) if size >= 0 else self._answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise StoreUnreachable(f"The store broke off: {error}") from error
        if not data and size and self._answer.length:  # read1 is silent about a broken connection
            raise StoreUnreachable("The store broke off in the middle of the object.")
        return data

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
