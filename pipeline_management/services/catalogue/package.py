"""What an administrator uploads: one YAML file, or a zip with a YAML file and the files that it names.

Everything is bounded before it is read: bytes, members, their sizes and names, aliases and depth of the YAML.
Nothing is written to a disk, and no name can lead out of the upload.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import yaml

from pipeline_management.services.site.reading import Fault, SiteError

MAX_UPLOAD = 2_000_000
"""Bytes of the uploaded file."""
MAX_MEMBERS = 50
MAX_MEMBER = 2_000_000
MAX_TOTAL = 8_000_000
MAX_RATIO = 200
MAX_YAML = 500_000
MAX_DEPTH = 40
DOCUMENTS = ("pipeline.yaml", "pipeline.yml")
_ZIP = b"PK"
_IGNORED = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$)")
_SYMLINK_SHIFT = 16


@dataclass(slots=True)
class Package:
    """The YAML's text and the name it had, and the other files by their path within the upload."""

    name: str
    text: str
    files: dict[str, bytes] = field(default_factory=dict)


def open_package(name: str, data: bytes) -> Package:
    """Raises ``SiteError`` with everything that is wrong with the upload as a whole."""
    if not data:
        raise SiteError([Fault("", f"{name} is empty")])
    if len(data) > MAX_UPLOAD:
        raise SiteError([Fault("", f"{name} has {len(data)} bytes, expected at most {MAX_UPLOAD}")])
    if data.startswith(_ZIP):
        return _from_zip(name, data)
    package = Package(name, _text(name, data))
    check_yaml(package.text, name)
    return package


def _from_zip(name: str, data: bytes) -> Package:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = _members(name, archive)
            files = {path: _content(archive, info) for path, info in members.items()}
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as error:
        raise SiteError([Fault("", f"{name} is not a readable zip file: {error}")]) from error
    files = _without_common_folder(files)
    found = [document for document in DOCUMENTS if document in files]
    if len(found) != 1:
        there = ", ".join(sorted(files)[:20]) or "nothing"
        raise SiteError(
            [Fault("", f"expected one {DOCUMENTS[0]} at the top of {name}; there is {there}")]
        )
    text = _text(found[0], files.pop(found[0]))
    check_yaml(text, found[0])
    return Package(found[0], text, files)


def _members(name: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MAX_MEMBERS:
        raise SiteError(
            [Fault("", f"{name} has {len(entries)} members, expected at most {MAX_MEMBERS}")]
        )
    faults: list[Fault] = []
    members: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in entries:
        if info.is_dir() or _IGNORED.search(info.filename):
            continue
        why = _refused(info)
        if not why and info.filename.lower() in seen:
            why = "is there twice"
        seen.add(info.filename.lower())
        if why:
            faults.append(Fault(_shown(info.filename), why))
        members[info.filename] = info
    total = sum(info.file_size for info in members.values())
    if total > MAX_TOTAL:
        faults.append(Fault("", f"{name} unpacks to {total} bytes, expected at most {MAX_TOTAL}"))
    if faults:
        raise SiteError(faults)
    return members


def _refused(info: zipfile.ZipInfo) -> str:
    """Why a member is not taken; "" if it is."""
    path = info.filename
    parts = PurePosixPath(path).parts
    if (
        path.startswith("/")
        or "\\" in path
        or ":" in path
        or ".." in parts
        or not path.isprintable()
    ):
        return "is not a path within the upload: expected names like schema.json or files/script.sh"
    if len(path) > 200:
        return "has a name of more than 200 characters"
    if info.flag_bits & 0x1:
        return "is encrypted"
    if stat.S_ISLNK(info.external_attr >> _SYMLINK_SHIFT):
        return "is a symbolic link"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed by a method other than deflate"
    if info.file_size > MAX_MEMBER:
        return f"unpacks to {info.file_size} bytes, expected at most {MAX_MEMBER}"
    if info.file_size > MAX_RATIO * max(info.compress_size, 100):
        return f"unpacks to more than {MAX_RATIO} times its size"
    return ""


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The member's bytes; not more than it said that it has, whatever is really there."""
    with archive.open(info) as stream:
        data = stream.read(MAX_MEMBER + 1)
    if len(data) > MAX_MEMBER:
        raise SiteError([Fault(_shown(info.filename), f"unpacks to more than {MAX_MEMBER} bytes")])
    return data


def _without_common_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    """A folder that was packed as a whole counts as if its content had been."""
    folders = {path.partition("/")[0] if "/" in path else "" for path in files}
    if len(folders) != 1 or folders == {""}:
        return files
    return {path.partition("/")[2]: data for path, data in files.items()}


def text_or_fault(name: str, data: bytes) -> tuple[str, str]:
    """The text of a file and why it is none; one of both is "" (both for an empty file)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "", f"{name} is not UTF-8 text"
    if "\x00" in text:
        return "", f"{name} holds a null character: it is not text"
    return text, ""


def _text(name: str, data: bytes) -> str:
    text, fault = text_or_fault(name, data)
    if fault:
        raise SiteError([Fault("", fault)])
    return text


def check_yaml(text: str, name: str) -> None:
    """Refuse what would cost much to read: size, depth, and aliases, which can name each other without end."""
    if len(text) > MAX_YAML:
        message = f"{name} has {len(text)} characters, expected at most {MAX_YAML}: put long parts into files"
        raise SiteError([Fault("", message)])
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else None
            if isinstance(event, yaml.AliasEvent):
                raise SiteError(
                    [Fault("", "aliases (*name) are not taken here: write the part out", line)]
                )
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                raise SiteError([Fault("", f"is nested more than {MAX_DEPTH} deep", line)])
    except yaml.YAMLError:
        return  # told with its place by the reader proper
    except RecursionError:
        raise SiteError([Fault("", f"{name} is nested too deep")]) from None


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "�" for c in name)[:100]
