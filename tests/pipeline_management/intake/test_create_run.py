"""Writing a run down: once per idempotency key, whole or not at all, with its event and its bell."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pipeline_management.choices import RunSource
from pipeline_management.errors import Conflict, InvalidRequest
from pipeline_management.models import AuditEvent, PipelineVersion, Run, RunEvent
from pipeline_management.services import dispatch, intake
from pipeline_management.services.intake import create_run, parse_document, prepare
from tests.pipeline_management.intake.small_site import Site, make_site


@pytest.fixture
def bells(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    rung: list[tuple[str, int]] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, account: rung.append((task, account)))
    return rung


def post(site: Site, key: str | None = None, **changes: Any) -> tuple[Run, bool]:
    document = {"pipeline": "hello", "name": "x"} | changes
    prepared = prepare(user=site.alice, document=document)
    return create_run(
        user=site.alice,
        prepared=prepared,
        source=RunSource.API,
        idempotency_key=key,
        address="192.0.2.7",
    )


def test_what_is_written(
    site: Site, bells: list[tuple[str, int]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run, is_new = post(site, name="a b")
        assert bells == []
    assert bells == [(dispatch.SUBMIT, run.account_id)]
    assert is_new
    run.refresh_from_db()
    assert (run.state, run.desired, run.event_seq, run.source) == ("queued", "run", 1, "api")
    assert run.configuration_json == '{"name":"a b","pipeline":"hello"}'
    assert run.configuration_sha256 == hashlib.sha256(run.configuration_json.encode()).hexdigest()
    assert run.configuration == {"pipeline": "hello", "name": "a b"}
    assert run.script == "echo hello 'a b'\n"
    assert run.resources == {"walltime": "00:10:00"}
    assert run.directory.endswith(f"/runs/{run.id}") and run.directory.startswith("/")
    assert re.fullmatch(r"c[a-z2-7]{14}", run.key)
    assert run.name == "a b"
    assert run.next_at == run.confirmed_at is not None
    assert run.confirmed_source == "portal"
    event = RunEvent.objects.get(run=run)
    assert (event.seq, event.type, event.from_state, event.to_state) == (1, "state", "", "queued")
    assert (event.actor, event.evidence) == ("alice", "portal")
    assert event.data == {"source": "api", "configuration_sha256": run.configuration_sha256}
    audit = AuditEvent.objects.get()
    assert (audit.actor_name, audit.action, audit.target, audit.address) == (
        "alice",
        "run.create",
        str(run.id),
        "192.0.2.7",
    )


def test_nothing_is_written_when_a_part_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no audit")

    monkeypatch.setattr(intake.audit, "record", fail)
    with pytest.raises(RuntimeError):
        post(site)
    assert not Run.objects.exists() and not RunEvent.objects.exists()


def test_refusals_write_nothing(site: Site) -> None:
    with pytest.raises(InvalidRequest):
        prepare(user=site.alice, document={"pipeline": "hello", "name": 3})
    assert not Run.objects.exists() and not AuditEvent.objects.exists()


def test_without_a_key_every_request_is_a_run(site: Site) -> None:
    assert post(site)[0].pk != post(site)[0].pk
    assert Run.objects.count() == 2


def test_the_same_key_gives_the_same_run(site: Site) -> None:
    first, is_new = post(site, "k1")
    again, is_newer = post(site, "k1")
    assert (is_new, is_newer) == (True, False)
    assert first.pk == again.pk
    assert Run.objects.count() == RunEvent.objects.count() == AuditEvent.objects.count() == 1
    assert post(site, "k2")[1]


def test_the_same_key_survives_a_new_latest_version(site: Site) -> None:
    first, _ = post(site, "k")
    PipelineVersion.objects.filter(version="2.0b").update(is_development=False)
    assert post(site, "k")[0].pk == first.pk
    assert post(site, "other")[0].version.version == "2.0b"


def test_the_same_key_for_something_else_is_a_conflict(site: Site) -> None:
    first, _ = post(site, "k")
    with pytest.raises(Conflict, match=str(first.id)):
        post(site, "k", name="y")
    with pytest.raises(Conflict):
        post(site, "k", pipeline="hello@1.1")


def test_keys_are_per_person(site: Site) -> None:
    post(site, "k")
    site.other_lab.delete()
    prepared = prepare(user=site.admin, document={"pipeline": "hello", "name": "z"})
    assert create_run(
        user=site.admin, prepared=prepared, source=RunSource.PAGE, idempotency_key="k"
    )[1]


@pytest.mark.parametrize("key", ["", " ", "a\n", "é", "x" * 201, " a", "a\x7f", "\0"])
def test_malformed_keys(site: Site, key: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        post(site, key)
    assert caught.value.problems[0].code == "idempotency_key"
    assert not Run.objects.exists()


@pytest.mark.parametrize("key", ["a", "x" * 200, "8e03978e-40d5-43e8-bc93-6894a57f9324", "a b~!"])
def test_good_keys(site: Site, key: str) -> None:
    assert post(site, key)[1]


def test_the_loser_of_a_race_gets_the_winners_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    winner, _ = post(site, "k")
    look, calls = intake._known, []

    def blind_at_first(*arguments: Any) -> Run | None:
        calls.append(arguments)
        return None if len(calls) == 1 else look(*arguments)

    monkeypatch.setattr(intake, "_known", blind_at_first)
    run, is_new = post(site, "k")
    assert (run.pk, is_new) == (winner.pk, False)
    calls.clear()
    with pytest.raises(Conflict):
        post(site, "k", name="another")


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_with_one_key(bells: list[tuple[str, int]]) -> None:
    site = make_site()
    found: list[tuple[str, bool]] = []
    barrier = threading.Barrier(8)

    def send() -> None:
        try:
            prepared = prepare(user=site.alice, document={"pipeline": "hello", "name": "x"})
            barrier.wait(20)
            run, is_new = create_run(
                user=site.alice, prepared=prepared, source=RunSource.API, idempotency_key="one"
            )
            found.append((str(run.pk), is_new))
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 8
    assert len({pk for pk, _ in found}) == 1
    assert sum(is_new for _, is_new in found) == 1
    assert Run.objects.count() == 1
    assert len(bells) == 1


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"project": "GIAB", "name": "x"}, "GIAB"),
        ({"name": "x"}, "x"),
        ({"title": "t"}, "t"),
        ({"project": 3, "title": "t"}, "t"),
        ({"name": "x" * 201}, ""),
        ({"name": "a\nb"}, ""),
        ({}, ""),
    ],
)
def test_the_name_of_a_run(site: Site, document: dict[str, Any], name: str) -> None:
    PipelineVersion.objects.update(schema={}, script="true\n", content_sha256="open")
    assert prepare(user=site.alice, document={"pipeline": "hello"} | document).name == name


@pytest.mark.parametrize(
    ("value", "code"),
    [("\ud800", "surrogate"), ("a\0b", "nul"), (float("nan"), "nan"), (float("inf"), "nan")],
)
def test_documents_that_did_not_come_through_the_reader(site: Site, value: Any, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        prepare(user=site.alice, document={"pipeline": "hello", "name": value})
    assert caught.value.problems[0].code == code


def test_a_backslash_and_digits_are_no_nul(site: Site) -> None:
    assert prepare(user=site.alice, document={"pipeline": "hello", "name": "\\u0000"}).script


def test_what_a_script_may_use(site: Site) -> None:
    script = "{{ run.id }} {{ run.directory }} {{ run.name }} {{ pipeline.name }}@{{ pipeline.version }} "
    script += (
        "{{ lab.slug }} {{ lab.name }} {{ user.username }} {{ user.email }} {{ system.name }} "
    )
    script += "{{ system.username }} {{ resources.walltime }} {{ config.name }}"
    PipelineVersion.objects.update(script=script)
    prepared = prepare(user=site.alice, document={"pipeline": "hello", "name": "n"})
    assert prepared.script == (
        f"{prepared.run_id} {prepared.directory_hint} n hello@1.1 lab-a 'Lab A' alice alice@example.org "
        "near svc 00:10:00 n"
    )


def test_a_script_that_cannot_be_made_is_a_problem(site: Site) -> None:
    PipelineVersion.objects.update(script='echo "{{ config.name }}"')
    with pytest.raises(InvalidRequest) as caught:
        prepare(user=site.alice, document={"pipeline": "hello", "name": "n"})
    assert caught.value.problems[0].code == "script_place"


def test_few_queries(site: Site) -> None:
    post(site)
    with CaptureQueriesContext(connection) as queries:
        post(site, "key")
    written = [q["sql"] for q in queries if q["sql"].startswith("INSERT")]
    read = [q["sql"] for q in queries if q["sql"].startswith("SELECT")]
    assert len(written) == 4  # run, event, audit record, the words it is found by
    assert len(read) == 5  # memberships, version, labs, accounts, idempotency key


def test_the_whole_way_from_bytes(site: Site) -> None:
    body = b'\xef\xbb\xbf{"pipeline": "hello", "name": "\\ud83d\\ude00"}'
    document = parse_document(body)
    prepared = prepare(user=site.alice, document=document, text=body.decode())
    run, _ = create_run(user=site.alice, prepared=prepared, source=RunSource.PAGE)
    run.refresh_from_db()
    assert run.configuration["name"] == "\U0001f600"
    assert run.script == "echo hello '\U0001f600'\n"
