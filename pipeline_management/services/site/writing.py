"""Writes a checked plan: systems, people, labs, pipelines, in the order in which they need each other."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User

from accounts.models import Credential, Lab, Membership, OAuthClient
from accounts.oauth.clients import fixed_values
from pipeline_management.choices import SchedulerKind, TransportKind
from pipeline_management.models import (
    Pipeline,
    PipelineSystem,
    PipelineVersion,
    System,
    SystemAccount,
)
from pipeline_management.services.site.changes import Changes
from pipeline_management.services.site.plan import Plan, PlannedClient, PlannedUser, PlannedVersion
from pipeline_management.services.site.references import shared_credential_name
from pipeline_management.services.site.schema import LabPart, SystemPart
from pipeline_management.services.site.secrets import Secret


def write_plan(plan: Plan, changes: Changes) -> None:
    """Bring the database to what the plan says. To be called in a transaction."""
    for part, secret in plan.systems:
        _write_system(part, secret, changes)
    for user in plan.users:
        _write_user(user, changes)
    for lab in plan.labs:
        _write_lab(lab, changes)
    for version in plan.versions:
        _write_version(version, changes)
    for client in plan.clients:
        _write_client(client, changes)


def _write_system(part: SystemPart, secret: Secret | None, changes: Changes) -> None:
    values: dict[str, Any] = {
        "description": part.description,
        "transport": part.transport,
        "host": part.host or "",
        "port": part.port,
        "host_keys": part.host_keys,
        "scheduler": part.scheduler,
        "scheduler_options": _scheduler_options(part),
        "workdir": part.workdir,
        "filesystems": [entry.model_dump() for entry in part.filesystems],
        "poll_interval": part.poll_interval,
        "limits": part.limits.model_dump(exclude_none=True),
        "transfer_queue": part.transfer_queue or "",
        "events": part.events,
    }
    if part.enabled is not None:
        values["enabled"] = part.enabled
    system = changes.put(System, "system", part.name, {"name": part.name}, values)
    if system.transport == TransportKind.LOCAL:
        own = pwd.getpwuid(os.geteuid()).pw_name
        _write_account(system, None, own, None, changes)
    elif part.credential and secret:
        credential = _write_credential(shared_credential_name(part.name), secret, changes)
        if part.credential.username:
            _write_account(system, None, part.credential.username, credential, changes)


def _scheduler_options(part: SystemPart) -> dict[str, str | int]:
    """On this machine the processes' own records live in the state directory like everything else."""
    if part.transport == TransportKind.LOCAL.value and part.scheduler == SchedulerKind.LOCAL.value:
        spool = str(Path(settings.CENTRO_VAR).resolve() / "jobs")
        return {"spool": spool, **part.scheduler_options}
    return part.scheduler_options


def _write_credential(name: str, secret: Secret, changes: Changes) -> Credential:
    values = {
        "kind": secret.kind,
        "secret": secret.text,
        "passphrase": secret.passphrase,
        "fingerprint": secret.fingerprint,
    }
    return changes.put(Credential, "credential", name, {"name": name}, values)


def _write_account(
    system: System,
    user: User | None,
    username: str,
    credential: Credential | None,
    changes: Changes,
) -> None:
    name = f"{username}@{system.name} for {user.username if user else 'everybody'}"
    values = {"username": username, "credential": credential}
    changes.put(SystemAccount, "account", name, {"system": system, "user": user}, values)


def _write_user(planned: PlannedUser, changes: Changes) -> None:
    part = planned.part
    user = User.objects.filter(username=part.username).first()
    is_new = user is None
    user = user or User(username=part.username)
    wanted: dict[str, Any] = {}
    if part.email is not None:
        wanted["email"] = part.email
    if part.staff is not None:
        wanted |= {"is_staff": part.staff, "is_superuser": part.staff}
    differing = [key for key, value in wanted.items() if getattr(user, key) != value]
    for key in differing:
        setattr(user, key, wanted[key])
    # Hashing is slow on purpose, so a password that still fits is left alone.
    if planned.password is not None and (
        is_new or not check_password(planned.password, user.password)
    ):
        user.set_password(planned.password)
        differing.append("password")
    elif is_new:
        user.set_unusable_password()
    if is_new or differing:
        user.save()
    action = "created" if is_new else "updated" if differing else "unchanged"
    changes.note(action, "user", part.username, "" if is_new else ", ".join(differing))
    for account in part.accounts:
        system = System.objects.get(name=account.system)
        secret = planned.secrets[account.system]
        if secret is None:
            credential = Credential.objects.get(name=shared_credential_name(system.name))
        else:
            credential = _write_credential(f"{system.name}/{part.username}", secret, changes)
        _write_account(system, user, account.username, credential, changes)


def _write_lab(part: LabPart, changes: Changes) -> None:
    values = {"name": part.name, "visibility": part.visibility}
    lab = changes.put(Lab, "lab", part.slug, {"slug": part.slug}, values)
    for username, role in part.members.items():
        user = User.objects.get(username=username)
        changes.put(
            Membership,
            "member",
            f"{username} of {part.slug}",
            {"lab": lab, "user": user},
            {"role": role},
        )


def _write_version(planned: PlannedVersion, changes: Changes) -> None:
    part = planned.part
    name = f"{part.name}@{part.version}"
    about = {"title": part.title, "description": part.description}
    pipeline = changes.put(
        Pipeline,
        "pipeline",
        part.name,
        {"name": part.name},
        {key: value for key, value in about.items() if value is not None},
    )
    values = {
        "sort_key": planned.sort_key,
        "is_development": part.development,
        "engine": part.engine,
        "engine_options": part.engine_options,
        "rules": part.rules,
        "outputs": part.outputs.model_dump(exclude_defaults=True),
        "schema": planned.schema,
        "script": planned.script,
        "resources": planned.resources,
        "example": planned.example,
        "content_sha256": planned.content_sha256,
        "all_labs": part.labs == ["*"],
    }
    if planned.documentation is not None:
        values["documentation"] = planned.documentation.replace("\r\n", "\n")
    identity = {"pipeline": pipeline, "version": part.version}
    version = changes.put(PipelineVersion, "version", name, identity, values)
    slugs = [] if part.labs == ["*"] else part.labs
    if sorted(version.labs.values_list("slug", flat=True)) != sorted(slugs):
        version.labs.set(Lab.objects.filter(slug__in=slugs))
        changes.amend("version", name, "labs")
    rows = PipelineSystem.objects.filter(version=version).order_by("position")
    if list(rows.values_list("system__name", flat=True)) != part.systems:
        rows.delete()
        for position, system in enumerate(part.systems):
            PipelineSystem.objects.create(
                version=version, system=System.objects.get(name=system), position=position
            )
        changes.amend("version", name, "systems")


def _write_client(planned: PlannedClient, changes: Changes) -> None:
    part = planned.part
    values = fixed_values(part.scopes) | {
        "user": User.objects.get(username=part.user),
        "from_site": True,
    }
    stored = OAuthClient.objects.filter(client_id=part.client_id).first()
    # As with passwords, a secret that still fits is left alone, and with it the tokens made with it.
    if stored is None or not check_password(planned.secret, stored.client_secret):
        values["client_secret"] = make_password(planned.secret)
    changes.put(OAuthClient, "client", part.client_id, {"client_id": part.client_id}, values)
