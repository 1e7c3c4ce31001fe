"""Where texts come in from people and jobs: one request for each field, with the field's name in a refusal.

Fields of other doors, which need servers, are tried elsewhere (``ELSEWHERE``).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.models import Role
from pipeline_management.choices import RunState
from pipeline_management.models import Run
from pipeline_management.services.reports import tokens
from tests.factories import make_lab
from tests.pages.site import Site

JSON = "application/json"
HTMX = {"HX-Request": "true"}
ELSEWHERE: dict[str, str] = {
    "paths and names of files by FirecREST": "tests/firecrest/test_hostile_paths.py",
    "job scripts and their names by FirecREST": "tests/firecrest/test_submit.py",
    "file names of a directory, and what is done to them": "tests/pages/test_files.py",
    "file names in a run's directory": "tests/pages/test_run_files.py",
    "previews of tables, notebooks and reports": "tests/pipeline_management/test_previews.py",
    "output of a job in the viewer": "tests/browser/test_output.py",
    "workbooks made to do harm": "tests/workbook/hostile.py",
    "cells, names and notes in workbooks": "tests/hostile/test_workbooks.py",
    "bodies of the API that are no good": "tests/hostile/test_writing.py",
    "zip files for the catalogue": "tests/hostile/test_zips.py",
    "reports by websocket": "tests/websockets/test_hostile.py",
    "files of a system by FirecREST and in the browser of files": "tests/firecrest/test_hostile_answers.py",
    "answers of systems": "tests/hpc/test_fuzz.py",
    "answers of a webhook's server": "tests/pipeline_management/notifications/test_webhooks.py",
    "the log of the portal": "tests/centro/test_logs.py",
}


@dataclass
class Desk:
    """Who asks, and about which run."""

    submitter: Client
    manager: Client
    administrator: Client
    run: Run
    token: str

    def api(self, path: str, body: Any, client: Client | None = None) -> Any:
        return (client or self.submitter).post(
            f"/api/v1{path}", json.dumps(body), content_type=JSON
        )

    def told(self, kind: str, **data: Any) -> Any:
        """The answer to an event of the run's job."""
        event = {
            "sender": "job-1",
            "seq": time.time_ns() % 2**52,
            "type": kind,
            "at": time.time(),
            "data": data,
        }
        return Client().post(
            f"/api/v1/runs/{self.run.pk}/events/", json.dumps(event), content_type="application/x-ndjson",
            headers={"Authorization": f"Bearer {self.token}"},
        )  # fmt: skip

    def submitted(self, action: str, configuration: Any, **headers: str) -> Any:
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        fields = {"configuration": text, "action": action}
        return self.submitter.post("/submit/", fields, headers=headers or None)


def make_desk(site: Site) -> Desk:
    """People of the site's lab and a run that is going on."""
    make_lab("genomics", administrator=Role.MANAGER)
    run = site.run(state=RunState.RUNNING)
    run.token_sha256 = tokens.digest_of_new(run.pk)
    run.save()
    token = tokens.token_for(run)
    clients = [site.client(name) for name in ("submitter", "manager", "administrator")]
    return Desk(*clients, run, token)


Ask = Callable[[Desk, str], Any]


@dataclass(frozen=True)
class Entry:
    """``names``: what a refusal must say, any of them; ``also``: statuses besides 200 to 302 and 400."""

    ask: Ask
    names: tuple[str, ...] = ()
    also: tuple[int, ...] = ()


def _get(path: str, *names: str) -> Ask:
    """One request with the value in all these parameters."""
    return lambda desk, value: desk.submitter.get(
        path.format(run=desk.run.pk), dict.fromkeys(names, value)
    )


def _form(path: str, name: str, who: str = "submitter", /, **others: str) -> Ask:
    def ask(desk: Desk, value: str) -> Any:
        return getattr(desk, who).post(path.format(run=desk.run.pk), {**others, name: value})

    return ask


def _upload(name: str, /, **changes: Callable[[str], Any]) -> Ask:
    """A pipeline in an uploaded YAML file (JSON is YAML, but for lone surrogates)."""

    def ask(desk: Desk, value: str) -> Any:
        part = {"name": "fresh", "version": "1.0", "systems": ["cluster"], "labs": ["*"],
                "schema": {"type": "object"}, "script": "true"}  # fmt: skip
        part |= {key: make(value) for key, make in changes.items()}
        data = json.dumps(part, ensure_ascii=False).encode("utf-8", "surrogatepass")
        upload = SimpleUploadedFile(name or value, data)
        return desk.administrator.post("/catalogue/upload/", {"file": upload}, follow=True)

    return ask


def _same(value: str) -> str:
    return value


def _workbook(desk: Desk, value: str) -> Any:
    upload = SimpleUploadedFile(value, b"no workbook")
    return desk.submitter.post("/submit/workbook/", {"workbook": upload})


PAGES: dict[str, Entry] = {
    "user name at the log-in": Entry(_form("/accounts/login/", "username", password="x"), also=(429,)),
    "next page after the log-in": Entry(_form("/accounts/login/", "next", username="a", password="x"), also=(429,)),
    "token name": Entry(_form("/accounts/tokens/", "name", scope="all"), ("name",)),
    "client name": Entry(_form("/accounts/clients/", "name"), ("name",)),
    "configuration as a whole": Entry(lambda d, v: d.submitted("submit", v)),
    "run name": Entry(lambda d, v: d.submitted("submit", {"pipeline": "hello", "name": v}), ("name", "string")),
    "configuration key": Entry(lambda d, v: d.submitted("submit", {"pipeline": "hello", "name": "a", v: v})),
    "pipeline in a configuration": Entry(lambda d, v: d.submitted("submit", {"pipeline": v}), ("pipeline", "string")),
    "what to do with a configuration": Entry(lambda d, v: d.submitted(v, {"pipeline": "hello"})),
    "checked configuration": Entry(
        lambda d, v: d.submitted("check", {"pipeline": "hello", "name": v, v: v}, **{"HX-Request": "true"})
    ),
    "configuration in the check panel": Entry(
        lambda d, v: d.submitter.post("/submit/check/", {"configuration": json.dumps({"pipeline": "hello", "name": v})})
    ),
    "draft": Entry(
        lambda d, v: d.submitter.put("/submit/draft/", v.encode("utf-8", "surrogatepass")), also=(409,)
    ),
    "deep link, pipeline": Entry(_get("/submit/", "pipeline")),
    "deep link, run": Entry(_get("/submit/", "run"), also=(404,)),
    "name of an uploaded workbook": Entry(_workbook),
    "label": Entry(_form("/runs/{run}/labels/", "add"), ("label",)),
    "note": Entry(_form("/runs/{run}/notes/", "text")),
    "name of a saved search": Entry(_form("/runs/views/", "name", query="q=a")),
    "saved search": Entry(_form("/runs/views/", "query", name="a")),
    "what to do with many runs": Entry(_form("/runs/many/", "action")),
    "way back from many runs": Entry(_form("/runs/many/", "back", action="cancel", run="x")),
    "announcement": Entry(
        _form("/maintenance/", "text", "administrator", starts_at="2026-12-01T10:00", holds_runs="on"), ("text",)
    ),
    "address of a webhook": Entry(
        _form("/labs/genomics/webhooks/", "url", "manager", states="failed"), ("address", "url")
    ),
    "core hours": Entry(_form("/usage/budgets/genomics/", "core_hours", "manager", kind="month"), ("core", "hours")),
    "first day of a budget": Entry(
        _form("/usage/budgets/genomics/", "starts", "manager", kind="period", core_hours="1"), ("day",)
    ),
    "path of a transfer": Entry(_form("/transfers/", "path", system="cluster"), also=(403, 404)),
    "system of a transfer": Entry(_form("/transfers/", "system", path="/x"), also=(403, 404)),
    "path in the file browser": Entry(
        lambda d, v: d.administrator.get(f"/files/cluster/tmp/{quote(v[:300], errors='surrogatepass')}", {"now": "1"}),
        also=(301, 403, 404),
    ),
    "pipeline in an address": Entry(
        lambda d, v: d.submitter.get(f"/pipelines/{quote(v[:300].replace('/', ''), errors='surrogatepass')}/"),
        also=(404,),
    ),
    "system in an address": Entry(
        lambda d, v: d.submitter.get(f"/systems/{quote(v[:300].replace('/', ''), errors='surrogatepass')}/"),
        also=(404,),
    ),
    "name of an uploaded package": Entry(_upload("")),
    "title of a pipeline": Entry(_upload("a.yaml", title=_same)),
    "description of a pipeline": Entry(_upload("a.yaml", description=_same)),
    "documentation of a pipeline": Entry(_upload("a.yaml", documentation=_same)),
    "name of a pipeline": Entry(_upload("a.yaml", name=_same), ("name",)),
    "version of a pipeline": Entry(_upload("a.yaml", version=_same), ("version",)),
    "script of a pipeline": Entry(_upload("a.yaml", script=_same)),
    "schema of a pipeline": Entry(
        _upload("a.yaml", schema=lambda v: {"properties": {v: {"title": v, "pattern": v, "enum": [v]}}})
    ),
    "rule of a pipeline": Entry(
        _upload("a.yaml", rules=lambda v: [{"rule": "not-empty", "columns": [v], "message": v}])
    ),
    "outputs of a pipeline": Entry(_upload("a.yaml", outputs=lambda v: {"reports": [v]})),
    "settings of the catalogue": Entry(_form("/pipelines/hello/settings/", "latest", "administrator"), also=(404,)),
}  # fmt: skip
for _path, _names in {
    "/runs/": ("q", "text", "state", "pipeline", "system", "lab", "submitter", "created_after", "sort", "page", "size",
               "group"),
    "/runs/export/": ("format",),
    "/runs/suggestions/": ("q",),
    "/runs/compare/": ("a",),
    "/runs/{run}/log/": ("stream", "offset"),
    "/runs/{run}/tasks/": ("state", "page"),
    "/runs/{run}/events/": ("before",),
    "/runs/{run}/head/": ("tab",),
    "/usage/": ("period", "first", "group", "measure", "lab", "sort"),
    "/pipelines/": ("q",),
    "/pipelines/hello/": ("version",),
    "/transfers/": ("system", "path", "folder", "page"),
    "/notifications/": ("page",),
}.items():  # fmt: skip
    PAGES[f"?{'&'.join(_names)} of {_path}"] = Entry(_get(_path, *_names), also=(404,))

API: dict[str, Entry] = {
    "name": Entry(lambda d, v: d.api("/new-run/", {"pipeline": "hello", "name": v}), ("name", "string", "script")),
    "key": Entry(lambda d, v: d.api("/new-run/", {"pipeline": "hello", "name": "a", v: v}), ("key", "string", "prop")),
    "pipeline": Entry(lambda d, v: d.api("/new-run/", {"pipeline": v}), ("pipeline", "string")),
    "system": Entry(
        lambda d, v: d.api("/new-run/", {"pipeline": "hello", "name": "a", "system": v}), ("system", "string")
    ),
    "lab": Entry(lambda d, v: d.api("/new-run/", {"pipeline": "hello", "name": "a", "lab": v}), ("lab", "string")),
    "validated": Entry(lambda d, v: d.api("/validate/", {"pipeline": v, "name": v, v: v})),
    "token": Entry(lambda d, v: d.api("/tokens/", {"name": v}), ("name", "string")),
    "transfer": Entry(
        lambda d, v: d.api("/transfers/", {"direction": "download", "system": "cluster", "path": v}),
        ("path", "string", "account"), also=(403, 404),
    ),
    "progress": Entry(lambda d, v: d.told("progress", percent=1, text=v), ("text", "string", "line", "bytes")),
    "message": Entry(lambda d, v: d.told("message", text=v), ("text", "string", "line", "bytes")),
    "error": Entry(lambda d, v: d.told("error", text=v), ("text", "string", "line", "bytes")),
    "task name": Entry(lambda d, v: d.told("task", name=v, state="running"), ("name", "string", "line", "bytes")),
    "task log": Entry(
        lambda d, v: d.told("task", name="a", state="failed", log_path=v), ("log_path", "string", "bytes", "Line")
    ),
    "task resources": Entry(
        lambda d, v: d.told("task", name="b", state="failed", resources={v: v}),
        ("resources", "string", "bytes", "Line"),
    ),
    "metric": Entry(lambda d, v: d.told("metric", name=v, value=v), ("name", "value", "string", "bytes", "Line")),
    "artifact": Entry(lambda d, v: d.told("artifact", path=v, label=v), ("path", "label", "string", "bytes", "Line")),
    "task state": Entry(lambda d, v: d.told("task", name="a", state=v), ("state", "string", "bytes", "Line")),
    "event type": Entry(lambda d, v: d.told(v, text="a"), ("type", "string", "bytes", "Line")),
}  # fmt: skip
for _path, _names in {
    "/runs/": (
        "state",
        "source",
        "text",
        "submitter",
        "pipeline",
        "lab",
        "created_after",
        "cursor",
        "page_size",
    ),
    "/runs/{run}/log/": ("stream", "offset", "limit", "format"),
    "/runs/{run}/events/": ("after",),
    "/runs/{run}/log/search/": ("q", "stream"),
    "/usage/": ("period", "group", "lab"),
    "/transfers/": ("page",),
}.items():
    API[f"?{'&'.join(_names)} of {_path}"] = Entry(
        _get(f"/api/v1{_path}", *_names), (*_names, "system"), (404, 406, 503)
    )
