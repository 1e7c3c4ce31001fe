"""Labels, notes and stars by the API."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_management.models import Run, RunLabel, RunNote, RunStar
from pipeline_management.services import marks
from tests.api.site import JSON, Site
from tests.api.test_bad_requests import assert_error

RUNS = "/api/v1/runs/"


@pytest.fixture
def path(site: Site) -> str:
    return f"{RUNS}{site.run.pk}/"


def labels_of(run: Run) -> list[str]:
    return list(RunLabel.objects.filter(run=run).values_list("name", flat=True))


def test_labels_are_put_on_and_taken_off(site: Site, path: str) -> None:
    client = site.client(site.submitter)
    assert client.get(f"{path}labels/").json() == {"labels": []}
    for name, now in (
        ("WGS", ["wgs"]),
        ("batch-2", ["batch-2", "wgs"]),
        ("wgs", ["batch-2", "wgs"]),
    ):
        answer = client.put(f"{path}labels/{name}/")
        assert (answer.status_code, answer.json()) == (200, {"labels": now})
    assert client.get(path).json()["labels"] == ["batch-2", "wgs"]
    rows = {row["id"]: row for row in client.get(f"{RUNS}?q=label:wgs").json()["results"]}
    assert rows[str(site.run.pk)]["labels"] == ["batch-2", "wgs"]
    for _ in range(2):
        answer = client.delete(f"{path}labels/WGS/")
        assert (answer.status_code, answer.content) == (204, b"")
    assert labels_of(site.run) == ["batch-2"]


@pytest.mark.parametrize("name", ["-", "a b", "x" * 41, "a%0Ab", "%F0%9F%98%80", "a;b", "a%00"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_is_no_label_is_refused(site: Site, path: str, name: str, method: str) -> None:
    answer = site.client(site.submitter).generic(method, f"{path}labels/{name}/")
    assert_error(answer, 400, "label", "1 to 40 letters, digits")
    assert labels_of(site.run) == []


def test_one_label_too_many(site: Site, path: str) -> None:
    marks.label_run(site.run, site.submitter, add=[f"l{n}" for n in range(marks.MOST_LABELS)])
    client = site.client(site.submitter)
    assert_error(client.put(f"{path}labels/more/"), 400, "labels", "at most 20 labels")
    assert client.put(f"{path}labels/l3/").status_code == 200


def test_notes_are_written_read_and_deleted(site: Site, path: str) -> None:
    client = site.client(site.submitter)
    text = "  Too little <b>memory</b>:\n\t32 GB, not 16.\x07 \u202e"
    answer = client.post(f"{path}notes/", {"text": text}, content_type=JSON)
    assert answer.status_code == 201
    note = answer.json()
    assert note["text"] == "Too little <b>memory</b>:\n\t32 GB, not 16. "
    assert note["author"] == "sam" and note["created_at"].endswith("Z")
    second = site.client(site.manager).post(f"{path}notes/", {"text": "ä"}, content_type=JSON)
    assert client.get(f"{path}notes/").json() == {"results": [note, second.json()]}
    for user, expected in ((site.manager, 403), (site.submitter, 204), (site.submitter, 404)):
        assert site.client(user).delete(f"{path}notes/{note['id']}/").status_code == expected
    assert (
        site.client(site.administrator).delete(f"{path}notes/{second.json()['id']}/").status_code
        == 204
    )
    assert not RunNote.objects.exists()


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b"{}", "required", "/text"),
        (b'{"text": ""}', "blank", "/text"),
        (b'{"text": " \\n "}', "text", "1 to 4000 characters"),
        (b'{"text": null}', "null", "/text"),
        (b'{"text": ["a"]}', "invalid", "/text"),
        (b'{"text": "' + b"x" * 4001 + b'"}', "max_length", "/text"),
        (b'{"text": "a", "author": "root"}', "unknown_field", "known: text"),
        (b"[]", "not_object", ""),
        (b"text=a", "unquoted_value", ""),
        (b" ", "empty", ""),
    ],
)
def test_what_is_no_note_is_refused(
    site: Site, path: str, body: bytes, code: str, said: str
) -> None:
    answer = site.client(site.submitter).generic("POST", f"{path}notes/", body, content_type=JSON)
    assert_error(answer, 400, code, said)
    assert not RunNote.objects.exists()


def test_a_note_is_sent_as_json(site: Site, path: str) -> None:
    answer = site.client(site.submitter).post(f"{path}notes/", {"text": "a"})
    assert_error(answer, 415, "unsupported_media_type", "application/json")


@pytest.mark.parametrize("number", ["0", str(2**63), "9" * 40])
def test_there_is_no_such_note(site: Site, path: str, number: str) -> None:
    answer = site.client(site.submitter).delete(f"{path}notes/{number}/")
    assert_error(answer, 404, "not_found", "")


def test_a_note_is_found_below_its_own_run_only(site: Site) -> None:
    note = marks.add_note(site.run, site.submitter, "a")
    other = site.make_run()
    answer = site.client(site.submitter).delete(f"{RUNS}{other.pk}/notes/{note.pk}/")
    assert_error(answer, 404, "not_found", "")
    assert RunNote.objects.filter(pk=note.pk).exists()


def test_a_star_is_ones_own(site: Site, path: str) -> None:
    viewer, manager = site.client(site.viewer), site.client(site.manager)

    def stars(client: Any) -> list[bool]:
        rows = client.get(RUNS).json()["results"]
        listed = next(row for row in rows if row["id"] == str(site.run.pk))
        return [client.get(path).json()["starred"], listed["starred"]]

    for _ in range(2):
        assert viewer.put(f"{path}star/").status_code == 204
    assert (stars(viewer), stars(manager)) == ([True, True], [False, False])
    assert RunStar.objects.count() == 1
    for _ in range(2):
        assert viewer.delete(f"{path}star/").status_code == 204
    assert stars(viewer) == [False, False]


def test_too_many_stars(site: Site, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "MOST_STARS", 0)
    answer = site.client(site.viewer).put(f"{path}star/")
    assert_error(answer, 400, "stars", "take some away first")


@pytest.mark.parametrize(
    ("method", "part", "body"),
    [("PUT", "labels/a/", b""), ("DELETE", "labels/a/", b""), ("POST", "notes/", b'{"text": "a"}')],
)
def test_viewers_look_only(site: Site, path: str, method: str, part: str, body: bytes) -> None:
    marks.label_run(site.run, site.submitter, add=["a"])
    answer = site.client(site.viewer).generic(method, f"{path}{part}", body, content_type=JSON)
    assert_error(answer, 403, "not_allowed", "Only its submitter")
    assert (labels_of(site.run), RunNote.objects.count()) == (["a"], 0)


def test_an_unknown_parameter_is_refused(site: Site, path: str) -> None:
    answer = site.client(site.submitter).get(f"{path}labels/?all=1")
    assert_error(answer, 400, "unknown_parameter", "all")
