"""The zip file of a workbook, looked through before anything reads its XML.

Limits: 1,000 members, 100 MiB unpacked (counted while unpacking, not believed), a hundredfold compression of large
members, 4 million XML tags. An xlsx file is a zip file of UTF-8 XML without document types (ECMA-376, part 2).
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

MAX_MEMBERS = 1_000
MAX_UNPACKED = 100 * 1024 * 1024
MAX_RATIO = 100
MAX_TAGS = 4_000_000
SMALL = 1024 * 1024
"""Bytes up to which a member may be compressed as well as it likes."""

_CHUNK = 1024 * 1024
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}encoding\s*=\s*[\"']([A-Za-z0-9._-]{1,40})[\"']")
_XML_ENDS = (".xml", ".rels", ".vml")
_SUSPECT = (b"<!DOCTYPE", b"<!ENTITY")
_HEAD = 512

_PARTS = (
    (
        "vbaproject",
        "The workbook contains macros; save it as “Excel workbook (.xlsx)” without macros.",
    ),
    ("xl/macrosheets/", "The workbook contains macro sheets; save it without them."),
    (
        "xl/externallinks/",
        "The workbook refers to other workbooks; break the links (Data, Edit links) and save it.",
    ),
    ("xl/connections", "The workbook has data connections; remove them and save it."),
    ("xl/querytables/", "The workbook has data connections; remove them and save it."),
    ("xl/embeddings/", "The workbook has other files embedded; remove them and save it."),
    ("xl/activex/", "The workbook has ActiveX controls; remove them and save it."),
    ("xl/workbook.bin", "This is a binary workbook (.xlsb); save it as “Excel workbook (.xlsx)”."),
)


class Refused(Exception):
    """The file is not read; the text says why and what to do, ``code`` is a stable word."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(data: bytes) -> None:
    """Nothing, or ``Refused``. Unpacks every member once, without keeping any."""
    _check_kind(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            _check_names(package)
            _check_directory(package, len(data))
            _check_content(package)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise Refused("workbook_broken", "The file is damaged: it cannot be unpacked.") from error
    except RuntimeError as error:  # what zipfile says of a member with a password
        raise Refused("workbook_encrypted", "The file has a password; save it without.") from error


def _check_kind(data: bytes) -> None:
    if not data:
        raise Refused("workbook_empty", "The file is empty.")
    if data.startswith(_OLE):
        message = "The file has a password or is in the old .xls form; save it as .xlsx without a password."
        raise Refused("workbook_old", message)
    if not data.startswith(b"PK\x03\x04"):
        message = "The file is no xlsx workbook; save it as “Excel workbook (.xlsx)”."
        raise Refused("workbook_kind", message)


def _check_names(package: zipfile.ZipFile) -> None:
    names = package.namelist()
    if len(names) > MAX_MEMBERS:
        message = f"The file has {len(names)} parts; a workbook has at most {MAX_MEMBERS}."
        raise Refused("workbook_bomb", message)
    if len(set(names)) != len(names):
        raise Refused("workbook_broken", "The file is damaged: it has a part twice.")
    if "mimetype" in names:
        message = "This is an OpenDocument file; save it as “Excel workbook (.xlsx)”."
        raise Refused("workbook_kind", message)
    for name in names:
        for part, message in _PARTS:
            if part in name.lower().replace("\\", "/"):
                raise Refused("workbook_active", message)
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise Refused("workbook_kind", "The file is a zip file, but no xlsx workbook.")


def _check_directory(package: zipfile.ZipFile, size: int) -> None:
    """What the directory of the zip file says, before anything is unpacked."""
    members = sorted(package.infolist(), key=lambda member: member.header_offset)
    if sum(member.file_size for member in members) > MAX_UNPACKED:
        raise _too_much()
    end = 0
    for member in members:
        if member.header_offset < end:
            raise Refused("workbook_bomb", "The file is damaged: its parts lie on each other.")
        end = member.header_offset + 30 + member.compress_size
        if member.flag_bits & 1:
            raise Refused("workbook_encrypted", "The file has a password; save it without.")
        if member.file_size > SMALL and member.file_size > MAX_RATIO * member.compress_size:
            raise _packed_too_well(member.filename)
    if end > size:
        raise Refused("workbook_broken", "The file is damaged: a part reaches beyond its end.")


def _check_content(package: zipfile.ZipFile) -> None:
    unpacked = tags = 0
    for member in package.infolist():
        of_member = 0
        tail = b""
        is_xml = member.filename.lower().endswith(_XML_ENDS)
        with package.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                if is_xml:
                    _check_text(chunk, tail, member.filename, first=of_member == 0)
                    tags += chunk.count(b"<")
                of_member += len(chunk)
                tail = chunk[-16:]
                if unpacked + of_member > MAX_UNPACKED:
                    raise _too_much()
                if of_member > SMALL and of_member > MAX_RATIO * member.compress_size:
                    raise _packed_too_well(member.filename)
        unpacked += of_member
        if tags > MAX_TAGS:
            message = "The workbook has too many cells; a configuration has at most some 100,000."
            raise Refused("workbook_too_many", message)


def _check_text(chunk: bytes, tail: bytes, name: str, *, first: bool) -> None:
    """No document type, no entity, and UTF-8, so that looking for them in the bytes is enough."""
    if b"\0" in chunk[:_HEAD]:
        raise _not_plain(name)
    if first:
        encoding = _ENCODING.match(chunk.removeprefix(b"\xef\xbb\xbf"))
        if encoding and encoding[1].lower() not in (b"utf-8", b"utf8", b"us-ascii", b"ascii"):
            raise _not_plain(name)
        if not chunk.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
            raise _not_plain(name)
    upper = (tail + chunk).upper()
    if any(word in upper for word in _SUSPECT):
        message = (
            f"The part {name[:80]} declares a document type or entities, which workbooks do not."
        )
        raise Refused("workbook_entities", message)


def _not_plain(name: str) -> Refused:
    return Refused("workbook_broken", f"The part {name[:80]} is no XML in UTF-8.")


def _too_much() -> Refused:
    message = f"The workbook is over {MAX_UNPACKED // 1024**2} MiB when unpacked."
    return Refused("workbook_bomb", message)


def _packed_too_well(name: str) -> Refused:
    message = (
        f"The part {name[:80]} is packed more than {MAX_RATIO} to 1; no workbook of people is."
    )
    return Refused("workbook_bomb", message)
