"""Whether both ends have the same content: SHA-256 of both, or what the store's own checksums say of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from hpc.files.moving import Digests
from pipeline_management.services.transfers.job import Unequal
from staging.base import CHUNK, ObjectInfo, StagingArea

_MD5 = re.compile(r"[0-9a-f]{32}")
_MD5_OF_PARTS = re.compile(r"[0-9a-f]{32}-\d+")
DIFFERENT = "The checksums differ: the file was damaged on its way."


def md5_wanted(found: ObjectInfo, part_size: int, moved: str) -> int | None:
    """Which MD5s of the file prove it equal to the object: 0 that of the whole, else the size of its parts;
    None where none is needed, or where the store's mark says nothing of the content."""
    if moved or found.sha256:
        return None
    if _MD5.fullmatch(found.etag):
        return 0
    return part_size if part_size and _MD5_OF_PARTS.fullmatch(found.etag) else None


def etag_of_parts(md5s: Sequence[str]) -> str:
    """What S3 calls an object of parts with these MD5s."""
    whole = hashlib.md5(b"".join(bytes.fromhex(one) for one in md5s), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(md5s)}"


def check(
    digests: Digests, found: ObjectInfo, moved: str, declared: str, read_back: Callable[[], str]
) -> None:
    """Raises ``Unequal`` unless the file on the system is what the store has, and what the person declared.

    ``digests`` are those of the file on the system, with the MD5s that ``md5_wanted`` names.

    ``moved`` is the SHA-256 of what was moved if all of it passed through here, else "".
    ``read_back`` reads the object and gives its SHA-256, for a store that says nothing of it.
    """
    known = moved or found.sha256
    if not known and digests.md5s:
        mark = digests.md5s[0] if _MD5.fullmatch(found.etag) else etag_of_parts(digests.md5s)
        known = digests.sha256 if mark == found.etag else ""
    if not known:
        known = read_back()
    if known != digests.sha256:
        raise Unequal(DIFFERENT)
    if declared and declared != digests.sha256:
        raise Unequal(
            f"The file that came has the SHA-256 {digests.sha256}, announced was {declared}."
        )


def sha256_of_object(area: StagingArea, key: str, alive: Callable[[], None]) -> str:
    """Read an object for its SHA-256; ``alive`` is called now and then and may raise."""
    digest = hashlib.sha256()
    with area.reader(key) as source:
        count = 0
        while data := source.read(CHUNK):
            digest.update(data)
            count += 1
            if count % 256 == 0:
                alive()
    return digest.hexdigest()
