"""head, tail, view, download, upload, compress, extract: values, limits, memory."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.firecrest.desk import Desk, error_headers
from tests.firecrest.test_utilities_values import value

pytestmark = pytest.mark.lab

MIB = 1024 * 1024
LINES = "".join(f"line {n}\n" for n in range(1, 21))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, range(1, 11)),
        ({"lines": "3"}, range(1, 4)),
        ({"lines": "", "bytes": ""}, range(1, 11)),  # as the async client says "not given"
        ({"lines": "18", "skip_ending": "True"}, range(1, 3)),
        ({"bytes": "14"}, range(1, 3)),
        ({"bytes": "1K"}, range(1, 21)),
        ({"lines": "12", "grep": "line 1"}, (1, 10, 11, 12)),
        ({"lines": "3", "grep": ""}, range(1, 4)),
    ],
)
def test_head(desk: Desk, options: dict[str, str], expected: Any) -> None:
    path = desk.write("file", LINES)
    found = value(desk.utility("GET", "head", targetPath=path, **options))
    assert found == "".join(f"line {n}\n" for n in expected)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, range(11, 21)),
        ({"lines": "2"}, range(19, 21)),
        ({"lines": "19", "skip_beginning": "true"}, range(19, 21)),
        ({"bytes": "16"}, range(19, 21)),
        ({"bytes": "8", "skip_beginning": "true"}, range(2, 21)),
        ({"lines": "5", "grep": "8"}, (18,)),
    ],
)
def test_tail(desk: Desk, options: dict[str, str], expected: Any) -> None:
    path = desk.write("file", LINES)
    found = value(desk.utility("GET", "tail", targetPath=path, **options))
    assert found == "".join(f"line {n}\n" for n in expected)


@pytest.mark.parametrize("pattern", ["$(touch x)", "`id`", "'; id; '", "a|b", ".*", "-v", "\\n"])
def test_grep_is_a_fixed_text(desk: Desk, pattern: str) -> None:
    path = desk.write("file", f"before\nhas {pattern} in it\nafter\n")
    for name in ("head", "tail"):
        found = value(desk.utility("GET", name, targetPath=path, grep=pattern))
        assert found == f"has {pattern} in it\n"
    nothing = desk.utility("GET", "head", targetPath=desk.write("other", "abc\n"), grep=pattern)
    assert (nothing.status_code, nothing.json()["error"]) == (404, "pattern not found")
    assert list(error_headers(nothing)) == ["X-Not-Found"]
    assert sorted(os.listdir(desk.folder)) == ["file", "other"]


def test_view_gives_the_whole_file(desk: Desk) -> None:
    text = LINES * 20 + "ümlaut\n\n"
    assert value(desk.utility("GET", "view", targetPath=desk.write("file", text))) == text
    assert value(desk.utility("GET", "view", targetPath=desk.write("empty"))) == ""


@pytest.mark.parametrize("name", ["view", "download"])
def test_limit_of_view_and_download(desk: Desk, name: str) -> None:
    """Exactly 5 MiB pass, one byte more does not; another system's limit is its own."""
    exact = desk.write("exact", b"x" * (5 * MIB))
    larger = desk.write("larger", b"x" * (5 * MIB + 1))
    field = "targetPath" if name == "view" else "sourcePath"
    answer = desk.utility("GET", name, **{field: exact})
    assert answer.status_code == 200
    assert len(answer.json()["output"] if name == "view" else b"".join(answer)) == 5 * MIB
    refused = desk.utility("GET", name, **{field: larger})
    word = "view file content" if name == "view" else "download file"
    assert (refused.status_code, refused.json()) == (400, {"description": f"Failed to {word}"})
    assert list(error_headers(refused)) == ["X-Size-Limit"]
    assert (
        desk.ask("GET", f"/utilities/{name}", {field: larger}, machine="roomy").status_code == 200
    )


def test_a_gigabyte_costs_no_memory(desk: Desk) -> None:
    """Looking at a sparse file of 1 GiB is refused by its size."""
    path = desk.folder / "huge"
    with path.open("wb") as huge:
        huge.truncate(1024 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, field in (("view", "targetPath"), ("download", "sourcePath")):
        assert desk.utility("GET", name, **{field: path}).status_code == 400
    for name in ("head", "tail"):
        answer = desk.utility("GET", name, targetPath=path, bytes="900M")
        assert (answer.status_code, list(error_headers(answer))) == (400, ["X-Error"])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024  # KiB


@pytest.mark.parametrize(
    "data", [b"", b"text\n", bytes(range(256)) * 1000], ids=["empty", "text", "binary"]
)
def test_download(desk: Desk, data: bytes) -> None:
    path = desk.write("a file.bin", data)
    answer = desk.utility("GET", "download", sourcePath=path)
    assert answer.status_code == 200
    assert b"".join(answer) == data
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Length"] == str(len(data))
    assert answer["Content-Disposition"] == 'attachment; filename="a file.bin"'
    assert error_headers(answer) == {}
    assert "Content-Encoding" not in answer.headers
    assert "ETag" not in answer.headers


def send(
    desk: Desk, name: str, data: bytes, target: Path | str = "", machine: str = "cluster"
) -> Any:
    """An upload into Alice's folder."""
    fields = {"targetPath": str(target or desk.folder), "file": SimpleUploadedFile(name, data)}
    return desk.ask("POST", "/utilities/upload", fields, multipart=True, machine=machine)


@pytest.mark.parametrize("size", [0, 1, 100_000, 300_000, 5 * MIB - 1000])
def test_upload(desk: Desk, size: int) -> None:
    data = os.urandom(size)
    answer = send(desk, "new.bin", data)
    assert value(answer, 201) == ""
    assert answer.json()["description"] == "File upload successful"
    assert (desk.folder / "new.bin").read_bytes() == data
    assert (desk.folder / "new.bin").stat().st_uid == desk.folder.stat().st_uid
    assert value(send(desk, "new.bin", b"replaced"), 201) == ""
    assert (desk.folder / "new.bin").read_bytes() == b"replaced"
    assert os.listdir(desk.folder) == ["new.bin"]


def test_upload_of_exactly_the_limit_is_over_it(desk: Desk) -> None:
    """It is the body that may have 5 MiB. Where the limit is another, so is the text."""
    answer = send(desk, "new", b"x" * 5 * MIB)
    text = "Failed to upload file. The file is over 5242880 bytes"
    assert (answer.status_code, answer.json()) == (413, {"description": text})
    assert error_headers(answer) == {}
    assert send(desk, "new", b"x" * 5 * MIB, machine="roomy").status_code == 201
    answer = send(desk, "newer", b"x" * 40 * MIB, machine="roomy")
    text = "Failed to upload file. The file is over 41943040 bytes"
    assert (answer.status_code, answer.json()) == (413, {"description": text})
    assert os.listdir(desk.folder) == ["new"]


def test_a_large_upload_stays_out_of_memory(desk: Desk) -> None:
    """30 MiB pass through in pieces; the body itself is the test client's."""
    data = b"x" * 30 * MIB
    send(desk, "warm", b"x", machine="roomy")
    fields = {"targetPath": str(desk.folder), "file": SimpleUploadedFile("large", data)}
    tracemalloc.start()
    answer = desk.ask("POST", "/utilities/upload", fields, multipart=True, machine="roomy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.status_code == 201
    assert (
        hashlib.sha256((desk.folder / "large").read_bytes()).digest()
        == hashlib.sha256(data).digest()
    )
    # the client makes the body from the file, which it copies twice; nothing of that size is ours
    assert peak < 3.5 * len(data)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("with blank.txt", "with blank.txt"), ("../../up.txt", "up.txt"), ("/etc/abs", "abs"),
     ("$HOME", "$HOME"), ("-rf", "-rf"), ("ümlaut", "ümlaut"), ("n" * 255, "n" * 255)],
)  # fmt: skip
def test_names_of_uploads(desk: Desk, sent: str, kept: str) -> None:
    assert upload_as(desk, sent).status_code == 201
    assert os.listdir(desk.folder) == [kept]


def upload_as(desk: Desk, name: str) -> Any:
    """An upload with a name just so, which Django's own classes would tidy."""
    body = (
        b'--X\r\nContent-Disposition: form-data; name="targetPath"\r\n\r\n'
        + str(desk.folder).encode()
        + b'\r\n--X\r\nContent-Disposition: form-data; name="file"; filename="'
        + name.encode()
        + b'"\r\nContent-Type: application/octet-stream\r\n\r\ndata\r\n--X--\r\n'
    )
    return desk.raw("POST", "/utilities/upload", body, "multipart/form-data; boundary=X")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "Filename is empty"),
        ("a;b", "Filename has invalid char"),
        ("a&amp;b", "Filename has invalid char"),
        ("..", "Filename has invalid char"),
        ("$(touch x)", "Filename has invalid char"),
        ("a`b", "Filename has invalid char"),
        ("a|b", "Filename has invalid char"),
    ],
)
def test_bad_names_of_uploads(desk: Desk, name: str, error: str) -> None:
    answer = upload_as(desk, name)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert error_headers(answer) == {}
    assert os.listdir(desk.folder) == []


@pytest.mark.parametrize(
    "name",
    [
        "utf-8''%C3%BC",
        "utf-7''a",
        "no-such-set''a",
        "raw_unicode_escape''%5Cud800",
        "idna''%FF%FF",
        "''",
    ],
)
def test_names_in_any_character_set(desk: Desk, name: str) -> None:
    """RFC 2231 lets the client choose; whatever it is, the answer is one that is foreseen."""
    body = (
        b'--X\r\nContent-Disposition: form-data; name="targetPath"\r\n\r\n'
        + str(desk.folder).encode()
        + b'\r\n--X\r\nContent-Disposition: form-data; name="file"; filename*='
        + name.encode()
        + b"\r\n\r\ndata\r\n--X--\r\n"
    )
    answer = desk.raw("POST", "/utilities/upload", body, "multipart/form-data; boundary=X")
    assert answer.status_code in (201, 400), answer.content
    assert len(os.listdir(desk.folder)) == (answer.status_code == 201)


def test_a_name_longer_than_a_file_system_takes(desk: Desk) -> None:
    answer = upload_as(desk, "n" * 256)
    assert (answer.status_code, list(error_headers(answer))) == (400, ["X-Error"])
    assert os.listdir(desk.folder) == []


def test_compress_and_extract(desk: Desk) -> None:
    tree = desk.make("tree")
    (tree / "leaf").write_text("content")
    (tree / "link").symlink_to("leaf")
    archive = desk.folder / "tree.tar.gz"
    assert value(desk.utility("POST", "compress", sourcePath=tree, targetPath=archive), 201) == ""
    with tarfile.open(archive) as tar:
        assert sorted(tar.getnames()) == ["tree", "tree/leaf", "tree/link"]
        assert tar.getmember("tree/link").issym()
    again = desk.folder / "followed.tgz"
    fields = {"sourcePath": tree, "targetPath": again, "dereference": "True"}
    assert value(desk.utility("POST", "compress", **fields), 201) == ""
    with tarfile.open(again) as tar:
        assert not tar.getmember("tree/link").issym()
    target = desk.make("out")
    fields = {"sourcePath": archive, "targetPath": target}
    assert value(desk.utility("POST", "extract", **fields), 201) == ""
    assert (target / "tree" / "leaf").read_text() == "content"


@pytest.mark.parametrize(
    ("name", "extension"),
    [
        ("a.zip", None), ("a.tar", None), ("a.tgz", None), ("a.tar.gz", None), ("a.gz", "auto"),
        ("a.bz2", None), ("a.tar.bz2", None), ("a.gz", "my-job-name"), ("zip", ".zip"),
        ("tar", "tar"), ("tgz", ".tgz"), ("gz", ".tar.gz"), ("gz", "tar.gz"), ("bz2", ".bz2"),
    ],
)  # fmt: skip
def test_kinds_of_archives(desk: Desk, name: str, extension: str | None) -> None:
    """By the name, by ``extension`` with and without its dot; an unknown one counts as ``auto``."""
    kind = {"zip": "zip", "tar": "w", "tgz": "w:gz", "gz": "w:gz", "bz2": "w:bz2"}[
        name.rpartition(".")[2]
    ]
    data = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("inner file", "content")
    else:
        with tarfile.open(fileobj=data, mode=kind) as tar:  # type: ignore[call-overload]  # a text
            member = tarfile.TarInfo("inner file")
            member.size = 7
            tar.addfile(member, io.BytesIO(b"content"))
    path, target = desk.write(name, data.getvalue()), desk.make("out")
    for field in ("extension", "type"):
        options = {field: extension} if extension else {}
        answer = desk.utility("POST", "extract", sourcePath=path, targetPath=target, **options)
        assert value(answer, 201) == ""
        assert (target / "inner file").read_text() == "content"
        (target / "inner file").unlink()


@pytest.mark.parametrize("name", ["compress", "extract"])
def test_over_its_time(desk: Desk, name: str) -> None:
    """The clients compare this text, and submit a job instead."""
    source = desk.folder / "source"
    if name == "compress":
        with source.open("wb") as file:
            for _ in range(40):
                file.write(os.urandom(MIB))
        desk.give(source)
        target = desk.folder / "target.tar.gz"
    else:
        source = desk.folder / "source.bz2"
        target = desk.make("target")
        with tarfile.open(source, "w:bz2", compresslevel=1) as tar:
            member = tarfile.TarInfo("inner")
            member.size = 8 * MIB
            tar.addfile(member, io.BytesIO(os.urandom(8 * MIB)))
        desk.give(source)
    fields = {"sourcePath": str(source), "targetPath": str(target)}
    answer = desk.ask("POST", f"/utilities/{name}", fields, machine="hasty")
    assert answer.status_code == 400
    assert answer.json() == {
        "description": f"Error on {name} operation",
        "error": "Command has finished with timeout signal",
    }
    assert list(error_headers(answer)) == ["X-Timeout"]
    assert not target.is_file()
