"""Zip files for the catalogue that are made to do harm: refused with a sentence, in little time and memory."""

from __future__ import annotations

import io
import itertools
import json
import re
import struct
import tracemalloc
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from pipeline_management.models import CatalogueUpload, PipelineVersion
from pipeline_management.services.catalogue import uploads
from pipeline_management.services.catalogue.package import MAX_UPLOAD
from tests.hostile.judging import judge
from tests.hostile.values import TABS_AND_LINES, VALUES
from tests.pages.site import Site

pytestmark = pytest.mark.django_db
YAML = b"name: fresh\nversion: '1.0'\nsystems: [cluster]\nlabs: ['*']\nschema: {type: object}\nscript: 'true'\n"
STARTS = {"central": b"PK\x01\x02", "end": b"PK\x05\x06"}


@pytest.fixture
def client(site: Site) -> Client:
    return site.client("administrator")


@pytest.fixture
def peak() -> Iterator[Any]:
    """The most bytes that Python has held at once since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def sent(client: Client, data: bytes, name: str = "fresh.zip") -> Any:
    return client.post("/catalogue/upload/", {"file": SimpleUploadedFile(name, data)})


def refused(client: Client, data: bytes, words: str) -> None:
    """By the page, harmlessly, and nothing is kept."""
    text = judge(sent(client, data), words, 400)
    plain = " ".join(re.sub("<[^>]*>", "", text).split())
    assert words in plain, plain[:3000]
    assert not CatalogueUpload.objects.exists()
    assert not PipelineVersion.objects.filter(pipeline__name="fresh").exists()


def entry(name: bytes, offset: int, size: int, packed_size: int, crc: int = 0) -> bytes:
    """One entry of a zip file's directory (APPNOTE 4.3.12)."""
    head = struct.pack(
        "<4s6H3I5H2I", STARTS["central"], 20, 20, 0x800, 8, 0, 33, crc, packed_size, size, len(name), 0, 0, 0, 0,
        0, offset,
    )  # fmt: skip
    return head + name


def with_directory(body: bytes, entries: list[bytes], said: int | None = None) -> bytes:
    """A zip file of this body with a directory of one's own; ``said``: how many entries its end claims."""
    directory = b"".join(entries)
    number = min(len(entries) if said is None else said, 0xFFFF)
    end = struct.pack("<4s4H2IH", STARTS["end"], 0, 0, number, number, len(directory), len(body), 0)
    return body + directory + end


def body_of(data: bytes) -> tuple[bytes, zipfile.ZipInfo]:
    """The part before the directory, and the first member."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return data[: archive.start_dir], archive.infolist()[0]


def test_as_many_entries_as_an_upload_can_hold(client: Client) -> None:
    """100,000 do not fit into 2 MB; the 38,000 that do all lead to the same bytes. Measured: 0.3 s, 20 MB."""
    body, first = body_of(packed({"pipeline.yaml": YAML}))
    names = [b"%05d" % number for number in range(38_000)]
    whole = [entry(n, 0, first.file_size, first.compress_size, first.CRC) for n in names]
    data = with_directory(body, whole)
    assert len(data) <= MAX_UPLOAD
    refused(client, data, "has 38000 members, expected at most 50")
    refused(client, with_directory(body, whole * 3), "expected at most 2000000")


def test_entries_that_lie_on_each_other(client: Client) -> None:
    """A quine of a bomb: many names for one well packed block, each of which unpacks to all of it."""
    block = YAML + b"#" * 300
    body, first = body_of(packed({"pipeline.yaml": block}))
    names = [b"pipeline.yaml", *(b"other%d.txt" % n for n in range(40))]
    same = [entry(n, 0, first.file_size, first.compress_size, first.CRC) for n in names]
    refused(client, with_directory(body, same), "is not a readable zip file")


def test_the_same_name_twice(client: Client) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("pipeline.yaml", YAML)
        archive.writestr("pipeline.yaml", YAML.replace(b"true", b"false"))
    refused(client, stream.getvalue(), "pipeline.yaml: is there twice")


@pytest.mark.parametrize("said", [0, 1, 40_000])
def test_a_directory_that_lies_about_its_number(client: Client, said: int) -> None:
    body, first = body_of(packed({"pipeline.yaml": YAML}))
    one = entry(b"pipeline.yaml", 0, first.file_size, first.compress_size, first.CRC)
    two = entry(b"../x", 0, 1, 1)
    refused(client, with_directory(body, [one, two], said), "../x: is not a path within the upload")


@pytest.mark.parametrize("size", [2**31, 2**32 - 2])
def test_sizes_that_nobody_has(client: Client, size: int) -> None:
    body, first = body_of(packed({"pipeline.yaml": YAML}))
    huge = entry(b"pipeline.yaml", 0, size, first.compress_size, first.CRC)
    refused(client, with_directory(body, [huge]), f"unpacks to {size} bytes, expected at most")


def test_offsets_beyond_the_end(client: Client) -> None:
    body, first = body_of(packed({"pipeline.yaml": YAML}))
    for offset in (5, len(body) - 1, 2**31):
        far = entry(b"pipeline.yaml", offset, first.file_size, first.compress_size, first.CRC)
        refused(client, with_directory(body, [far]), "is not a readable zip file")


def test_zips_in_zips_are_not_opened(client: Client, peak: Any) -> None:
    bomb = packed({"a": b"\0" * 30_000_000})
    for _ in range(3):
        bomb = packed({f"{n}.zip": bomb for n in range(10)}, zipfile.ZIP_STORED)
    data = packed({"pipeline.yaml": YAML, "x.zip": bomb[:1_500_000]}, zipfile.ZIP_STORED)
    before = peak()
    assert uploads.preview("fresh.zip", data).unused == ["x.zip"]
    assert peak() <= max(before, 60_000_000)


def test_bombs_cost_no_more_than_they_may(client: Client, peak: Any) -> None:
    """Just below the ratio and the size of one, and over them together."""
    noise = bytes(range(256)) * 40
    files = {f"{n}.txt": noise + b"%d" % n * 800_000 for n in range(1, 10)}
    refused(client, packed({"pipeline.yaml": YAML, **files}), "unpacks to")
    assert peak() < 60_000_000


DEVICES = {"fifo": 0o010000, "device": 0o020000, "socket": 0o140000, "setuid": 0o104777}


@pytest.mark.parametrize("kind", DEVICES)
def test_kinds_of_files_are_nothing_but_bytes(kind: str, site: Site) -> None:
    """Nothing is written to a disk, so that what Unix would make of a member does not matter."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("pipeline.yaml", YAML)
        info = zipfile.ZipInfo("x")
        info.external_attr = DEVICES[kind] << 16
        archive.writestr(info, b"content")
    seen = uploads.preview("fresh.zip", stream.getvalue())
    assert (seen.faults, seen.unused) == ([], ["x"])


def test_hostile_names_of_members_are_shown_harmlessly(client: Client) -> None:
    """Refused by name, or told as a file that nothing names."""
    for kind, value in {**VALUES, **TABS_AND_LINES}.items():
        data = packed({"pipeline.yaml": YAML, f"{value}.txt": b"x", f"sub/{value}": b"y"})
        answer = sent(client, data)
        if answer.status_code == 302:
            judge(client.get(answer["Location"]), kind)
            assert value.isprintable() and ".." not in value
        else:
            assert "is not a path within the upload" in judge(answer, kind, 400), kind


def test_names_that_are_no_text(client: Client) -> None:
    body, first = body_of(packed({"pipeline.yaml": YAML}))
    one = entry(b"pipeline.yaml", 0, first.file_size, first.compress_size, first.CRC)
    refused(
        client,
        with_directory(body, [one, entry(b"\xff\xfe\xed\xa0\x80", 0, 1, 1)]),
        "is not a readable zip file",
    )


def test_hostile_names_of_files_in_the_yaml(client: Client) -> None:
    """None leads out of the upload; the sentence names the key, each in its turn."""
    keys = itertools.cycle(["schema", "script", "example", "documentation"])
    for (kind, value), key in zip(VALUES.items(), keys, strict=False):
        rest = b"\n".join(line for line in YAML.splitlines() if not line.startswith(key.encode()))
        text = rest + f"\n{key}_file: {json.dumps(value)}\n".encode()
        answer = sent(client, packed({"pipeline.yaml": text}))
        assert f"{key}_file" in judge(answer, kind, 400), kind
