"""A small site with runs in every state, as the screenshots and some browser tests show it."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Credential, CredentialKind, Lab, Role, TokenScope
from accounts.oauth.clients import create_client
from accounts.services import create_token
from pipeline_management.choices import RunState
from pipeline_management.models import (
    Delivery,
    PipelineVersion,
    Run,
    RunEvent,
    RunLog,
    SystemAccount,
    Webhook,
)
from pipeline_management.services import causes
from tests.browser.demo_usage import add_queues, add_tasks, add_usage
from tests.factories import make_account, make_lab, make_run, make_system, make_user, make_version

PIPELINES = Path(__file__).resolve().parents[2] / "deploy" / "pipelines"
PASSWORD = "demo-password-1"
NAMES = ["GIAB_NA12878", "COLO829 tumour/normal", "MMRF_1021", "Trio 44 exome", "Panel QC week 47"]
FAILURES: list[dict[str, Any]] = [
    {"reason": "EXIT_NONZERO", "exit_code": 3, "reason_text": "samtools: cannot open the reference"},
    {"reason": "TIMEOUT", "reason_text": ""},
    {"reason": "OUT_OF_MEMORY", "exit_code": 137, "reason_text": ""},
]
OUTPUT = (
    b"\x1b[1mphoenix 1.0\x1b[0m on \x1b[36mgemini\x1b[0m\nreading 48 fastq files\n"
    b"sample NA12878_C1: \x1b[32m24 pairs\x1b[0m\nsample COLO829_T1: \x1b[32m24 pairs\x1b[0m\n"
    b"::group::Checking references\n/ref/grch38.fa \x1b[92mok\x1b[0m\n/ref/dbsnp.vcf \x1b[93mold\x1b[0m\n::endgroup::\n"
    b"::warning::dbsnp.vcf is two years old\naligning  1%\raligning 47%\raligning 48%\n"
    + b"".join(b"lane %d: %d reads\n" % (lane, lane * 48_211_093) for lane in range(1, 25))
    + b"\x1b[31;1mERROR: lane 17 has \x1b[7m 2 \x1b[27m reads without a mate\x1b[0m\nmarking duplicates  12%\r"
)
ERRORS = b"samtools: cannot open /ref/grch38.fa: no such file\n"


class Demo:
    """Builds the rows; ``runs`` are the noteworthy ones by name."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.random = random.Random(4)  # noqa: S311  the same demonstration each time
        self.administrator = make_user("admin", staff=True, password=PASSWORD)
        self.genomics = self._lab("genomics", "Genomics Core", alice=Role.MANAGER, bob=Role.SUBMITTER,
                                  carol=Role.VIEWER)
        self.imaging = self._lab("imaging", "Imaging", alice=Role.SUBMITTER)
        self.alice, self.bob = (User.objects.get(username=name) for name in ("alice", "bob"))
        for person in (self.alice, self.bob):
            person.set_password(PASSWORD)
            person.save()
        for name, kept in (("Workflow on gemini", False), ("", True)):
            client, _ = create_client(self.alice, name or "portal")
            client.name, client.from_site, client.last_used_at = name, kept, self.now if kept else None
            client.client_id = "campus-portal" if kept else client.client_id
            client.save()
        for name, scope in (("LIMS", TokenScope.SUBMIT), ("wall display", TokenScope.READ)):
            token, _ = create_token(self.alice, name, self.now + timedelta(days=90), scope=scope)
            token.hint, token.last_used_at = "cto_3kQz", self.now
            token.save()
        self._systems()
        self._pipelines()
        self._history()
        self.results = Path()
        self.runs = self._current()
        self.webhook = self._notifications()
        add_usage(self.genomics, self.random)
        add_queues(self.gemini.system)
        for name in ("running", "failed"):
            add_tasks(self.runs[name], failed=name == "failed")
        causes.record(list(Run.objects.values_list("pk", flat=True)))

    def _lab(self, slug: str, name: str, **members: Role) -> Lab:
        lab = make_lab(slug, **members)
        lab.name = name
        lab.save()
        return lab

    def _systems(self) -> None:
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
        ssh = {"transport": "ssh", "scheduler": "slurm", "host_keys": [key],
               "workdir": "/scratch/{username}/centro", "poll_interval": 5}
        gemini = make_system("gemini", description="Slurm cluster of the institute", health="ok",
                             host="gemini.example.org", health_at=self.now, **ssh)
        minutes_ago = self.now - timedelta(minutes=4)
        refused = "atlas.example.org: connection refused (port 22)"
        atlas = make_system("atlas", description="Older cluster", host="atlas.example.org", health="down",
                            health_reason=refused, health_at=minutes_ago, **ssh)
        here = make_system("local", description="This machine", health="ok", health_at=self.now)
        self.gemini = self._account(gemini, self.now + timedelta(minutes=10))
        self.atlas = self._account(atlas, minutes_ago, poll_failures=7, poll_error=refused)
        self.local = make_account(here, polled_at=self.now)

    def _account(self, system: Any, polled_at: datetime, **fields: Any) -> SystemAccount:
        key, _ = Credential.objects.get_or_create(
            name="centro", defaults={"kind": CredentialKind.KEY, "secret": "-"}
        )
        return make_account(system, username="svc-centro", polled_at=polled_at, credential=key, **fields)

    def _version(self, name: str, version: str, account: SystemAccount, **fields: Any) -> PipelineVersion:
        folder = PIPELINES / name
        texts = {
            "schema": json.loads((folder / "schema.json").read_text()),
            "example": json.loads((folder / "example.json").read_text()),
            "script": (folder / "job.sh.j2").read_text(),
        }
        return make_version(name, version, system=account.system, **(texts | fields))

    def _pipelines(self) -> None:
        resources = {"queue": "defq", "walltime": "24:00:00", "cpus": 4, "memory_mb": 16000}
        self.phoenix = self._version("phoenix", "1.2.0", self.gemini, resources=resources)
        self._version("phoenix", "1.1.0", self.atlas)
        self._version("phoenix", "1.3.0.dev1", self.gemini, is_development=True)
        self.hello = self._version("hello", "1.0", self.local)
        about = {
            "phoenix": ("Whole genome and exome analysis",
                        "Aligns reads, calls variants and writes quality reports."),
            "hello": ("Greeting", "Says hello; shows that everything works."),
        }
        for version in (self.phoenix, self.hello):
            version.pipeline.title, version.pipeline.description = about[version.pipeline.name]
            version.pipeline.save()

    def _run(self, state: RunState, minutes: float, **fields: Any) -> Run:
        defaults: dict[str, Any] = {"lab": self.genomics, "submitter": self.bob, "version": self.phoenix,
                                    "account": self.gemini, "resources": self.phoenix.resources,
                                    "configuration": self.phoenix.example}
        run = make_run(state=state, **(defaults | fields))
        at = self.now - timedelta(minutes=minutes)
        Run.objects.filter(pk=run.pk).update(created_at=at)
        run.events.update(at=at)
        return run

    def _history(self) -> None:
        states = [RunState.SUCCEEDED] * 7 + [RunState.FAILED] * 2 + [RunState.CANCELLED]
        for number in range(60):
            state = self.random.choice(states)
            at = self.now - timedelta(hours=3 + number * 2.3)
            fields: dict[str, Any] = {RunState.SUCCEEDED: {"exit_code": 0}, RunState.CANCELLED: {}}.get(
                state, self.random.choice(FAILURES)
            )
            self._run(
                state, (self.now - at).total_seconds() / 60, name=self.random.choice(NAMES),
                lab=self.random.choice([self.genomics, self.genomics, self.imaging]),
                submitter=self.random.choice([self.alice, self.bob]), job_id=str(48000 + number),
                submitted_at=at + timedelta(seconds=3), started_at=at + timedelta(minutes=4),
                ended_at=at + timedelta(minutes=94), finished_at=at + timedelta(minutes=95),
                confirmed_source="marker", **fields,
            )  # fmt: skip

    def _current(self) -> dict[str, Run]:
        ago = lambda minutes: self.now - timedelta(minutes=minutes)  # noqa: E731  short for this table
        runs = {
            "running": self._run(RunState.RUNNING, 42, submitter=self.alice, name=NAMES[0], job_id="48121",
                                 submitted_at=ago(41), started_at=ago(35), nodes="c017", queue_state="RUNNING"),
            "waiting": self._run(RunState.SUBMITTED, 12, name=NAMES[1], job_id="48130", submitted_at=ago(11),
                                 queue_state="PENDING", queue_reason="Priority"),
            "queued": self._run(RunState.QUEUED, 1, submitter=self.alice, name=NAMES[3]),
            "attention": self._run(RunState.SUBMITTED, 30, account=self.atlas, name=NAMES[2], job_id="901",
                                   attention="CLUSTER_DOWN", confirmed_at=ago(4), confirmed_source="queue",
                                   attention_text="atlas.example.org: connection refused (port 22)",
                                   attention_since=ago(4)),
            "failed": self._run(RunState.FAILED, 130, name=NAMES[4], job_id="48099", reason="EXIT_NONZERO",
                                exit_code=3, submitted_at=ago(129), started_at=ago(125), ended_at=ago(95),
                                finished_at=ago(95), nodes="c003", confirmed_source="marker"),
        }  # fmt: skip
        self._events(runs["running"], 41, 3)
        self._events(runs["failed"], 129, 5)
        for stream, data in (("stdout", OUTPUT), ("stderr", ERRORS)):
            RunLog.objects.create(run=runs["failed"], stream=stream, size=len(data), data=data,
                                  collected_at=ago(95))
        return runs

    def _notifications(self) -> Webhook:
        """Alice's mails, and a webhook of which one call waits for a server that is down."""
        self.alice.email = "alice@example.org"
        self.alice.save()
        for number, (name, state) in enumerate((("failed", "delivered"), ("running", "waiting"))):
            error = "The mail server does not answer: timed out" if state == "waiting" else ""
            Delivery.objects.create(key=f"mail {number}", kind="mail", purpose="run_end", user=self.alice,
                                    address=self.alice.email, run=self.runs[name], state=state, error=error)
        Delivery.objects.create(key="digest", kind="mail", purpose="digest", user=self.alice, lab=self.genomics,
                                address=self.alice.email, state="delivered")
        webhook = Webhook.objects.create(lab=self.genomics, url="https://hooks.example.org/centro?team=genomics",
                                         states=["cancelled", "failed"], secret="none", created_by=self.alice)
        Webhook.objects.create(lab=self.genomics, url="https://chat.example.org/hooks/8f2b", states=["failed"],
                               secret="none", enabled=False)
        soon = self.now + timedelta(minutes=28)
        calls: list[dict[str, Any]] = [
            {"purpose": "test", "state": "delivered", "status_code": 204, "tries": 1},
            {"run": self.runs["failed"], "state": "delivered", "status_code": 200, "answer": "thank you", "tries": 2},
            {"run": self.runs["failed"], "state": "given_up", "status_code": 410, "answer": "no such hook",
             "error": "The server answered 410.", "tries": 1},
            {"run": self.runs["failed"], "state": "waiting", "error": "No answer within 5 seconds.", "tries": 4,
             "next_at": soon},
        ]  # fmt: skip
        for number, call in enumerate(calls):
            values = {"purpose": "run_end", "kind": "webhook", "webhook": webhook} | call
            Delivery.objects.create(key=f"call {number}", **values)
        return webhook

    def _events(self, run: Run, minutes: float, count: int) -> None:
        """The usual way of a run, as far as it has come."""
        RunEvent.objects.filter(run=run, seq=1).update(to_state="queued")
        steps: list[tuple[str, str, str, dict[str, Any], float]] = [
            ("queued", "submitting", "portal", {"attempt": 1}, 0.05),
            ("submitting", "submitted", "submission", {"job_id": run.job_id}, 0.1),
            ("submitted", "running", "marker", {"node": run.nodes, "job_id": run.job_id}, 6),
            ("running", "finishing", "marker", {"reason": run.reason, "exit_code": run.exit_code}, 34),
            ("finishing", "failed", "marker", {}, 34.1),
        ]
        start = self.now - timedelta(minutes=minutes)
        for number, (before, after, evidence, data, later) in enumerate(steps[:count], start=2):
            RunEvent.objects.create(run=run, seq=number, at=start + timedelta(minutes=later), type="state",
                                    actor="worker", from_state=before, to_state=after, evidence=evidence,
                                    data=data)
