"""Text that a run carries is text on its pages, the output of its job as well; the rest is in tests/hostile."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.utils import timezone

from pipeline_management.choices import Attention, HealthState, Reason, RunState
from pipeline_management.models import Attempt, Run, RunEvent
from pipeline_management.services.logs import LogSlice
from tests.factories import make_account, make_lab, make_run, make_system, make_user, make_version
from tests.pages.site import Site

CORPUS = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</pre><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' autofocus onfocus='alert(1)",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
    "<style>*{display:none}</style>",
    "{{ 7|add:'7' }}{% debug %}",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<!--",
    "]]><script>alert(1)</script>",
    "<div hx-get=\"/\" hx-trigger=\"load\">",
    "\u202e\u0000<b>".replace("\u0000", ""),
]
HTMX = {"HX-Request": "true"}
# elements and attributes that our templates never make; one of them on a page came from data
FORBIDDEN_TAGS = {"iframe", "style", "object", "embed", "base", "b"}


class _Watcher(HTMLParser):
    """Collects what a page's mark-up holds."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in FORBIDDEN_TAGS or (tag == "script" and "src" not in values):
            self.faults.append(tag)
        if tag == "img" and not (values.get("src") or "").startswith("/static/"):
            self.faults.append("img")
        for name, value in attrs:
            scripted = (value or "").strip().lower().startswith("javascript:")
            if name.startswith("on") or name == "style" or scripted:
                self.faults.append(f"{tag} {name}")
        if values.get("hx-get") == "/" and values.get("hx-trigger") == "load":
            self.faults.append("hx-get")


def assert_harmless(response: Any) -> None:
    assert response.status_code in {200, 400, 403, 404}
    watcher = _Watcher()
    watcher.feed(response.content.decode())
    watcher.close()
    assert watcher.faults == []
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.fixture(params=CORPUS)
def text(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def run(site: Site, text: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that carries the text everywhere where text can come from outside."""
    lab = make_lab("hostile")
    lab.name = text[:100]
    lab.save()
    system = make_system("hostile", description=text, health=HealthState.DOWN, health_reason=text, host=text)
    account = make_account(system, username=text[:64], poll_error=text, poll_failures=2)
    schema = {"type": "object", "properties": {text: {"type": text, "description": text, "enum": [text],
                                                       "default": text, "pattern": text}}}
    version = make_version("hostile", "1.0", system=system, schema=schema, script=text,
                           example={"x": text}, resources={text: text})
    version.pipeline.title = version.pipeline.description = text
    version.pipeline.save()
    made = make_run(
        lab=lab, submitter=make_user(text[:150]), version=version, account=account,
        state=RunState.FAILED, name=text, configuration={"x": text}, script=text,
        resources={text: text}, directory=text, reason=Reason.SUBMIT_REJECTED, reason_text=text,
        attention=Attention.CLUSTER_DOWN, attention_text=text, job_id=text[:64],
        queue_state=text[:32], queue_reason=text, nodes=text,
    )  # fmt: skip
    RunEvent.objects.create(run=made, seq=2, at=timezone.now(), actor=text[:150], type=text[:32],
                            evidence=text[:16], data={"text": text, "job_id": text, "reason": text})
    for number in (1, 2):
        Attempt.objects.create(run=made, number=number, job_id=text[:64], script_sha256="0" * 64)

    def read_log(**_: Any) -> LogSlice:
        data = text.encode()
        return LogSlice(data, 0, len(data), len(data), True, "system", timezone.now(), text)

    monkeypatch.setattr("pipeline_management.views.output.read_log", read_log)
    return made


def test_no_page_of_a_run_makes_mark_up_of_it(site: Site, run: Run) -> None:
    client = site.client("administrator")
    for state in (RunState.FAILED, RunState.SUBMITTED):
        Run.objects.filter(pk=run.pk).update(state=state)
        for address in ("/", "/runs/", f"/runs/{run.pk}/", f"/runs/{run.pk}/log/",
                        f"/runs/{run.pk}/cancel/", f"/submit/?run={run.pk}"):
            assert_harmless(client.get(address))
        for address in (f"/runs/{run.pk}/status/", f"/runs/{run.pk}/log/?offset=0"):
            assert_harmless(client.get(address, headers=HTMX))
