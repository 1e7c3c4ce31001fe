"""Rows for tests, by plain functions. Nothing here is submitted anywhere."""

from __future__ import annotations

import base64
import getpass
import hashlib
import itertools
import json
import secrets
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import Lab, Membership, Role
from pipeline_management.choices import (
    Confirmation,
    RunKind,
    RunSource,
    RunState,
    SchedulerKind,
    TransportKind,
)
from pipeline_management.models import (
    Pipeline,
    PipelineSystem,
    PipelineVersion,
    Run,
    RunEvent,
    System,
    SystemAccount,
)
from pipeline_management.services import words

_numbers = itertools.count(1)


def make_user(username: str = "", *, staff: bool = False, password: str | None = None) -> User:
    """A person; with ``staff`` a site administrator. Without a password none is usable."""
    name = username or f"user{next(_numbers)}"
    user = User(username=name, is_staff=staff, is_superuser=staff)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    user.save()
    return user


def make_lab(name: str = "", **members: Role | str) -> Lab:
    """A lab; keyword arguments are user names and their roles, people are made where missing."""
    slug = name or f"lab{next(_numbers)}"
    lab, _ = Lab.objects.get_or_create(slug=slug, defaults={"name": slug})
    for username, role in members.items():
        user = User.objects.filter(username=username).first() or make_user(username)
        Membership.objects.update_or_create(lab=lab, user=user, defaults={"role": role})
    return lab


def make_system(name: str = "", **fields: Any) -> System:
    """A system on this machine with plain processes, unless ``fields`` say otherwise."""
    values = {
        "transport": TransportKind.LOCAL,
        "scheduler": SchedulerKind.LOCAL,
        "workdir": "/tmp/centro-tests/{username}",
        "poll_interval": 1,
    }
    return System.objects.create(name=name or f"system{next(_numbers)}", **(values | fields))


def make_account(system: System | None = None, user: User | None = None, **fields: Any) -> SystemAccount:
    """An account on a system: the person's own, or everybody's where ``user`` is None."""
    values = {"username": getpass.getuser()} | fields
    return SystemAccount.objects.create(system=system or make_system(), user=user, **values)


def make_version(
    name: str = "", version: str = "1.0", *, system: System | None = None, **fields: Any
) -> PipelineVersion:
    """A pipeline version that every lab may run; its script prints ``config.name``."""
    pipeline, _ = Pipeline.objects.get_or_create(name=name or f"pipeline{next(_numbers)}")
    values = {
        "schema": {"type": "object", "properties": {"name": {"type": "string"}}},
        "script": "#!/bin/sh\necho hello {{ config.name }}\n",
        "resources": {},
        "all_labs": True,
        "sort_key": version,
    } | fields
    # compiled schemas and templates are kept by this digest: other content, other digest
    content = json.dumps([values["schema"], values["script"]], sort_keys=True)
    values.setdefault("content_sha256", hashlib.sha256(content.encode()).hexdigest())
    made = PipelineVersion.objects.create(pipeline=pipeline, version=version, **values)
    if system is not None:
        PipelineSystem.objects.create(version=made, system=system)
    return made


def make_run(
    *,
    lab: Lab | None = None,
    submitter: User | None = None,
    version: PipelineVersion | None = None,
    account: SystemAccount | None = None,
    state: RunState = RunState.QUEUED,
    configuration: dict[str, Any] | None = None,
    **fields: Any,
) -> Run:
    """A run in a state, with the one event that brought it there from nothing."""
    account = account or make_account()
    version = version or make_version(system=account.system)
    text = json.dumps(configuration or {"pipeline": version.pipeline.name}, sort_keys=True)
    run = Run(
        version=version,
        lab=lab or make_lab(),
        submitter=submitter or make_user(),
        system=account.system,
        account=account,
        state=state,
        configuration_json=text,
        configuration_sha256=hashlib.sha256(text.encode()).hexdigest(),
        script="#!/bin/sh\ntrue\n",
        source=RunSource.API,
        key="c" + base64.b32encode(secrets.token_bytes(9)).decode().lower()[:14],
        event_seq=1,
        confirmed_at=timezone.now(),
        confirmed_source=Confirmation.PORTAL,
        next_at=timezone.now(),
    )
    run.directory = f"/tmp/centro-tests/{run.pk}"
    for field, value in fields.items():
        setattr(run, field, value)
    run.save(force_insert=True)
    words.index_again(run)
    RunEvent.objects.create(
        run=run, seq=1, at=timezone.now(), actor=run.submitter.username, type="state",
        to_state=state, evidence="portal",
    )  # fmt: skip
    return run


def make_job(*, lab: Lab | None = None, **fields: Any) -> Run:
    """A run of kind "job": a submitter's own script, without a pipeline, and without a lab unless given."""
    values: dict[str, Any] = {
        "name": "my job",
        "source": RunSource.FIRECREST,
        "job_id": "17",
        "configuration": {"directory": "firecrest/x", "file": "job.sh", "uploaded": True},
        "job_files": {
            "script": "/home/u/firecrest/x/job.sh",
            "stdout": "/home/u/firecrest/x/slurm-17.out",
            "stderr": "/home/u/firecrest/x/slurm-17.out",
        },
    }
    run = make_run(**(values | fields))
    run.kind, run.version, run.lab = RunKind.JOB, None, lab
    run.save()
    return run
