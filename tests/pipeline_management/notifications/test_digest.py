"""The daily digest: at its hour, once, failed runs first, for those who manage the lab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from accounts.models import Membership, Role
from pipeline_management.choices import RunState
from pipeline_management.models import Delivery, MailPreference, Run
from pipeline_management.services.notifications import digests, preferences
from pipeline_management.services.notifications.digests import last_moment
from tests.pipeline_management.notifications.desk import Desk
from tests.pipeline_management.notifications.mail_server import MailServer

pytestmark = pytest.mark.django_db
SIX = datetime(2026, 11, 20, 6, tzinfo=UTC)


@pytest.fixture
def wish(desk: Desk) -> MailPreference:
    """The manager's: a digest at six, the last of which told of everything until yesterday at six."""
    return MailPreference.objects.create(
        user=desk.manager, runs="none", digest=True, digest_until=SIX - timedelta(days=1)
    )


def ended(desk: Desk, state: RunState, at: datetime, **fields: object) -> Run:
    run = desk.run(**{"submitter": desk.manager, **fields})
    Run.objects.filter(pk=run.pk).update(state=state, finished_at=at)
    run.refresh_from_db()
    return run


def test_what_ended_failed_first_once(
    desk: Desk, wish: MailPreference, mail_server: MailServer
) -> None:
    early = SIX - timedelta(hours=20)
    ended(desk, RunState.SUCCEEDED, SIX - timedelta(hours=1), name="good")
    failed = ended(desk, RunState.FAILED, early, name="bad", reason="TIMEOUT")
    ended(desk, RunState.CANCELLED, early, name="stopped")
    ended(desk, RunState.FAILED, SIX - timedelta(hours=25), name="of the day before")
    ended(desk, RunState.FAILED, SIX, name="of today")
    assert digests.queue_due(SIX - timedelta(seconds=1)) == 0
    assert digests.queue_due(SIX) == 1
    assert digests.queue_due(SIX + timedelta(hours=5)) == 0
    assert desk.work() == 1
    (letter,) = mail_server.letters
    assert letter.recipients == ["mona@example.org"]
    subject = "[Centro] genomics: 3 runs ended (1 failed, 1 cancelled, 1 succeeded)"
    assert letter.message["Subject"] == subject
    places = [letter.text.index(f"phoenix@1.2 {name}\n") for name in ("bad", "stopped", "good")]
    assert places == sorted(places)
    assert "Failed: phoenix@1.2 bad\n    The job reached its walltime limit.\n" in letter.text
    assert f"https://centro.example.org/runs/{failed.pk}/" in letter.text
    assert "of today" not in letter.text and "of the day before" not in letter.text
    assert digests.queue_due(SIX + timedelta(days=1)) == 1


def test_nothing_ended_no_mail(desk: Desk, wish: MailPreference, mail_server: MailServer) -> None:
    assert digests.queue_due(SIX) == 0
    wish.refresh_from_db()
    assert wish.digest_until == SIX


def test_days_without_centro_are_told_of_too(
    desk: Desk, wish: MailPreference, mail_server: MailServer
) -> None:
    ended(desk, RunState.FAILED, SIX + timedelta(hours=2), name="while away")
    assert digests.queue_due(SIX + timedelta(days=3)) == 1
    desk.work()
    assert "while away" in mail_server.letters[0].text


def test_only_managers_of_the_lab(
    desk: Desk, wish: MailPreference, mail_server: MailServer
) -> None:
    ended(desk, RunState.FAILED, SIX - timedelta(hours=1))
    MailPreference.objects.create(user=desk.submitter, digest=True)
    assert digests.queue_due(SIX) == 1
    Membership.objects.filter(user=desk.manager).update(role=Role.VIEWER)
    desk.work()
    assert (Delivery.objects.get().state, mail_server.letters) == ("dropped", [])


def test_two_rounds_at_once_make_it_once(
    desk: Desk, wish: MailPreference, mail_server: MailServer
) -> None:
    ended(desk, RunState.FAILED, SIX - timedelta(hours=1))
    stale = MailPreference.objects.select_related("user").get()
    assert digests._queue(MailPreference.objects.select_related("user").get(), SIX) == 1
    assert digests._queue(stale, SIX) == 0
    assert Delivery.objects.count() == 1


def test_without_a_mail_server_it_is_not_made(
    desk: Desk, wish: MailPreference, no_mail: None
) -> None:
    ended(desk, RunState.FAILED, SIX - timedelta(hours=1))
    assert digests.queue_due(SIX) == 0
    wish.refresh_from_db()
    assert wish.digest_until == SIX - timedelta(days=1)


def test_switched_on_it_comes_at_the_next_hour(desk: Desk, mail_server: MailServer) -> None:
    now = timezone.now()
    ended(desk, RunState.FAILED, now - timedelta(hours=30))
    preferences.save(desk.manager, runs="none", digest=True, digest_hour=6)
    assert digests.queue_due(now) == 0
    ended(desk, RunState.FAILED, now)
    assert digests.queue_due(now + timedelta(days=1, minutes=1)) == 1


def test_long_digests_are_cut(
    desk: Desk, wish: MailPreference, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "MOST_RUNS", 2)
    for _ in range(5):
        ended(desk, RunState.FAILED, SIX - timedelta(hours=1))
    digests.queue_due(SIX)
    desk.work()
    text = mail_server.letters[0].text
    assert text.count("/runs/") == 2 and "… and 3 more." in text


@pytest.mark.parametrize(
    ("zone", "hour", "now", "expected"),
    [
        ("UTC", 6, "2026-11-20T06:00:00+00:00", "2026-11-20T06:00:00+00:00"),
        ("UTC", 6, "2026-11-20T05:59:59+00:00", "2026-11-19T06:00:00+00:00"),
        ("Europe/Zurich", 6, "2026-07-01T04:00:00+00:00", "2026-07-01T04:00:00+00:00"),
        ("Europe/Zurich", 6, "2026-12-01T04:30:00+00:00", "2026-11-30T05:00:00+00:00"),
        # the night in which 02:00 to 03:00 does not exist, and the one in which it comes twice
        ("Europe/Zurich", 2, "2026-03-29T12:00:00+00:00", "2026-03-29T01:00:00+00:00"),
        ("Europe/Zurich", 2, "2026-10-25T12:00:00+00:00", "2026-10-25T00:00:00+00:00"),
        ("America/Phoenix", 0, "2026-01-01T06:59:00+00:00", "2025-12-31T07:00:00+00:00"),
    ],
)
def test_the_hour_is_the_projects(
    settings: object, zone: str, hour: int, now: str, expected: str
) -> None:
    settings.TIME_ZONE = zone  # type: ignore[attr-defined]  # pytest-django's settings
    found = last_moment(hour, datetime.fromisoformat(now))
    assert found == datetime.fromisoformat(expected)
