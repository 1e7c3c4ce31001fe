"""Workbooks that are made to do harm, each with the code of its refusal."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable

from openpyxl import Workbook

from tests.workbook.sheets import bytes_of

NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
SHEET = "xl/worksheets/sheet1.xml"
DTD = '<?xml version="1.0"?><!DOCTYPE x [{}]>'
BOMB = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "boom" * 10}">' for n in range(10))


def plain() -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Settings"
    sheet.append(["Key", "Value"])
    sheet.append(["pipeline", "hello"])
    return bytes_of(book)


def with_parts(parts: dict[str, bytes | str], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A good workbook with some parts in place of its own, or added."""
    source = zipfile.ZipFile(io.BytesIO(plain()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as package:
        for name in source.namelist():
            if name not in parts:
                package.writestr(name, source.read(name))
        for name, content in parts.items():
            package.writestr(name, content)
    return out.getvalue()


def sheet(rows: str) -> bytes:
    """A workbook whose first sheet has these rows, as XML."""
    return with_parts(
        {SHEET: f'<worksheet xmlns="{NAMESPACE}"><sheetData>{rows}</sheetData></worksheet>'}
    )


def strings(content: str) -> bytes:
    return with_parts({"xl/sharedStrings.xml": content})


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data and len(old) == len(new)
    return data.replace(old, new)


def lying_size() -> bytes:
    """The directory says that a large member is small."""
    data = bytearray(with_parts({"xl/big.xml": b"<a>" + b"x" * 3_000_000 + b"</a>"}))
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"xl/big.xml"))
    data[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    return bytes(data)


def overlapping() -> bytes:
    """Two names for the same compressed bytes, as zip bombs do that do not nest."""
    data = bytearray(plain())
    heads = [at for at in range(len(data) - 4) if data[at : at + 4] == b"PK\x01\x02"]
    first, second = heads[0], heads[1]
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(plain())
    for at in range(len(data) - 4):
        if data[at : at + 4] == b"PK\x01\x02":
            data[at + 8] |= 1
    return bytes(data)


def twice() -> bytes:
    return patched(
        with_parts({"xl/onex.xml": "<a/>", "xl/twox.xml": "<a/>"}), b"xl/twox.xml", b"xl/onex.xml"
    )


def many_sheets() -> bytes:
    book = Workbook()
    for number in range(100):
        book.create_sheet(f"s{number}")
    return bytes_of(book)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "workbook_empty"),
    "text": (lambda: b"a,b\n1,2\n", "workbook_kind"),
    "html": (lambda: b"<html><table></table></html>", "workbook_kind"),
    "old xls or password": (
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000),
        "workbook_old",
    ),
    "half a file": (lambda: plain()[:2000], "workbook_broken"),
    "only a magic number": (lambda: b"PK\x03\x04", "workbook_broken"),
    "noise after a magic number": (
        lambda: b"PK\x03\x04" + bytes(range(256)) * 40,
        "workbook_broken",
    ),
    "another zip file": (lambda: _zip({"a.txt": "x"}), "workbook_kind"),
    "no content types": (lambda: _zip({"xl/workbook.xml": "<a/>"}), "workbook_kind"),
    "OpenDocument": (lambda: with_parts({"mimetype": "application/vnd.oasis"}), "workbook_kind"),
    "xlsb": (lambda: with_parts({"xl/workbook.bin": b"x"}), "workbook_active"),
    "macros": (lambda: with_parts({"xl/vbaProject.bin": b"x"}), "workbook_active"),
    "macros elsewhere": (lambda: with_parts({"x/VBAPROJECT.BIN": b"x"}), "workbook_active"),
    "macro sheets": (lambda: with_parts({"xl/macrosheets/sheet1.xml": "<a/>"}), "workbook_active"),
    "links to others": (
        lambda: with_parts({"xl/externalLinks/externalLink1.xml": "<a/>"}),
        "workbook_active",
    ),
    "links by backslash": (
        lambda: with_parts({"xl\\externalLinks\\e.xml": "<a/>"}),
        "workbook_active",
    ),
    "connections": (lambda: with_parts({"xl/connections.xml": "<a/>"}), "workbook_active"),
    "queries": (lambda: with_parts({"xl/queryTables/q.xml": "<a/>"}), "workbook_active"),
    "embedded files": (lambda: with_parts({"xl/embeddings/o.bin": b"x"}), "workbook_active"),
    "ActiveX": (lambda: with_parts({"xl/activeX/a.xml": "<a/>"}), "workbook_active"),
    "too many members": (
        lambda: with_parts({f"xl/x{n}.xml": "<a/>" for n in range(1100)}),
        "workbook_bomb",
    ),
    "one well packed member": (
        lambda: with_parts({"xl/b.xml": b"<a>" + b"0" * 9_000_000}),
        "workbook_bomb",
    ),
    "a well packed picture": (
        lambda: with_parts({"xl/media/a.png": bytes(20_000_000)}),
        "workbook_bomb",
    ),
    "too much in all": (lambda: with_parts({"xl/b.bin": bytes(110_000_000)}), "workbook_bomb"),
    "a lying size": (lying_size, "workbook_broken"),
    "overlapping members": (overlapping, "workbook_bomb"),
    "a member twice": (twice, "workbook_broken"),
    "a password on members": (encrypted, "workbook_encrypted"),
    "entity in a sheet": (
        lambda: with_parts({SHEET: DTD.format('<!ENTITY e "v">') + "<x>&e;</x>"}),
        "workbook_entities",
    ),
    "a billion laughs": (
        lambda: strings(DTD.format(BOMB) + "<sst>&a9;</sst>"),
        "workbook_entities",
    ),
    "entity of a file": (
        lambda: strings(DTD.format('<!ENTITY e SYSTEM "file:///etc/passwd">') + "<sst>&e;</sst>"),
        "workbook_entities",
    ),
    "entity of an address": (
        lambda: strings(DTD.format('<!ENTITY e SYSTEM "http://127.0.0.1/x">') + "<sst>&e;</sst>"),
        "workbook_entities",
    ),
    "parameter entity": (
        lambda: strings(DTD.format('<!ENTITY % e SYSTEM "http://127.0.0.1/x"> %e;') + "<sst/>"),
        "workbook_entities",
    ),
    "outer document type": (
        lambda: with_parts({"xl/styles.xml": '<!DOCTYPE x SYSTEM "http://127.0.0.1/d"><x/>'}),
        "workbook_entities",
    ),
    "entity in small letters": (
        lambda: strings('<!doctype x [<!entity e "v">]><x/>'),
        "workbook_entities",
    ),
    "entity in relations": (
        lambda: with_parts({"_rels/.rels": DTD.format('<!ENTITY e "v">') + "<x/>"}),
        "workbook_entities",
    ),
    "entity behind a megabyte": (
        lambda: strings(
            "<!--" + hashlib.shake_128(b"x").hexdigest(600_000) + "-->" + DTD.format("") + "<x/>"
        ),
        "workbook_entities",
    ),
    "UTF-16": (
        lambda: strings(
            "\ufeff" + DTD.format('<!ENTITY e "v">').encode("utf-16-le").decode("latin-1")
        ),
        "workbook_broken",
    ),
    "real UTF-16": (
        lambda: with_parts({SHEET: DTD.format("").encode("utf-16")}),
        "workbook_broken",
    ),
    "EBCDIC": (
        lambda: with_parts({SHEET: '<?xml version="1.0" encoding="cp037"?><x/>'.encode("cp037")}),
        "workbook_broken",
    ),
    "declared EBCDIC": (
        lambda: with_parts({SHEET: '<?xml version="1.0" encoding="cp037"?><x/>'}),
        "workbook_broken",
    ),
    "no XML": (lambda: with_parts({SHEET: "hello"}), "workbook_broken"),
    "XML without end": (
        lambda: with_parts({SHEET: f'<worksheet xmlns="{NAMESPACE}"><sheetData>'}),
        "workbook_broken",
    ),
    "a string that is not there": (
        lambda: sheet('<row r="1"><c r="A1" t="s"><v>99</v></c></row>'),
        "workbook_broken",
    ),
    "a row far down": (
        lambda: sheet('<row r="1048576"><c r="A1048576"><v>1</v></c></row>'),
        "workbook_too_many",
    ),
    "a row beyond all": (
        lambda: sheet('<row r="99999999999"><c><v>1</v></c></row>'),
        "workbook_too_many",
    ),
    "rows backwards": (lambda: sheet('<row r="5"/><row r="2"/>'), "workbook_broken"),
    "a row below nothing": (lambda: sheet('<row r="-3"><c><v>1</v></c></row>'), "workbook_broken"),
    "a cell that is none": (
        lambda: sheet('<row r="1"><c r="??"><v>1</v></c></row>'),
        "workbook_broken",
    ),
    "too many columns": (
        lambda: sheet(f'<row r="1">{"<c><v>1</v></c>" * 3000}</row>'),
        "workbook_too_many",
    ),
    "too many sheets": (many_sheets, "workbook_too_many"),
}


def _zip(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return out.getvalue()
