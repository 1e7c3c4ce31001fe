"""The store that needs no server: files of this machine, behind links that Centro itself serves.

Below the root: ``objects`` (each file with a note of its key and checksum), ``uploads`` (files that come in
parts, each part written to its place), ``incoming`` (what is on its way) and ``revoked`` (keys whose links are
dead). Names of files are digests, so no key leads out of the root. Everything appears by rename, when whole.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from staging.base import ObjectInfo, Part, Sink, Source, StagingArea, Stray, UploadForm
from staging.errors import Incomplete, ObjectMissing, StoreFull, StoreRefused, TooLarge
from staging.pieces import Measured, Window
from staging.signing import Grant, Signer

_UPLOAD_ID = re.compile(r"[0-9a-f]{32}")
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_FOLDERS = ("objects", "uploads", "incoming", "revoked")


class LocalArea(StagingArea):
    """``public_url`` and ``inside_url`` are the addresses of the area, without a slash at their ends."""

    kind = "local"
    largest_form = None

    def __init__(self, root: Path, secret: str, public_url: str, inside_url: str = "") -> None:
        self._root = root
        self._signer = Signer(secret)
        self._public = public_url.rstrip("/")
        self._inside = (inside_url or public_url).rstrip("/")

    @property
    def origins(self) -> list[str]:
        parts = urlsplit(self._public)
        return [f"{parts.scheme}://{parts.netloc}"]

    def prepare(self) -> list[str]:
        with _plain_errors():
            for name in _FOLDERS:
                (self._root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        return []

    # links

    def upload_form(self, key: str, limit: int, seconds: int) -> UploadForm:
        return self._signer.form(self._public, key, limit, seconds)

    def upload_url(self, key: str, size: int, seconds: int) -> str:
        return self._signer.url(self._public, Grant("PUT", key, size, exact=True), seconds)

    def download_url(self, key: str, seconds: int, *, name: str = "", inside: bool = False) -> str:
        base = self._inside if inside else self._public
        return self._signer.url(base, Grant("GET", key, name=name), seconds)

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
        grant = Grant("PUT", key, size, exact=True, upload_id=upload_id, part=number)
        return self._signer.url(self._inside if inside else self._public, grant, seconds)

    def check_url(self, method: str, key: str, query: Mapping[str, str]) -> Grant:
        """What a link that somebody uses allows. Raises ``LinkRefused``; ``ObjectMissing`` when revoked."""
        return self._living(self._signer.check_url(method, key, query))

    def check_form(self, fields: Mapping[str, str]) -> Grant:
        """What a form that somebody sends allows; the errors are those of ``check_url``."""
        return self._living(self._signer.check_form(fields))

    def _living(self, grant: Grant) -> Grant:
        if self._revoked(grant.key).exists():
            raise ObjectMissing("This link is not valid any more.")
        return grant

    # objects

    @contextlib.contextmanager
    def writer(self, key: str, limit: int, *, exact: bool = False) -> Iterator[Sink]:
        """A new object of at most (or exactly) ``limit`` bytes; there when the block ends without an error.

        Raises ``TooLarge``, ``Incomplete``, ``StoreFull``; the object that was there before stays then.
        """
        with _plain_errors():
            draft = self._root / "incoming" / secrets.token_hex(16)
            try:
                with draft.open("xb") as file:
                    measured = Measured(file, limit)
                    yield measured
                    if exact and measured.size != limit:
                        raise Incomplete(f"{measured.size} of {limit} bytes came.")
                    file.flush()
                    os.fsync(file.fileno())
                self._publish(draft, key, measured.size, measured.sha256)
            finally:
                draft.unlink(missing_ok=True)

    def put(self, key: str, data: bytes) -> None:
        with self.writer(key, len(data), exact=True) as sink:
            sink.write(data)

    def _publish(self, draft: Path, key: str, size: int, sha256: str) -> None:
        if self._revoked(key).exists():
            raise ObjectMissing("This link is not valid any more.")
        path = self._path(key)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        note = {"key": key, "size": size, "sha256": sha256}
        _write(path.with_suffix(".json"), note)
        draft.replace(path)

    def stat(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        try:
            found = path.stat()
            note = json.loads(path.with_suffix(".json").read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreRefused(f"The staging area: {error.strerror}.") from error
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        sha256 = str(note["sha256"])
        etag = sha256 or f"{found.st_size:x}-{found.st_mtime_ns:x}"
        return ObjectInfo(found.st_size, etag, modified, sha256)

    @contextlib.contextmanager
    def reader(self, key: str, offset: int = 0, length: int | None = None) -> Iterator[Source]:
        try:
            file = self._path(key).open("rb")
        except FileNotFoundError:
            raise ObjectMissing("There is no such file in the staging area.") from None
        with _plain_errors(), file:
            file.seek(offset)
            yield Window(file, length)

    def revoke(self, key: str) -> None:
        with _plain_errors():
            self._revoked(
                key
            ).touch()  # first: what is being uploaded now must not appear afterwards
            self._path(key).unlink(missing_ok=True)
            self._path(key).with_suffix(".json").unlink(missing_ok=True)

    # uploads in parts

    def begin_parts(self, key: str, part_size: int) -> str:
        upload_id = secrets.token_hex(16)
        with _plain_errors():
            folder = self._root / "uploads" / upload_id
            folder.mkdir(mode=0o700)
            (folder / "data").touch()
            _write(folder / "upload.json", {"key": key, "part_size": part_size})
        return upload_id

    @contextlib.contextmanager
    def part_writer(self, key: str, upload_id: str, number: int, size: int) -> Iterator[Sink]:
        folder, part_size = self._upload(key, upload_id)
        if size > part_size:
            raise TooLarge(f"A part of this upload has at most {part_size} bytes.")
        with _plain_errors(), (folder / "data").open("r+b") as file:
            file.seek((number - 1) * part_size)
            measured = Measured(file, size)
            yield measured
            if measured.size != size:
                raise Incomplete(f"{measured.size} of {size} bytes came.")
            file.flush()
            _write(folder / f"{number}.json", {"size": size, "etag": measured.sha256})

    def parts(self, key: str, upload_id: str) -> list[Part]:
        folder, _ = self._upload(key, upload_id)
        found = []
        for path in folder.glob("[0-9]*.json"):
            note = json.loads(path.read_bytes())
            found.append(Part(int(path.stem), note["size"], note["etag"]))
        return sorted(found, key=lambda part: part.number)

    def finish_parts(self, key: str, upload_id: str, parts: list[Part]) -> ObjectInfo:
        try:
            folder, part_size = self._upload(key, upload_id)
        except ObjectMissing:
            if done := self.stat(key):
                return done
            raise
        there = {part.number: part for part in self.parts(key, upload_id)}
        for number, part in enumerate(parts, start=1):
            if there.get(number) != part or (part.size != part_size and number < len(parts)):
                raise Incomplete(f"Part {number} has not come, or not as it was named.")
        size = sum(part.size for part in parts)
        with _plain_errors():
            with (folder / "data").open("r+b") as file:
                file.truncate(size)
                os.fsync(file.fileno())
            self._publish(folder / "data", key, size, "")
            shutil.rmtree(folder, ignore_errors=True)
        done = self.stat(key)
        if done is None:
            raise ObjectMissing("The upload was taken back.")
        return done

    def abort_parts(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(ObjectMissing):
            shutil.rmtree(self._upload(key, upload_id)[0], ignore_errors=True)

    def _upload(self, key: str, upload_id: str) -> tuple[Path, int]:
        """The folder and the part size of an upload of this key."""
        missing = ObjectMissing("There is no such upload.")
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise missing
        folder = self._root / "uploads" / upload_id
        try:
            note = json.loads((folder / "upload.json").read_bytes())
        except FileNotFoundError:
            raise missing from None
        if note["key"] != key:
            raise missing
        return folder, int(note["part_size"])

    # what is left lying

    def strays(self, before: datetime) -> list[Stray]:
        """Forgets on the way what was on its way before that time and never came, and revoked links that
        are that old."""
        limit = before.timestamp()
        for name in ("incoming", "revoked"):
            for path in _older(self._root / name, limit):
                path.unlink(missing_ok=True)
        found = []
        for path in _older(self._root / "objects", limit, "*/*.json"):
            note = json.loads(path.read_bytes())
            found.append(Stray(str(note["key"]), _since(path)))
        for path in _older(self._root / "uploads", limit, "*/upload.json"):
            note = json.loads(path.read_bytes())
            found.append(Stray(str(note["key"]), _since(path), path.parent.name))
        return found

    def _path(self, key: str) -> Path:
        digest = _digest(key)
        return self._root / "objects" / digest[:2] / digest

    def _revoked(self, key: str) -> Path:
        return self._root / "revoked" / _digest(key)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _write(path: Path, note: dict[str, Any]) -> None:
    """The whole note or none."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.write_text(json.dumps(note))
    draft.replace(path)


def _older(folder: Path, limit: float, pattern: str = "*") -> list[Path]:
    found = []
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < limit:
                found.append(path)
        if len(found) == 1000:
            break
    return found


def _since(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """What the operating system says as an error of this package."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StoreFull(f"The staging area has no room: {error.strerror}.") from error
        if error.errno == errno.ENOENT:
            raise ObjectMissing("There is no such upload.") from error
        raise StoreRefused(f"The staging area: {error.strerror}.") from error
