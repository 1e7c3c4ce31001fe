"""A site in which everything that somebody outside of Centro can fill is filled with the fifty values.

There are fifty runs, labs and people with one value each, as the lists show them; and ten runs, pipelines and systems
with five values in every field that has the room, whose own pages are looked at. What belongs to a run or a system
(tasks, events, notes, queues …) has one value in each row.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import models
from django.utils import timezone

from accounts.models import Credential, Lab, Membership, OuterIdentity, Role
from accounts.oauth.clients import create_client
from accounts.services import create_token
from pipeline_management.choices import Attention, HealthState, Reason, RunState, TaskState
from pipeline_management.models import (
    ApiTask,
    Attempt,
    AuditEvent,
    CatalogueUpload,
    Delivery,
    Draft,
    Heartbeat,
    LabLabel,
    MailPreference,
    Maintenance,
    PipelineVersion,
    Run,
    RunArchive,
    RunEvent,
    RunInput,
    RunLabel,
    RunLog,
    RunNote,
    RunTask,
    SavedView,
    SharedAnswer,
    StoreRoute,
    System,
    SystemCheck,
    SystemQueue,
    Transfer,
    UsageDay,
    Webhook,
)
from tests.factories import make_account, make_job, make_lab, make_run, make_system, make_version
from tests.hostile.fields import foreign
from tests.hostile.values import VALUES, fitted, groups
from tests.pages.site import Site

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOOK = "https://hook.example/"


def fill(row: Any, values: list[str]) -> None:
    """Put the values into every column of the row that somebody outside fills; past all checks of forms."""
    for column in foreign(type(row)):
        setattr(row, column.name, fitted(values, column.max_length))
    row.save()


def fill_all(rows: list[Any], values: list[str]) -> None:
    """The first row has the first value, and so on; written at once."""
    for row, value in zip(rows, values, strict=True):
        for column in foreign(type(row)):
            setattr(row, column.name, fitted([value], column.max_length))
    type(rows[0]).objects.bulk_create(rows)


@dataclass
class World:
    """``listed``: the runs with one value each; ``runs``, ``versions``, ``systems``, ``checks``, ``uploads`` and
    ``webhooks``: ten each, with five values."""

    site: Site
    labs: list[Lab] = field(default_factory=list)
    people: list[User] = field(default_factory=list)
    listed: list[Run] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    jobs: list[Run] = field(default_factory=list)
    versions: list[PipelineVersion] = field(default_factory=list)
    systems: list[System] = field(default_factory=list)
    checks: list[SystemCheck] = field(default_factory=list)
    maintenances: list[Maintenance] = field(default_factory=list)
    uploads: list[CatalogueUpload] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    notes: list[RunNote] = field(default_factory=list)

    @property
    def administrator(self) -> User:
        return self.site.people["administrator"]


def make_world(site: Site) -> World:
    """See ``World``."""
    world = World(site)
    _people(world)
    for number, values in enumerate(groups()):
        _system(world, number, values)
        _version(world, number, values)
        _run(world, number, values)
    _listed(world)
    _own(world)
    return world


def _people(world: World) -> None:
    values = list(VALUES.values())
    world.labs = [Lab(slug=f"lab-{number}") for number in range(len(values))]
    fill_all(world.labs, values)
    world.people = [User(password="!") for _ in values]
    fill_all(world.people, values)
    labs, people = (
        list(Lab.objects.filter(slug__startswith="lab-")),
        User.objects.filter(password="!"),
    )
    world.labs = sorted(labs, key=lambda lab: int(lab.slug[4:]))
    world.people = list(people.order_by("pk"))
    Membership.objects.bulk_create(
        Membership(lab=lab, user=user, role=Role.MANAGER)
        for lab, user in zip(world.labs, world.people, strict=True)
    )
    fill_all([LabLabel(lab=lab, used_at=NOW) for lab in world.labs], values)
    fill_all([Group() for _ in values], values)
    fill_all([Credential(kind="key", secret="x", fingerprint="x") for _ in values], values)


def _system(world: World, number: int, values: list[str]) -> None:
    system = make_system(f"hostile-{number}", health=HealthState.DOWN)
    fill(system, values)
    system.filesystems = [{"name": v, "path": f"/{v}", "description": v} for v in values]
    system.host_keys = values
    system.save()
    account = make_account(system, poll_failures=2)
    fill(account, values)
    fill_all([SystemQueue(system=system, position=n, at=NOW) for n in range(len(values))], values)
    fill(StoreRoute(system=system, probed_at=NOW), values)
    for value in values:
        shown = Maintenance(system=system, starts_at=NOW, created_by=world.people[number])
        fill(shown, [value])
        world.maintenances.append(shown)
    steps = [{"name": v, "outcome": "failed", "found": v, "advice": v} for v in values]
    check = SystemCheck(account=account, asked_by=world.people[number], steps=steps, begun_at=NOW)
    fill(check, values)
    world.systems.append(system)
    world.checks.append(check)


def _version(world: World, number: int, values: list[str]) -> None:
    shown = {value: _property(value) for value in values}
    text = "\n\n".join(f"# {v}\n\n{v}\n\n[{v}]({v}) `{v}`\n\n```\n{v}\n```" for v in values)
    version = make_version(
        f"hostile-{number}", system=world.systems[number],
        schema={"type": "object", "title": values[0], "description": " ".join(values), "properties": {
            **shown, "rows": {"type": "array", "title": values[1], "items": {"type": "object", "properties": shown}},
        }},
        resources={value: value for value in values} | {"queue": values[0]},
        rules=[{"rule": "not-empty", "columns": [v], "severity": "warning", "message": v} for v in values],
        outputs={"reports": values, "outputs": values},
        example={"pipeline": f"hostile-{number}"} | {value: value for value in values},
    )  # fmt: skip
    fill(version.pipeline, values)
    fill(version, values)
    version.documentation = text
    version.save()
    upload = CatalogueUpload(owner=world.administrator, data=b"name: x\n" + text.encode())
    fill(upload, values)
    world.versions.append(version)
    world.uploads.append(upload)


def _property(value: str) -> dict[str, Any]:
    return {"type": "string", "title": value, "description": value, "enum": [value, "b"], "default": value,
            "examples": [value], "x-unit": value}  # fmt: skip


def _run(world: World, number: int, values: list[str]) -> None:
    lab, user = world.labs[5 * number], world.people[5 * number]
    run = make_run(
        lab=lab, submitter=user, version=world.versions[number],
        account=world.systems[number].accounts.get(), state=RunState.FAILED, reason=Reason.SUBMIT_REJECTED,
        attention=Attention.CLUSTER_DOWN, tasks_total=len(values), tasks_failed=len(values), event_seq=100,
        finished_at=NOW, started_at=NOW - timedelta(hours=1),
    )  # fmt: skip
    _texts(run, values)
    job = make_job(lab=lab, submitter=user, account=run.account)
    _texts(job, values[::-1])
    _beside(run, values, user, lab)
    world.notes += _reported(run, values, user)
    world.runs.append(run)
    world.jobs.append(job)


def _texts(run: Run, values: list[str]) -> None:
    fill(run, values)
    configuration = {"pipeline": run.title.partition("@")[0], "name": values[0]} | {
        v: [v, {v: v}] for v in values
    }
    run.configuration_json = json.dumps(configuration)
    run.resources = {value: value for value in values}
    run.job_files = dict.fromkeys(("script", "stdout", "stderr"), " ".join(values))
    run.brought_inputs = [{"url": v, "path": v} for v in values]
    run.save()


def _reported(run: Run, values: list[str], user: User) -> list[RunNote]:
    """What the run's job and people say of it, one value in each row."""
    states = [
        TaskState.FAILED,
        TaskState.RUNNING,
        TaskState.COMPLETE,
        TaskState.NEW,
        TaskState.SKIPPED,
    ]
    tasks = [
        RunTask(run=run, key=f"{n}", state=state, exit_code=1, reported_at=NOW, resources={v: v})
        for n, (v, state) in enumerate(zip(values, states, strict=True))
    ]
    fill_all(tasks, values)
    events = []
    for value in values:
        for kind in (
            "progress",
            "task",
            "metric",
            "artifact",
            "error",
            "message",
            "state",
            "attention",
            "",
        ):
            data = dict.fromkeys(
                ("text", "name", "state", "value", "unit", "path", "label", "reason", "attention", "job_id", "node",
                 "from", "to", "source", "native_state", "exit_code", "percent"), value,
            )  # fmt: skip
            event = RunEvent(
                run=run, seq=2 + len(events), at=NOW, data=data, sender_seq=2 + len(events)
            )
            event.actor, event.evidence = value[:150], value[:16]
            event.type = kind or value[:32]
            event.sender = "" if kind in ("state", "attention", "") else "job-1"
            event.to_state = value[:16] if kind == "state" else ""
            events.append(event)
    RunEvent.objects.bulk_create(events)
    notes = [RunNote(run=run, author=user, created_at=NOW) for _ in values]
    fill_all(notes, values)
    for stream in ("stdout", "stderr"):
        data = "\n".join(values).encode()
        RunLog.objects.create(run=run, stream=stream, data=data, size=len(data), collected_at=NOW)
    return list(RunNote.objects.filter(run=run))


def _beside(run: Run, values: list[str], user: User, lab: Lab) -> None:
    fill_all(
        [Attempt(run=run, number=n, script_sha256="0" * 64) for n in range(len(values))], values
    )
    fill_all([RunInput(run=run) for _ in values], values)
    fill_all([RunLabel(run=run) for _ in values], values)
    fill(RunArchive(run=run, next_at=NOW, state="failed"), values)
    fill_all([AuditEvent(actor=user, data={v: v}) for v in values], values)
    UsageDay.objects.create(
        key=f"{run.pk}", day=NOW.date(), lab=lab, submitter=user,
        pipeline=run.version.pipeline if run.version else None, system=run.system, runs=3, failed=3,
        core_seconds=7200, measured=3,
    )  # fmt: skip


def _listed(world: World) -> None:
    """Fifty runs with one value each in every column; the version is the site's own."""
    shown = []
    for number, value in enumerate(VALUES.values()):
        text = json.dumps({"pipeline": "hello", "name": value})
        run = Run(
            version=world.site.version, lab=world.labs[number], submitter=world.people[number],
            system=world.site.account.system, account=world.site.account, state=RunState.FAILED, event_seq=1,
            reason=Reason.EXIT_NONZERO, attention=Attention.QUOTA, key=f"c{number:014}", created_at=NOW,
            configuration_sha256=hashlib.sha256(text.encode()).hexdigest(), finished_at=NOW,
        )  # fmt: skip
        shown.append(run)
    values = list(VALUES.values())
    fill_all(shown, values)
    for run, value in zip(shown, values, strict=True):
        run.configuration_json = json.dumps({"pipeline": "hello", "name": value})
    Run.objects.bulk_update(shown, ["configuration_json"])
    fill_all([RunLabel(run=run) for run in shown], values)
    world.listed = shown


def _own(world: World) -> None:
    """What belongs to one person, here the administrator, who sees everything else as well."""
    user, values = world.administrator, list(VALUES.values())
    make_lab("genomics", administrator=Role.MANAGER)
    fill_all([SavedView(owner=user) for _ in values], values)
    for number, value in enumerate(values):
        fill(OuterIdentity(user=user, key=f"{number:064}"), [value])
        fill(create_token(user, "x")[0], [value])
        fill(create_client(user, "x")[0], [value])
        fill(Heartbeat(name=value[:64], at=timezone.now(), data={value: value}), [value])
    later = timezone.now() + timedelta(days=1)
    transfers = [
        Transfer(user=user, account=world.site.account, direction="download", state="failed", key=f"0/{n}", limit=1,
                 expires_at=later, form={"url": v, "fields": {v: v}})
        for n, v in enumerate(values)
    ]  # fmt: skip
    fill_all(transfers, values)
    answer = SharedAnswer(digest="0" * 64, used_at=NOW)
    fill(answer, values)
    for value in values:
        ApiTask.objects.create(user=user, system=world.site.account.system, service="compute", data=value,
                               updated_at=NOW, expires_at=later)  # fmt: skip
    for number, group in enumerate(groups()):
        hook = Webhook.objects.create(lab=world.labs[5 * number], url=HOOK, states=["failed"], secret="x",
                                      created_by=world.people[5 * number])  # fmt: skip
        rows = [
            Delivery(key=f"{number}-{n}", kind="webhook", purpose="run_end", run=world.runs[number], event_seq=1,
                     webhook=hook, user=user, state="given_up")
            for n in range(len(group))
        ]  # fmt: skip
        fill_all(rows, group)
        world.webhooks.append(hook)
    MailPreference.objects.create(user=world.people[0])
    fill(Draft(user=user, saved_at=timezone.now(), revision=2), values)


def untouched(model: type[models.Model]) -> list[str]:
    """Columns of the model that somebody outside fills and of which no row holds a hostile value."""
    rows = list(model._default_manager.all()[:200])
    wanted = [value[:10] for value in VALUES.values()]
    return [
        f"{model.__name__}.{column.name}"
        for column in foreign(model)
        if not any(value in str(getattr(row, column.name)) for row in rows for value in wanted)
    ]
