"""Mails about runs that ended: who gets one, what it says, and that it comes once."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.choices import RunKind, RunState
from pipeline_management.models import Delivery, MailPreference, RunEnding
from pipeline_management.services import dispatch, leases, sweeps
from pipeline_management.services.notifications import delivering, spreading
from pipeline_management.services.notifications.addresses import in_configuration
from pipeline_management.services.notifications.plain_text import last_lines
from pipeline_management.services.transition import Change, Note, apply
from pipeline_management.tasks import guard, notify_due, sweep_notify
from tests.pipeline_management.notifications.desk import Desk
from tests.pipeline_management.notifications.mail_server import MailServer

pytestmark = pytest.mark.django_db


def test_the_submitter_is_told_once(desk: Desk, mail_server: MailServer) -> None:
    run = desk.end(
        RunState.FAILED, b"reading\nsamtools: no reference\n", reason="EXIT_NONZERO", exit_code=3,
        reason_text="samtools: cannot open the reference", job_id="48099", started_at=timezone.now(),
    )  # fmt: skip
    assert desk.work() == 1
    assert desk.work() == 0
    (letter,) = mail_server.letters
    assert (letter.sender, letter.recipients) == ("centro@example.org", ["sam@example.org"])
    assert letter.message["Subject"] == "[Centro] failed: phoenix@1.2 NA12878"
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert letter.message.get_content_type() == "text/plain"
    lines = letter.text.split("\n")
    assert lines[:4] == [
        "Failed: phoenix@1.2 NA12878",
        "",
        "The job script ended with exit code 3.",
        "samtools: cannot open the reference",
    ]
    for line in (
        "System:       gemini",
        "Job id:       48099",
        "Exit code:    3",
        "Lab:          genomics",
    ):
        assert line in lines
    assert f"https://centro.example.org/runs/{run.pk}/" in lines
    assert "The last lines of stderr:\n    reading\n    samtools: no reference\n" in letter.text
    assert "https://centro.example.org/notifications/" in letter.text
    (kept,) = Delivery.objects.all()
    assert (kept.state, kept.tries, kept.user, kept.error) == ("delivered", 1, desk.submitter, "")
    assert letter.message["Message-ID"] == f"<{kept.pk}@centro.example.org>"


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ("all", ["succeeded", "failed", "cancelled"]),
        ("failures", ["failed"]),
        ("none", []),
    ],
)
def test_what_the_person_wants(
    desk: Desk, mail_server: MailServer, wish: str, told: list[str]
) -> None:
    MailPreference.objects.create(user=desk.submitter, runs=wish)
    for state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED):
        desk.end(state)
    desk.work()
    subjects = [letter.message["Subject"] for letter in mail_server.letters]
    assert sorted(subjects) == sorted(f"[Centro] {state}: phoenix@1.2 NA12878" for state in told)


def test_who_is_not_active_or_has_no_address_gets_nothing(
    desk: Desk, mail_server: MailServer
) -> None:
    desk.submitter.is_active = False
    desk.submitter.save()
    desk.end()
    desk.submitter.is_active, desk.submitter.email = True, ""
    desk.submitter.save()
    desk.end()
    assert desk.work() == 0
    assert not RunEnding.objects.exists() and not mail_server.letters


def test_who_leaves_between_end_and_mail_gets_nothing(desk: Desk, mail_server: MailServer) -> None:
    desk.end()
    assert spreading.spread() == 1
    desk.submitter.is_active = False
    desk.submitter.save()
    desk.work()
    assert (Delivery.objects.get().state, mail_server.letters) == ("dropped", [])


def test_the_configurations_addresses_get_a_mail_each(desk: Desk, mail_server: MailServer) -> None:
    asked = {"email": ["pi@example.org, lab@example.org", "SAM@example.org", "not an address"]}
    desk.end(configuration=asked)
    desk.work()
    recipients = sorted(address for letter in mail_server.letters for address in letter.recipients)
    assert recipients == ["lab@example.org", "pi@example.org", "sam@example.org"]
    assert all(len(letter.recipients) == 1 for letter in mail_server.letters), (
        "nobody sees the others"
    )
    assert mail_server.connections == 1
    named = [letter.text for letter in mail_server.letters if "pi@example.org" in letter.recipients]
    assert "configuration names your address" in named[0]


def test_a_configurations_addresses_are_told_whatever_the_submitter_wants(
    desk: Desk, mail_server: MailServer
) -> None:
    MailPreference.objects.create(user=desk.submitter, runs="none")
    desk.end(configuration={"email": "pi@example.org"})
    desk.work()
    assert [letter.recipients for letter in mail_server.letters] == [["pi@example.org"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@example.org", ["a@example.org"]),
        ("a@example.org,b@example.org ,", ["a@example.org", "b@example.org"]),
        (["a@example.org", "A@EXAMPLE.ORG"], ["A@EXAMPLE.ORG"]),
        ("a@example.org\nBcc: x@example.org", []),
        ("Bob <a@example.org>", []),
        ({"to": "a@example.org"}, []),
        (7, []),
        (None, []),
        ([f"u{n}@example.org" for n in range(30)], [f"u{n}@example.org" for n in range(20)]),
        (f"{'x' * 250}@example.org", []),
    ],
)
def test_addresses_of_a_configuration(value: Any, expected: list[str]) -> None:
    import json

    assert in_configuration(json.dumps({"email": value})) == expected
    assert in_configuration(json.dumps([{"email": value}])) == []


def test_a_configuration_that_cannot_be_read_names_nobody() -> None:
    assert in_configuration("") == in_configuration('{"email": ') == []
    assert in_configuration("[" * 100_000) == []


def test_hostile_text_stays_text(desk: Desk, mail_server: MailServer) -> None:
    evil = "x\r\nBcc: victim@example.org\r\n\r\n<script>\x1b[31mred\u202e"
    noise = b"10%\r50%\r100%\n\x1b[31mred\x1b[0m\x00 \xff\n.\n-- \nFrom: me\n"
    desk.end(
        RunState.FAILED, noise, name=evil, reason="EXIT_NONZERO", exit_code=1, reason_text=evil
    )
    desk.work()
    (letter,) = mail_server.letters
    assert letter.recipients == ["sam@example.org"]
    assert letter.message["Bcc"] is None
    assert (
        letter.message["Subject"]
        == "[Centro] failed: phoenix@1.2 x Bcc: victim@example.org <script>red"
    )
    assert "x Bcc: victim@example.org <script>red" in letter.text
    assert "    100%\n    red\ufffd \ufffd\n    .\n    -- \n    From: me\n" in letter.text
    assert "\x1b" not in letter.text and "\x00" not in letter.text


def test_only_the_end_of_a_log_is_told() -> None:
    data = b"".join(b"line %d\n" % number for number in range(1000))
    assert last_lines(data, 2, 100) == ["line 998", "line 999"]
    assert last_lines(data + b"y" * 5000, 3, 100) == ["y" * 100]
    assert last_lines(b"", 3, 100) == []


def test_a_job_script_without_pipeline_and_lab(desk: Desk, mail_server: MailServer) -> None:
    run = desk.run(kind=RunKind.JOB)
    type(run).objects.filter(pk=run.pk).update(version=None, lab=None)
    apply([Change(run, RunState.SUCCEEDED)], actor="test")
    desk.work()
    (letter,) = mail_server.letters
    assert letter.message["Subject"] == "[Centro] succeeded: job script NA12878"
    assert "Lab:" not in letter.text


def test_a_server_that_is_down_gets_it_later(desk: Desk, mail_server: MailServer) -> None:
    mail_server.stop()
    desk.end()
    desk.end(name="second")
    assert desk.work() == 2
    assert desk.work() == 0, "not before the pause is over"
    for kept in Delivery.objects.all():
        assert (kept.state, kept.tries) == ("waiting", 1)
        assert "The mail server does not answer" in kept.error
        pause = (kept.next_at - timezone.now()).total_seconds()
        assert 20 < pause < 34
    mail_server.start()
    desk.wait()
    assert desk.work() == 2
    assert len(mail_server.letters) == 2
    assert set(Delivery.objects.values_list("state", "tries", "error")) == {("delivered", 2, "")}


def test_a_server_that_does_not_answer_is_asked_once_a_batch(
    desk: Desk, mail_server: MailServer
) -> None:
    mail_server.closed = True
    for _ in range(5):
        desk.end()
    assert desk.work() == 5
    assert mail_server.connections == 1
    assert set(Delivery.objects.values_list("state", "tries")) == {("waiting", 1)}


def test_after_about_a_day_it_is_given_up(desk: Desk, mail_server: MailServer) -> None:
    mail_server.closed = True
    desk.end()
    for _ in range(len(delivering.PAUSES)):
        desk.work()
        desk.wait()
    assert Delivery.objects.get().state == "waiting"
    desk.work()
    kept = Delivery.objects.get()
    assert (kept.state, kept.next_at, kept.tries) == ("given_up", None, len(delivering.PAUSES) + 1)
    assert kept.error
    assert 22 * 3600 < sum(delivering.PAUSES) < 28 * 3600


@pytest.mark.parametrize(
    ("refusal", "state"),
    [("550 no such person", "given_up"), ("451 try again later", "waiting")],
)
def test_a_refused_recipient(desk: Desk, mail_server: MailServer, refusal: str, state: str) -> None:
    mail_server.refusals["sam@example.org"] = refusal
    desk.end(configuration={"email": "pi@example.org"})
    desk.work()
    assert [letter.recipients for letter in mail_server.letters] == [["pi@example.org"]]
    kept = Delivery.objects.get(address="sam@example.org")
    assert kept.state == state and refusal in kept.error


def test_without_a_mail_server_nothing_is_queued(desk: Desk, no_mail: None) -> None:
    desk.end(configuration={"email": "pi@example.org"})
    assert desk.work() == 0
    assert not Delivery.objects.exists() and not RunEnding.objects.exists()


def test_only_the_end_is_told(desk: Desk) -> None:
    run = desk.run(state=RunState.RUNNING)
    apply([Change(run, RunState.FINISHING, notes=[Note("late_evidence")])], actor="test")
    assert not RunEnding.objects.exists()


def test_spreading_twice_makes_nothing_twice(desk: Desk, mail_server: MailServer) -> None:
    run = desk.end()
    spreading.spread()
    RunEnding.objects.create(run=run, event_seq=run.event_seq)
    spreading.spread()
    assert Delivery.objects.count() == 1


def test_a_dead_workers_delivery_is_sent_by_another(desk: Desk, mail_server: MailServer) -> None:
    desk.end()
    spreading.spread()
    (claimed,) = delivering.claim("dead")
    assert desk.work() == 0
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert desk.work() == 1
    from pipeline_management.services.notifications.outcome import Outcome

    delivering.settle(claimed, Outcome.failed("late"), "dead")
    assert Delivery.objects.get().state == "delivered", "who lost the lease changes nothing"


def test_500_ends_cost_no_more_queries_than_5(desk: Desk, mail_server: MailServer) -> None:
    def queries_of(number: int) -> list[str]:
        changes = [Change(desk.run(), RunState.SUCCEEDED) for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            assert len(apply(changes, actor="test")) == number
        return [query["sql"] for query in queries]

    few, many = queries_of(5), queries_of(500)
    for queries, most in ((few, 1), (many, 2)):  # SQLite takes 499 of these rows at once
        assert 1 <= len([sql for sql in queries if "pipeline_management_runending" in sql]) <= most
    assert len([q for q in few if "INSERT" not in q]) == len([q for q in many if "INSERT" not in q])
    assert RunEnding.objects.count() == 505


def test_spreading_costs_the_same_for_one_and_for_fifty(
    desk: Desk, mail_server: MailServer
) -> None:
    costs = []
    for number in (1, spreading.BATCH):
        for _ in range(number):
            desk.end(configuration={"email": "pi@example.org"})
        with CaptureQueriesContext(connection) as queries:
            assert spreading.spread() == number
        costs.append(len([q for q in queries if "SAVEPOINT" not in q["sql"]]))
    assert costs[1] <= costs[0] + 3, costs  # SQLite takes only so many rows at once


def test_a_lost_bell_is_rung_again(
    desk: Desk, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []
    # a worker's task begins with fresh connections, a test has one transaction
    monkeypatch.setattr(guard, "close_old_connections", lambda: None)
    monkeypatch.setattr(dispatch, "ring", lambda task, account_id: rung.append(task))
    sweep_notify()
    assert rung == []
    desk.end()
    sweep_notify()
    assert rung == ["pipeline_management.notify_due"]
    spreading.spread()
    sweep_notify()
    assert len(rung) == 2
    notify_due()
    sweep_notify()
    assert len(rung) == 2 and len(mail_server.letters) == 1


def test_only_so_many_send_at_once(desk: Desk, mail_server: MailServer) -> None:
    desk.end()
    with leases.holding() as others:
        for number in range(delivering.SENDERS):
            assert leases.take_named(f"notify:{number}", others)
        assert desk.work() == 0
        leases.release_named("notify:1", others)
        assert desk.work() == 1


def test_old_deliveries_are_deleted_but_for_waiting_ones(
    desk: Desk, mail_server: MailServer
) -> None:
    for _ in range(3):
        desk.end()
    desk.work()
    first, second, third = Delivery.objects.order_by("pk")
    old = timezone.now() - timedelta(days=91)
    Delivery.objects.filter(pk__in=[first.pk, second.pk]).update(created_at=old)
    Delivery.objects.filter(pk=second.pk).update(state="waiting")
    sweeps.sweep_retention()
    assert set(Delivery.objects.values_list("pk", flat=True)) == {second.pk, third.pk}


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_once(mail_server: MailServer) -> None:
    desk = Desk()
    for _ in range(30):
        desk.end()
    start = threading.Barrier(3)

    def worker() -> None:
        start.wait()
        try:
            for _ in range(5):
                desk.work()
                time.sleep(0.05)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.work()
    assert len(mail_server.letters) == 30
    assert set(Delivery.objects.values_list("state", "tries")) == {("delivered", 1)}
