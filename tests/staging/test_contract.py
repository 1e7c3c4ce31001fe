"""What both stores promise, over real HTTP with curl: who has no right gets nothing, and nothing is half there."""

from __future__ import annotations

import hashlib
import os
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from staging.base import Part, StagingArea
from staging.errors import Incomplete, ObjectMissing, StagingError, TooLarge
from tests.staging.areas import get, post, put

pytestmark = [
    pytest.mark.lab,
    pytest.mark.xdist_group("lab"),
    pytest.mark.django_db(transaction=True),
]

MIB = 1024 * 1024


@pytest.fixture
def key() -> str:
    return f"{uuid4().hex}/some file.bin".replace(" ", "_")


def test_a_form_brings_one_file_and_has_the_fields_of_s3(area: StagingArea, key: str) -> None:
    form = area.upload_form(key, 1000, 60)
    assert form.method == "POST"
    assert sorted(form.fields) == [
        "key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature",
    ]  # fmt: skip
    assert form.fields["key"] == key
    assert area.stat(key) is None
    assert post(form, b"x" * 1000).status == 204
    found = area.stat(key)
    assert found is not None and found.size == 1000
    assert abs(datetime.now(UTC) - found.modified) < timedelta(minutes=1)
    with area.reader(key) as source:
        assert source.read(4000) == b"x" * 1000


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"x-amz-signature": "0" * 64}, 403),
        ({"policy": "e30="}, 403),
        ({"key": "somebody/else"}, 403),
        ({"x-amz-signature": None}, 403),
    ],
    ids=["signature", "policy", "key", "unsigned"],
)
def test_a_form_that_was_changed_is_refused(
    area: StagingArea, key: str, change: dict[str, str | None], status: int
) -> None:
    form = area.upload_form(key, 1000, 60)
    fields = {name: value for name, value in {**form.fields, **change}.items() if value is not None}
    assert post(form, b"x", fields).status == status
    assert area.stat(key) is None and area.stat("somebody/else") is None


def test_a_form_takes_no_more_than_its_limit(area: StagingArea, key: str) -> None:
    form = area.upload_form(key, 1000, 60)
    for size in (1001, 2 * MIB):
        answer = post(form, b"x" * size)
        assert answer.status == 400 and b"EntityTooLarge" in answer.body
    assert area.stat(key) is None


def test_links_and_forms_end(area: StagingArea, key: str) -> None:
    area.put(key, b"content")
    form = area.upload_form(key, 1000, 1)
    links = [area.download_url(key, 1), area.upload_url(key, 3, 1)]
    upload = area.begin_parts(key, 5 * MIB)
    links.append(area.part_url(key, upload, 1, 3, 1))
    time.sleep(2.1)
    assert post(form, b"new").status == 403
    assert get(links[0]).status == 403
    assert [put(link, b"new").status for link in links[1:]] == [403, 403]
    assert get(area.download_url(key, 60)).body == b"content"
    area.abort_parts(key, upload)


def test_a_download_link_gives_the_file_and_its_ranges_as_often_as_wanted(
    area: StagingArea, key: str
) -> None:
    area.put(key, bytes(range(100)))
    url = area.download_url(key, 60, name="Grüße 1.bin")
    for _ in range(2):
        assert get(url).body == bytes(range(100))
    for span, wanted in (("10-19", range(10, 20)), ("90-", range(90, 100)), ("-5", range(95, 100))):
        answer = get(url, span)
        assert (answer.status, answer.body) == (206, bytes(wanted))
    assert get(url, "100-").status == 416


def test_a_link_is_for_one_key_and_one_method(area: StagingArea, key: str) -> None:
    area.put(key, b"content")
    area.put(f"{key}2", b"other")
    url = area.download_url(key, 60)
    assert get(url.replace(key, f"{key}2")).status == 403
    assert put(url, b"new").status == 403
    assert get(area.upload_url(key, 3, 60)).status == 403
    assert get(url[:-8] + "00000000").status == 403
    assert get(url.partition("?")[0]).status == 403
    assert get(url).body == b"content"


def test_an_upload_link_takes_exactly_its_size(area: StagingArea, key: str) -> None:
    url = area.upload_url(key, 10, 60)
    assert put(url, b"12345678901").status == 403
    assert put(url, b"123456789").status == 403
    assert area.stat(key) is None
    assert put(url, b"1234567890").status == 200
    found = area.stat(key)
    assert found is not None and found.size == 10


def test_a_revoked_link_is_dead_at_once(area: StagingArea, key: str) -> None:
    area.put(key, b"content")
    url = area.download_url(key, 60)
    assert get(url).status == 200
    area.revoke(key)
    area.revoke(key)
    assert get(url).status == 404
    assert area.stat(key) is None
    with pytest.raises(ObjectMissing), area.reader(key) as source:
        source.read(1)


def test_parts_become_one_object(area: StagingArea, key: str) -> None:
    first, last = os.urandom(5 * MIB), os.urandom(1000)
    upload = area.begin_parts(key, 5 * MIB)
    answer = put(area.part_url(key, upload, 2, len(last), 60), last)
    assert answer.status == 200
    with area.part_writer(key, upload, 1, len(first)) as sink:
        for start in range(0, len(first), 700_000):
            sink.write(first[start : start + 700_000])
    parts = area.parts(key, upload)
    assert [(part.number, part.size) for part in parts] == [(1, 5 * MIB), (2, 1000)]
    assert parts[1].etag == answer.etag
    assert area.stat(key) is None
    done = area.finish_parts(key, upload, parts)
    assert done.size == 5 * MIB + 1000
    assert area.finish_parts(key, upload, parts).size == done.size
    digest = hashlib.sha256()
    with area.reader(key) as source:
        while data := source.read(100_000):
            digest.update(data)
    assert digest.digest() == hashlib.sha256(first + last).digest()
    with area.reader(key, 5 * MIB - 2, 4) as source:
        assert source.read(2) + source.read(2) == first[-2:] + last[:2]


def test_a_part_sent_again_counts_once_and_a_short_one_not_at_all(
    area: StagingArea, key: str
) -> None:
    upload = area.begin_parts(key, 5 * MIB)
    url = area.part_url(key, upload, 1, 4, 60)
    assert put(url, b"old!").status == 200
    time.sleep(1.1)  # stores know the later of two parts by a time in whole seconds
    assert put(url, b"new!").status == 200
    assert put(url, b"new").status == 403
    with pytest.raises(Incomplete), area.part_writer(key, upload, 2, 4) as sink:
        sink.write(b"abc")
    with pytest.raises(TooLarge), area.part_writer(key, upload, 2, 4) as sink:
        sink.write(b"abcdef")
    parts = area.parts(key, upload)
    assert [(part.number, part.size) for part in parts] == [(1, 4)]
    area.finish_parts(key, upload, parts)
    with area.reader(key) as source:
        assert source.read(100) == b"new!"


def test_an_aborted_upload_is_gone(area: StagingArea, key: str) -> None:
    upload = area.begin_parts(key, 5 * MIB)
    url = area.part_url(key, upload, 1, 4, 60)
    assert put(url, b"data").status == 200
    area.abort_parts(key, upload)
    area.abort_parts(key, upload)
    assert put(url, b"data").status == 404
    with pytest.raises(ObjectMissing):
        area.parts(key, upload)
    with pytest.raises(StagingError):
        area.finish_parts(key, upload, [Part(1, 4, "0" * 32)])
    assert area.stat(key) is None


def test_strays_are_found_by_their_age(area: StagingArea, key: str) -> None:
    area.put(key, b"content")
    upload = area.begin_parts(f"{key}2", 5 * MIB)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    found = {(stray.key, bool(stray.upload_id)) for stray in area.strays(soon)}
    assert {(key, False), (f"{key}2", True)} <= found
    assert not [s for s in area.strays(soon - timedelta(hours=1)) if s.key.startswith(key)]
    area.abort_parts(f"{key}2", upload)
    area.revoke(key)
