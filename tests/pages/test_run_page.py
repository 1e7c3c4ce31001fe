"""The page of one run, its live part, its output, cancelling it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pipeline_management.choices import Attention, Desired, Reason, RunState
from pipeline_management.models import Attempt, AuditEvent, Run, RunEvent, RunLog, RunTask
from tests.factories import make_run
from tests.pages.site import Site

HTMX = {"HX-Request": "true"}


def page_of(site: Site, run: Run, person: str = "viewer") -> str:
    response = site.client(person).get(f"/runs/{run.pk}/")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("state", list(RunState))
def test_every_state_has_a_page(site: Site, state: RunState) -> None:
    run = site.run(state=state, outcome="failed" if state == RunState.FINISHING else "")
    page = page_of(site, run)
    assert f'data-state="{state}"' in page
    polls = "hx-trigger=\"every 2s\"" in page
    assert polls is not state.is_terminal


def test_it_shows_where_the_run_comes_from_and_goes_to(site: Site) -> None:
    run = site.run(
        name="NA12878", job_id="4711", resources={"cpus": 4, "queue": None}, nodes="c017",
        configuration={"pipeline": "hello", "name": "Grüße <3"}, state=RunState.RUNNING,
        started_at=timezone.now(),
    )  # fmt: skip
    page = page_of(site, run)
    for text in ("NA12878", "hello@1.0", "genomics", "submitter", "4711", "c017", run.directory, run.key):
        assert text in page
    assert "<dt>Processors</dt>" in page and "<dt>Queue</dt>" not in page
    texts = site.client("viewer").get(f"/runs/{run.pk}/configuration/").content.decode()
    assert "Grüße &lt;3" in texts
    assert "#!/bin/sh\ntrue" in texts


def test_foreign_and_unknown_runs_are_the_same_404(site: Site) -> None:
    foreign = make_run(lab=site.other_lab)
    client = site.client("manager")
    unknown = "00000000-0000-4000-8000-000000000000"
    for tail in ("", "status/", "log/", "cancel/"):
        answers = [client.get(f"/runs/{key}/{tail}") for key in (foreign.pk, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    assert client.post(f"/runs/{foreign.pk}/cancel/").status_code == 404


def test_the_timeline_tells_what_happened(site: Site) -> None:
    run = site.run(state=RunState.FAILED, reason=Reason.EXIT_NONZERO, exit_code=3)
    at = timezone.now()
    events = [
        ("state", "queued", "submitting", "portal", {"attempt": 1}),
        ("submit_unknown", "", "", "submission", {"text": "no answer within 30 s"}),
        ("state", "submitting", "submitted", "submission", {"job_id": "4711"}),
        ("cancel_requested", "", "", "portal", {}),
        ("cancel_too_late", "", "", "", {}),
        ("state", "running", "finishing", "marker", {"reason": "EXIT_NONZERO", "exit_code": 3}),
        ("something_new", "", "", "elsewhere", {"text": "unheard of"}),
    ]
    for number, (kind, before, after, evidence, data) in enumerate(events, start=2):
        RunEvent.objects.create(run=run, seq=number, at=at, actor="worker", type=kind,
                                from_state=before, to_state=after, evidence=evidence, data=data)
    page = page_of(site, run)
    for text in (
        "Not yet known whether the scheduler took the job", "no answer within 30 s",
        "Cancellation requested", "The job ended before it could be cancelled",
        "the job&#x27;s own marker", "The job script ended with an error code",
        "Something new", "unheard of",
    ):  # fmt: skip
        assert text in page, text


def test_attention_is_a_banner_with_a_plain_sentence(site: Site) -> None:
    run = site.run(
        state=RunState.SUBMITTED, attention=Attention.CLUSTER_DOWN,
        attention_text="connection refused", attention_since=timezone.now(),
    )  # fmt: skip
    page = page_of(site, run)
    assert "The system does not answer: connection refused" in page
    assert 'role="alert"' in page


def test_the_end_of_a_failed_run_is_explained(site: Site) -> None:
    run = site.run(state=RunState.FAILED, reason=Reason.SUBMIT_REJECTED,
                   reason_text="sbatch: error: invalid partition specified: nope")
    assert "sbatch: error: invalid partition specified: nope" in page_of(site, run)
    ended = site.run(state=RunState.FAILED, reason=Reason.EXIT_NONZERO, exit_code=3)
    assert '<dd id="exit-code">3</dd>' in page_of(site, ended)


def test_the_confirmation_has_its_time_and_source(site: Site) -> None:
    at = timezone.now().replace(microsecond=0) - timedelta(seconds=5)
    run = site.run(state=RunState.RUNNING, confirmed_at=at, confirmed_source="marker")
    page = page_of(site, run)
    assert f'datetime="{at:%Y-%m-%dT%H:%M:%SZ}"' in page
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in page
    assert "by the job&#x27;s own marker" in page


def test_several_attempts_are_listed(site: Site) -> None:
    run = site.run(state=RunState.RUNNING, job_id="12")
    Attempt.objects.create(run=run, number=1, job_id="11", script_sha256="0" * 64, lost_at=timezone.now())
    assert "Attempts" not in page_of(site, run)
    Attempt.objects.create(run=run, number=2, job_id="12", script_sha256="0" * 64)
    assert "Attempts" in page_of(site, run)


def test_the_live_part_is_sent_only_when_it_has_changed_and_costs_little(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    for number in range(2, 40):
        RunEvent.objects.create(run=run, seq=number, at=timezone.now(), actor="worker", type="adopted")
    client = site.client("viewer")
    page = client.get(f"/runs/{run.pk}/").content.decode()
    mark = re.search(r'X-Fragment": "([0-9a-f]{16})"', page)
    assert mark is not None
    headers = {**HTMX, "X-Fragment": mark[1]}
    with CaptureQueriesContext(connection) as queries:
        assert client.get(f"/runs/{run.pk}/status/", headers=headers).status_code == 204
    assert len(queries) <= 9
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)
    answer = client.get(f"/runs/{run.pk}/status/", headers=headers)
    assert answer.status_code == 200
    assert "hx-trigger" not in answer.content.decode()
    assert "configuration_json" not in "".join(query["sql"] for query in queries)


def test_a_poll_after_the_log_in_has_ended_reloads_the_page(site: Site, client: Any) -> None:
    run = site.run()
    for address in ("/", "/runs/", f"/runs/{run.pk}/status/", f"/runs/{run.pk}/log/"):
        answer = client.get(address, headers=HTMX)
        assert (answer.status_code, answer["HX-Refresh"]) == (401, "true")
        whole = client.get(address)
        assert whole.status_code == 302
        assert whole["Location"].startswith("/accounts/login/?next=/")


# --- output -----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(site: Site, tmp_path: Path) -> Run:
    """A run that is over, with 20,000 lines of output."""
    lines = b"".join(b"line %07d\n" % number for number in range(20_000))
    (tmp_path / "stdout").write_bytes(lines)
    return site.run(state=RunState.SUCCEEDED, job_id="1", directory=str(tmp_path))


def lines_of(text: str) -> list[int]:
    """The numbers of the lines on the page that works without scripts."""
    shown = re.search(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)
    assert shown is not None
    return [int(line.removeprefix("line ")) for line in shown[1].splitlines()]


def test_the_pieces_of_a_long_stream_are_pages(site: Site, run: Run) -> None:
    client = site.client("viewer")
    path = f"/runs/{run.pk}/log/"
    text = client.get(path).content.decode()
    found = lines_of(text)
    assert found[-1] == 19_999 and "amp;offset=" not in text
    while (link := re.search(r'href="(\?stream=stdout&amp;before=\d+)"', text)) is not None:
        text = client.get(path + link[1].replace("&amp;", "&")).content.decode()
        found = lines_of(text) + found
    assert found == list(range(20_000))
    later = re.search(r'href="(\?stream=stdout&amp;offset=\d+)"', text)
    assert later is not None
    following = lines_of(client.get(path + later[1].replace("&amp;", "&")).content.decode())
    assert following[0] == lines_of(text)[-1] + 1


def test_kept_output_is_shown_without_the_system(site: Site) -> None:
    run = site.run(state=RunState.FAILED)
    RunLog.objects.create(run=run, stream="stderr", size=9, data=b"so it was", collected_at=timezone.now())
    text = site.client("viewer").get(f"/runs/{run.pk}/log/?stream=stderr").content.decode()
    assert "<html" in text
    assert "The run never had a job." in text
    run = site.run(state=RunState.FAILED, job_id="5", directory="/nonexistent")
    RunLog.objects.create(run=run, stream="stderr", size=9, data=b"so it was", collected_at=timezone.now())
    text = site.client("viewer").get(f"/runs/{run.pk}/log/?stream=stderr").content.decode()
    assert "so it was" in text and "There is no such file on the system." in text


@pytest.mark.parametrize("query", ["stream=secrets", "stream=../stdout", "stream=task:x", "offset=-1", "offset=x",
                                   "offset=1e3", "offset=²", "offset=9999999999999999999", "before=x",
                                   "before=1&offset=1"])
def test_a_wrong_stream_or_offset_is_refused_by_name(site: Site, query: str) -> None:
    run = site.run()
    answer = site.client("viewer").get(f"/runs/{run.pk}/log/?{query}")
    assert answer.status_code == 400
    assert answer.content.decode().startswith(query.split("=")[0])


def test_the_viewer_offers_the_run_s_streams_and_the_logs_of_its_tasks(site: Site, run: Run) -> None:
    task = RunTask.objects.create(run=run, name="align <b>", key="k", log_path="a.log", reported_at=timezone.now())
    for path in (f"/runs/{run.pk}/", f"/runs/{run.pk}/log/?stream=stderr"):
        text = site.client("viewer").get(path).content.decode()
        for stream in ("stdout", "stderr", "scheduler"):
            assert f'id="tab-{stream}"' in text
        assert f'<option value="task:{task.pk}">align &lt;b&gt;</option>' in text
        assert f'data-api="/api/v1/runs/{run.pk}/log/"' in text
        assert 'data-stream="stderr"' in text


# --- cancelling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("person", ["submitter", "manager", "administrator"])
def test_who_may_cancel_a_run_can_do_so(site: Site, person: str) -> None:
    run = site.run(state=RunState.RUNNING)
    assert 'id="cancel-button"' in page_of(site, run, person)
    client = site.client(person)
    assert "Keep it running" in client.get(f"/runs/{run.pk}/cancel/").content.decode()
    answer = client.post(f"/runs/{run.pk}/cancel/", follow=True)
    assert answer.redirect_chain == [(f"/runs/{run.pk}/", 302)]
    assert "The run is being cancelled." in answer.content.decode()
    assert 'id="cancel-button"' not in answer.content.decode()
    run.refresh_from_db()
    assert (run.desired, run.state) == (Desired.CANCEL, RunState.RUNNING)
    assert AuditEvent.objects.get(action="run.cancel").address == "127.0.0.1"


def test_others_may_not(site: Site) -> None:
    run = site.run(state=RunState.RUNNING, submitter=site.people["manager"])
    for person in ("viewer", "submitter"):
        assert 'id="cancel-button"' not in page_of(site, run, person)
        for method in ("get", "post"):
            answer = getattr(site.client(person), method)(f"/runs/{run.pk}/cancel/")
            assert answer.status_code == 403
            assert "can cancel this run" in answer.content.decode()
    run.refresh_from_db()
    assert run.desired == Desired.RUN


def test_looking_at_the_question_cancels_nothing(site: Site) -> None:
    run = site.run(state=RunState.RUNNING)
    site.client("submitter").get(f"/runs/{run.pk}/cancel/")
    run.refresh_from_db()
    assert run.desired == Desired.RUN


def test_a_run_that_has_ended_stays_as_it_is(site: Site) -> None:
    run = site.run(state=RunState.SUCCEEDED)
    client = site.client("submitter")
    assert "there is nothing to cancel" in client.get(f"/runs/{run.pk}/cancel/").content.decode()
    answer = client.post(f"/runs/{run.pk}/cancel/", follow=True)
    assert "nothing to cancel" in answer.content.decode()
    run.refresh_from_db()
    assert (run.desired, run.state) == (Desired.RUN, RunState.SUCCEEDED)


def test_cancelling_needs_the_form_s_token(site: Site) -> None:
    from django.test import Client

    run = site.run(state=RunState.RUNNING)
    client = Client(enforce_csrf_checks=True)
    client.force_login(site.people["submitter"])
    answer = client.post(f"/runs/{run.pk}/cancel/")
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()
