"""Every row of the contract's tables of errors for /utilities/: status, header, body, and nothing done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.firecrest.desk import Desk, error_headers

pytestmark = pytest.mark.lab

INVALID, DENIED, ABSENT = "X-Invalid-Path", "X-Permission-Denied", "X-Not-Found"
FOLDER, NO_FOLDER, THERE = "X-A-Directory", "X-Not-A-Directory", "X-Exists"
METHODS = {
    "ls": "GET", "file": "GET", "stat": "GET", "checksum": "GET", "head": "GET", "tail": "GET",
    "view": "GET", "download": "GET", "whoami": "GET", "mkdir": "POST", "copy": "POST",
    "symlink": "POST", "compress": "POST", "extract": "POST", "upload": "POST", "rename": "PUT",
    "chmod": "PUT", "chown": "PUT", "rm": "DELETE",
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A request, and its answer. Values that begin with "@" are places, see ``places``."""

    op: str
    fields: dict[str, str]
    header: str | None
    error: str = ""
    status: int = 400


def row(op: str, header: str | None, error: str = "", *, status: int = 400, **fields: str) -> Row:
    """A row of the table; ``target``, ``source`` and ``link`` stand for the wire's names."""
    names = {"target": "targetPath", "source": "sourcePath", "link": "linkPath"}
    return Row(op, {names.get(k, k): v for k, v in fields.items()}, header, error, status)


TABLE = [
    row("ls", INVALID, target="@missing"),
    row("ls", INVALID, target="@closed/x"),
    row("ls", DENIED, target="@closed"),
    row("ls", NO_FOLDER, target="@file/x"),
    row("mkdir", THERE, target="@folder"),
    row("mkdir", THERE, target="@file"),
    row("mkdir", INVALID, target="@missing/x"),
    row("mkdir", DENIED, target="/etc/centro-x"),
    row("mkdir", DENIED, target="@closed/x"),
    row("mkdir", NO_FOLDER, target="@file/x"),
    row("mkdir", NO_FOLDER, target="@file/x/y", p=""),
    row("rename", ABSENT, source="@missing", target="@new"),
    row("rename", INVALID, source="@file", target="@missing/x"),
    row("rename", DENIED, source="@file", target="/etc/centro-x"),
    row("rename", DENIED, source="/etc/hostname", target="@new"),
    row("copy", ABSENT, source="@missing", target="@new"),
    row("copy", INVALID, source="@file", target="@missing/x"),
    row("copy", DENIED, source="@file", target="/etc/centro-x"),
    row("copy", DENIED, source="@secret", target="@new"),
    row("chmod", "X-Invalid-Mode", target="@file", mode="u+banana"),
    row("chmod", "X-Invalid-Mode", target="@file", mode="9999"),
    row("chmod", INVALID, target="@missing", mode="600"),
    row("chmod", DENIED, target="/etc/hostname", mode="600"),
    row("chown", None, "group or owner must be set", target="@file"),
    row("chown", None, "group or owner must be set", target="@file", owner="", group=""),
    row("chown", "X-Invalid-Group", target="@file", group="no-such-group"),
    row("chown", "X-Invalid-Owner", target="@file", owner="no-such-owner"),
    row("chown", DENIED, target="@file", owner="root"),
    row("chown", DENIED, target="@file", group="root"),
    row("chown", INVALID, target="@missing", owner="@me"),
    row("file", INVALID, target="@missing"),
    row("file", DENIED, target="@secret"),
    row("stat", ABSENT, target="@missing"),
    row("stat", ABSENT, target="@missing/x"),
    row("stat", DENIED, target="@closed/x"),
    row("stat", NO_FOLDER, target="@file/x"),
    row("stat", ABSENT, target="@dangling", dereference="true"),
    row("symlink", THERE, target="@file", link="@folder"),
    row("symlink", INVALID, target="@file", link="@missing/x"),
    row("symlink", DENIED, target="@file", link="/etc/centro-x"),
    *(
        row(op, header, target=target)
        for op in ("checksum", "head", "tail")
        for header, target in ((FOLDER, "@folder"), (INVALID, "@missing"), (DENIED, "@secret"))
    ),
    *(
        row(op, header, error, target=target, **options)
        for op in ("head", "tail")
        for header, error, target, options in (
            (None, "lines and bytes cannot be specified at the same time", "@file",
             {"lines": "1", "bytes": "1"}),
            ("X-Error", "", "@file", {"lines": "many"}),
            ("X-Error", "", "@file", {"bytes": "1Q2"}),
            ("X-Error", "", "@binary", {}),
            (None, "'lines' has invalid char", "@file", {"lines": "1;2"}),
            (None, "'bytes' has invalid char", "@file", {"bytes": "$(id)"}),
            (None, "'grep' has invalid char", "@file", {"grep": "a\nb"}),
        )
    ),
    row("head", ABSENT, "pattern not found", status=404, target="@file", grep="nothing like it"),
    row("tail", ABSENT, "pattern not found", status=404, target="@file", grep="nothing like it"),
    row("view", ABSENT, target="@missing"),
    row("view", FOLDER, target="@folder"),
    row("view", DENIED, target="@secret"),
    row("view", "X-Error", target="@binary"),
    row("view", "X-Error", target="/dev/zero"),
    row("download", ABSENT, source="@missing"),
    row("download", FOLDER, source="@folder"),
    row("download", DENIED, source="@secret"),
    row("upload", INVALID, target="@missing", file="name"),
    row("upload", DENIED, target="@closed", file="name"),
    row("upload", DENIED, target="/etc", file="name"),
    row("upload", FOLDER, target="@root", file="folder"),
    row("upload", NO_FOLDER, target="@file", file="name"),
    row("upload", None, "No file in query", target="@root"),
    row("rm", INVALID, target="@missing"),
    row("rm", DENIED, target="/etc/hostname"),
    row("compress", INVALID, source="@missing", target="@new"),
    row("compress", INVALID, source="@file", target="@missing/x"),
    row("compress", DENIED, source="@file", target="/etc/centro-x"),
    row("extract", INVALID, source="@missing", target="@folder", extension=".zip"),
    row("extract", INVALID, source="@file", target="@missing", extension=".zip"),
    row("extract", None, "Unsupported file format in @file.", source="@file", target="@folder"),
    row("extract", "X-Error", source="@file", target="@folder", extension=".gz"),
    row("extract", "X-Error", source="@file", target="@folder", extension=".zip"),
    row("extract", "X-Error", source="@file", target="@folder", extension=".tar"),
]  # fmt: skip


def places(desk: Desk) -> Callable[[str], str]:
    """Make one of each, and the function that puts them in: "@file" is a file of Alice's, and so on."""
    desk.write("file", "a line\n" * 20)
    desk.write("secret", "x", 0)
    desk.write("binary", bytes(range(128, 256)))
    desk.make("folder")
    desk.make("closed", 0)
    (desk.folder / "dangling").symlink_to("nowhere")
    names = ("file", "secret", "binary", "folder", "closed", "dangling", "missing", "new")

    def put(text: str) -> str:
        for name in names:
            text = text.replace(f"@{name}", str(desk.folder / name))
        return text.replace("@root", str(desk.folder)).replace("@me", desk.unix_user)

    return put


def snapshot(folder: Path) -> dict[str, Any]:
    """What is there, to see that an error changed nothing."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_size)
    return found


def name_of(row: Row) -> str:
    """Its id among the tests."""
    return f"{row.op}-{'-'.join(f'{k}={v}' for k, v in row.fields.items())}".replace("\n", "")


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_row(desk: Desk, row: Row) -> None:
    put = places(desk)
    before = snapshot(desk.folder)
    fields: dict[str, Any] = {name: put(value) for name, value in row.fields.items()}
    if "file" in fields:
        fields["file"] = SimpleUploadedFile(fields["file"], b"data")
    answer = desk.ask(METHODS[row.op], f"/utilities/{row.op}", fields, multipart=row.op == "upload")
    assert answer.status_code == row.status, answer.content
    assert list(error_headers(answer)) == ([row.header] if row.header else [])
    for text in error_headers(answer).values():
        assert text.isascii() and text.isprintable() and 0 < len(text) <= 300
    body = answer.json()
    assert set(body) == {"description", "error"}
    assert body["description"] == f"Error on {row.op} operation"
    assert body["error"] == put(row.error) if row.error else body["error"]
    assert snapshot(desk.folder) == before


def test_header_texts_are_one_line_of_ascii(desk: Desk) -> None:
    """Whatever a name looks like."""
    answer = desk.utility(
        "GET", "view", targetPath=f"{desk.folder}/ümlaut-’quoted’-\udcff{'x' * 400}"
    )
    assert answer.status_code == 400
    (text,) = error_headers(answer).values()
    assert text.isascii() and text.isprintable() and len(text) <= 300
    assert "'quoted'" in text


REQUIRED = {
    "targetPath": ["ls", "mkdir", "rename", "chmod", "chown", "copy", "compress", "extract", "file",
                   "stat", "symlink", "upload", "rm", "checksum", "head", "tail", "view"],
    "sourcePath": ["rename", "copy", "compress", "extract", "download"],
    "mode": ["chmod"],
    "linkPath": ["symlink"],
}  # fmt: skip
OPTIONAL = {
    "owner": ["chown"],
    "group": ["chown"],
    "lines": ["head", "tail"],
    "bytes": ["head", "tail"],
}
FORBIDDEN = [*"<>|;\"'&\\()`", *map(chr, range(0x20))]
COMPLETE = {
    "targetPath": "@file", "sourcePath": "@file", "mode": "600", "linkPath": "@new",
}  # fmt: skip


def ask_with(desk: Desk, put: Callable[[str], str], op: str, **changed: str | None) -> Any:
    """A request that would be complete, but for what is changed; None leaves the field out."""
    names = [name for name, ops in REQUIRED.items() if op in ops]
    fields: dict[str, Any] = {name: put(COMPLETE[name]) for name in names} | changed
    fields = {name: value for name, value in fields.items() if value is not None}
    if op == "upload":
        fields["file"] = SimpleUploadedFile("name", b"data")
    return desk.ask(METHODS[op], f"/utilities/{op}", fields, multipart=op == "upload")


def label(field: str) -> str:
    """How the verdicts call the field."""
    return "'linkPath' value" if field == "linkPath" else f"'{field}'"


@pytest.mark.parametrize(
    ("field", "op"), [(field, op) for field, ops in REQUIRED.items() for op in ops]
)
def test_required_fields(desk: Desk, field: str, op: str) -> None:
    put = places(desk)
    for value, verdict in (
        (None, "not specified"),
        ("", "is empty"),
        ("/tmp/a;b", "has invalid char"),
    ):
        answer = ask_with(desk, put, op, **{field: value})
        assert answer.status_code == 400
        assert answer.json() == {
            "description": f"Error on {op} operation",
            "error": f"{label(field)} {verdict}",
        }
        assert error_headers(answer) == {}


@pytest.mark.parametrize(
    ("field", "op"),
    [("targetPath", "ls"), ("sourcePath", "rename"), ("linkPath", "symlink"), ("mode", "chmod"),
     ("owner", "chown"), ("group", "chown"), ("lines", "head"), ("bytes", "tail")],
)  # fmt: skip
def test_forbidden_characters_one_by_one(desk: Desk, field: str, op: str) -> None:
    put = places(desk)
    before = snapshot(desk.folder)
    for character in FORBIDDEN:
        answer = ask_with(desk, put, op, **{field: f"/tmp/f7t{character}x"})
        assert answer.status_code == 400, repr(character)
        assert answer.json()["error"] == f"{label(field)} has invalid char", repr(character)
    assert snapshot(desk.folder) == before
