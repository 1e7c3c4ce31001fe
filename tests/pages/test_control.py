"""Buttons of the run's page and of the list: who sees them, and what they do without scripts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pipeline_management.choices import Desired, OriginKind, RunState
from pipeline_management.models import PipelineSystem, Run
from pipeline_management.services.engines.shell import ShellEngine
from tests.factories import make_run, make_user, make_version

pytestmark = pytest.mark.django_db
HELLO = {"pipeline": "hello", "name": "x"}


@pytest.fixture
def boss(client):
    user = make_user("boss", staff=True)
    client.force_login(user)
    return client


def messages(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def test_hold_and_release_by_buttons(boss) -> None:
    run = make_run()
    page = boss.get(f"/runs/{run.pk}/").content.decode()
    assert 'id="hold-button"' in page and 'id="release-button"' not in page
    answer = boss.post(f"/runs/{run.pk}/hold/", follow=True)
    page = answer.content.decode()
    assert messages(answer) == ["The run is held until somebody releases it."]
    assert "data-held" in page and 'id="release-button"' in page and 'id="hold-button"' not in page
    assert "On hold: it is handed to the scheduler once somebody releases it." in page
    assert messages(boss.post(f"/runs/{run.pk}/release/", follow=True)) == ["The run is released."]
    run.refresh_from_db()
    assert run.desired == Desired.RUN


def test_a_running_job_says_that_it_cannot_be_held(boss) -> None:
    run = make_run(state=RunState.RUNNING)
    assert 'id="hold-button"' not in boss.get(f"/runs/{run.pk}/").content.decode()
    (text,) = messages(boss.post(f"/runs/{run.pk}/hold/", follow=True))
    assert "running job cannot be held" in text


def test_submit_again_asks_back_and_sends_once(boss) -> None:
    run = make_run(state=RunState.FAILED, configuration={"name": "x"})
    page = boss.get(f"/runs/{run.pk}/resubmit/").content.decode()
    token = page.split('name="token" value="')[1].split('"')[0]
    first = boss.post(f"/runs/{run.pk}/resubmit/", {"token": token})
    second = boss.post(f"/runs/{run.pk}/resubmit/", {"token": token})
    assert first.status_code == 302 and first.url == second.url
    new = run.successors.get()
    assert (new.origin_kind, first.url) == (OriginKind.RESUBMIT, f"/runs/{new.pk}/")
    assert f'href="/runs/{run.pk}/"' in boss.get(first.url).content.decode()
    assert f'href="/runs/{new.pk}/"' in boss.get(f"/runs/{run.pk}/").content.decode()


def test_resume_is_offered_where_it_can_be(boss, monkeypatch: pytest.MonkeyPatch) -> None:
    ago = timezone.now() - timedelta(hours=1)
    run = make_run(state=RunState.FAILED, started_at=ago, configuration={"name": "x"})
    Run.objects.filter(pk=run.pk).update(created_at=ago)
    assert 'id="resume-button"' not in boss.get(f"/runs/{run.pk}/").content.decode()
    assert boss.get(f"/runs/{run.pk}/resume/").status_code == 409
    monkeypatch.setattr(ShellEngine, "can_resume", True)
    assert 'id="resume-button"' in boss.get(f"/runs/{run.pk}/").content.decode()
    assert run.directory in boss.get(f"/runs/{run.pk}/resume/").content.decode()
    planned = boss.get(f"/runs/{run.pk}/resume/?plan=1").content.decode()
    assert "it has no plan to show" in planned and 'id="plan-button"' not in planned
    answer = boss.post(f"/runs/{run.pk}/resume/", follow=True)
    new = run.successors.get()
    assert new.work_directory == run.directory and run.directory in answer.content.decode()
    assert 'id="resume-button"' not in boss.get(f"/runs/{run.pk}/").content.decode()
    again = boss.post(f"/runs/{run.pk}/resume/")
    assert again.status_code == 409 and str(new.pk) in again.content.decode()


def test_a_configuration_that_no_longer_passes_says_why(boss) -> None:
    run = make_run(state=RunState.FAILED, configuration={"other": 1})  # the script needs a name
    answer = boss.post(f"/runs/{run.pk}/resubmit/")
    assert answer.status_code == 400 and "needs a value" in answer.content.decode()


def test_why_it_waits(boss) -> None:
    run = make_run(state=RunState.SUBMITTED, queue_reason="Slots")
    assert f'hx-get="/runs/{run.pk}/waiting/"' in boss.get(f"/runs/{run.pk}/").content.decode()
    page = boss.get(f"/runs/{run.pk}/waiting/").content.decode()
    assert "It waits for a free slot on this machine." in page and "every 30s" in page
    Run.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    assert "hx-get" not in boss.get(f"/runs/{run.pk}/waiting/").content.decode()


def test_many_are_cancelled_after_asking_back(boss) -> None:
    runs = [make_run(name=f"run {n}") for n in range(2)]
    over = make_run(name="old", state=RunState.FAILED)
    ids = [str(run.pk) for run in (*runs, over)]
    page = boss.post("/runs/many/", {"action": "cancel", "run": ids, "back": "text=run"})
    text = page.content.decode()
    assert page.status_code == 200 and "Cancel 2 runs?" in text
    assert "1 of 3 cannot be cancelled:" in text and "The run is over (failed)." in text
    assert Run.objects.filter(state=RunState.QUEUED).count() == 2
    answer = boss.post(
        "/runs/many/",
        {"action": "cancel", "run": ids, "confirmed": "yes", "back": "text=run"},
        follow=True,
    )
    assert answer.redirect_chain == [("/runs/?text=run", 302)]
    assert messages(answer) == [
        "2 runs are being cancelled.",
        "1 of 3 cannot be cancelled: The run is over (failed). [old]",
    ]
    assert Run.objects.filter(state=RunState.CANCELLED).count() == 2


def test_many_are_held_with_reasons(boss) -> None:
    names = ("a", "b\u202e", "x" * 60, "d", "e")
    runs = [make_run(), *(make_run(name=name, state=RunState.RUNNING) for name in names)]
    runs.append(make_run(state=RunState.FAILED))
    data = {"action": "hold", "run": [str(run.pk) for run in runs], "back": ""}
    answer = boss.post("/runs/many/", data, follow=True)
    assert messages(answer) == [
        "1 run is held.",
        "6 of 7 cannot be held: The job has started already; a running job cannot be held. "
        f"[a, b\\u202e, {'x' * 39}… and 2 others] The run is over (failed). [{str(runs[-1].pk)[:8]}]",
    ]


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"action": "hold"},
        {"action": "explode", "run": ["6d6ab6c6-1111-4111-8111-111111111111"]},
        {"action": "cancel", "run": ["x"]},
        {"action": "cancel", "run": [f"6d6ab6c6-1111-4111-8111-{n:012}" for n in range(501)]},
    ],
)
def test_nothing_chosen_is_told(boss, data: dict) -> None:
    answer = boss.post("/runs/many/", data)
    assert answer.status_code == 400 and "Tick the runs" in answer.content.decode()


def test_the_way_back_leads_to_the_list_only(boss) -> None:
    run = make_run()
    data = {"action": "hold", "run": [str(run.pk)], "back": "//evil.example/?x=1&page=2"}
    answer = boss.post("/runs/many/", data)
    assert answer.url.startswith("/runs/?")


def test_rows_can_be_ticked(boss) -> None:
    run = make_run()
    page = boss.get("/runs/").content.decode()
    assert f'name="run" value="{run.pk}" form="many-form"' in page and 'id="many-cancel"' in page
    assert 'name="run"' not in boss.get("/").content.decode()


def test_an_edited_run_shows_its_differences_before_it_is_sent(boss) -> None:
    run = make_run(
        state=RunState.FAILED, configuration={"pipeline": "hello", "name": "x", "list": [1, 2]},
        version=make_version("hello"), name="first",
    )  # fmt: skip
    PipelineSystem.objects.create(version=run.version, system=run.system)
    page = boss.get(f"/submit/?run={run.pk}").content.decode()
    assert f'name="origin" value="{run.pk}"' in page
    text = '{"pipeline": "hello", "name": "y", "list": [1, 2, 3]}'
    form = {"action": "submit", "origin": str(run.pk), "configuration": text, "pipeline": ""}
    shown = boss.post("/submit/", form)
    page = shown.content.decode()
    assert shown.status_code == 200 and run.successors.count() == 0
    assert "/name" in page and "/list/2" in page and "&quot;x&quot;" in page
    seen = page.split('name="seen" value="')[1].split('"')[0]
    other = boss.post("/submit/", form | {"seen": seen, "configuration": text.replace("y", "z")})
    assert other.status_code == 200 and run.successors.count() == 0  # these were not shown
    sent = boss.post("/submit/", form | {"seen": seen})
    new = run.successors.get()
    assert sent.url == f"/runs/{new.pk}/"
    assert (new.origin_kind, new.configuration["name"], new.lab) == (OriginKind.EDIT, "y", run.lab)


def test_an_unchanged_run_is_the_same_again(boss) -> None:
    run = make_run(state=RunState.FAILED, configuration={"pipeline": "hello", "name": "x"},
                   version=make_version("hello"))  # fmt: skip
    PipelineSystem.objects.create(version=run.version, system=run.system)
    text = '{"name": "x", "pipeline": "hello"}'
    form = {"action": "submit", "origin": str(run.pk), "configuration": text, "pipeline": ""}
    page = boss.post("/submit/", form).content.decode()
    assert "The same as" in page
    seen = page.split('name="seen" value="')[1].split('"')[0]
    boss.post("/submit/", form | {"seen": seen})
    assert run.successors.get().origin_kind == OriginKind.RESUBMIT


def test_an_origin_that_is_not_there_is_not_found(boss) -> None:
    make_run()
    form = {"action": "submit", "origin": "x", "configuration": '{"pipeline": "hello"}'}
    assert boss.post("/submit/", form).status_code == 404
