"""The administration: what can be set there, what can only be read, what is never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from django.contrib import admin
from django.test import Client

from accounts.models import ApiToken, Credential, Lab
from accounts.services import create_token
from pipeline_management.models import AuditEvent, PipelineVersion, Run, RunEvent, System
from pipeline_management.services.site.plan import PlannedVersion
from pipeline_management.services.site.schema import PipelinePart
from tests.pages.site import Site

RECORDS = ("run", "runevent", "auditevent", "heartbeat")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"


def private_key(passphrase: bytes | None = None) -> str:
    lock = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, lock
    ).decode()


@pytest.fixture
def root(site: Site) -> Client:
    return site.client("administrator")


def errors_of(response: Any) -> dict[str, list[str]]:
    assert response.status_code == 200, "the form was accepted"
    return {name: list(map(str, messages)) for name, messages in response.context["adminform"].form.errors.items()}


def test_every_list_and_first_row_opens(site: Site, root: Client) -> None:
    site.run()
    create_token(site.people["viewer"], "laptop")
    AuditEvent.objects.create(actor_name="x", action="y", target="z")
    Credential.objects.create(name="k", kind="key", secret="s")
    for model, options in admin.site._registry.items():
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert root.get(base).status_code == 200, base
        row = model._default_manager.first()
        if row is not None:
            assert root.get(f"{base}{row.pk}/change/").status_code == 200, base
        if options.search_fields:
            assert root.get(f"{base}?q=x").status_code == 200, base


@pytest.mark.parametrize("name", RECORDS)
def test_records_can_only_be_read(site: Site, root: Client, name: str) -> None:
    site.run()
    AuditEvent.objects.create(actor_name="x", action="y", target="z")
    base = f"/admin/pipeline_management/{name}/"
    assert root.get(f"{base}add/").status_code == 403
    model = {"run": Run, "runevent": RunEvent, "auditevent": AuditEvent}.get(name)
    if model is None:
        return
    row = model.objects.first()
    assert row is not None
    assert root.post(f"{base}{row.pk}/change/", {"state": "succeeded", "action": "x"}).status_code == 403
    assert root.post(f"{base}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    root.post(base, chosen)
    assert model.objects.filter(pk=row.pk).exists()


def test_a_secret_is_written_and_never_shown(site: Site, root: Client) -> None:
    first = private_key()
    fields = {"name": "service", "kind": "key", "new_secret": first.replace("\n", "\r\n")}
    assert root.post("/admin/accounts/credential/add/", fields).status_code == 302
    credential = Credential.objects.get()
    assert credential.secret == first
    assert credential.fingerprint.startswith("SHA256:")
    address = f"/admin/accounts/credential/{credential.pk}/change/"
    page = root.get(address).content.decode()
    assert credential.fingerprint in page
    assert "PRIVATE KEY" not in page and first.split("\n")[1] not in page
    assert root.post(address, {"name": "renamed", "kind": "key"}).status_code == 302
    credential.refresh_from_db()
    assert (credential.name, credential.secret) == ("renamed", first)
    locked = private_key(b"pass")
    answer = root.post(address, {"name": "renamed", "kind": "key", "new_secret": locked, "new_passphrase": "pass"})
    assert answer.status_code == 302
    credential.refresh_from_db()
    assert (credential.secret, credential.passphrase) == (locked, "pass")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "new_secret"),
        ({"new_secret": "ssh-ed25519 AAAA public"}, "new_secret"),
        ({"new_secret": "-----BEGIN OPENSSH PRIVATE KEY-----\nxx\n-----END OPENSSH PRIVATE KEY-----"}, "new_secret"),
        ({"new_passphrase": "alone"}, "new_passphrase"),
    ],
)
def test_a_bad_secret_is_refused_and_not_repeated(site: Site, root: Client, fields: dict[str, str], field: str) -> None:
    answer = root.post("/admin/accounts/credential/add/", {"name": "x", "kind": "key"} | fields)
    assert field in errors_of(answer)
    assert not Credential.objects.exists()
    if "new_passphrase" in fields:
        assert "alone" not in answer.content.decode()


def test_the_wrong_passphrase_is_refused(site: Site, root: Client) -> None:
    fields = {"name": "x", "kind": "key", "new_secret": private_key(b"right"), "new_passphrase": "wrong"}
    [message] = errors_of(root.post("/admin/accounts/credential/add/", fields))["new_secret"]
    assert "wrong passphrase" in message


def test_a_token_can_be_revoked_but_not_made_or_read(site: Site, root: Client) -> None:
    token, text = create_token(site.people["viewer"], "laptop")
    address = f"/admin/accounts/apitoken/{token.pk}/"
    page = root.get(f"{address}change/").content.decode()
    assert text not in page and token.hash not in page
    assert root.get("/admin/accounts/apitoken/add/").status_code == 403
    assert root.post(f"{address}delete/", {"post": "yes"}).status_code == 302
    assert not ApiToken.objects.exists()


def lab_form(**fields: Any) -> dict[str, Any]:
    management = {"memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0"}
    return management | {"name": "New Lab", "slug": "new-lab", "visibility": "lab"} | fields


def test_a_lab_is_made_with_its_members(site: Site, root: Client) -> None:
    member = {"memberships-0-user": site.people["viewer"].pk, "memberships-0-role": "manager"}
    assert root.post("/admin/accounts/lab/add/", lab_form(**member)).status_code == 302
    assert Lab.objects.get(slug="new-lab").memberships.get().role == "manager"
    assert "slug" in errors_of(root.post("/admin/accounts/lab/add/", lab_form(name="b", slug="Bad Slug")))


def system_form(**fields: Any) -> dict[str, Any]:
    management = {"accounts-TOTAL_FORMS": "0", "accounts-INITIAL_FORMS": "0"}
    values = {
        "name": "new", "transport": "ssh", "host": "login.example.org", "port": "22", "enabled": "on",
        "host_keys": json.dumps([HOST_KEY]), "scheduler": "slurm", "scheduler_options": "{}",
        "workdir": "/scratch/{username}", "filesystems": "[]", "poll_interval": "10", "limits": "{}",
        "events": "both",
    }  # fmt: skip
    return management | values | fields


def test_a_system_is_made(site: Site, root: Client) -> None:
    assert root.post("/admin/pipeline_management/system/add/", system_form()).status_code == 302
    assert System.objects.get(name="new").host_keys == [HOST_KEY]
    local = system_form(name="here", transport="local", scheduler="local", host="", host_keys="[]")
    assert root.post("/admin/pipeline_management/system/add/", local).status_code == 302


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"host_keys": '["ssh-ed25519 nonsense"]'}, "host_keys"),
        ({"host_keys": '"ssh-ed25519"'}, "host_keys"),
        ({"host_keys": "[1"}, "host_keys"),
        ({"host": "no host"}, "host"),
        ({"port": "0"}, "port"),
        ({"workdir": "/"}, "workdir"),
        ({"workdir": "/scratch/{user}"}, "workdir"),
        ({"limits": '{"max_conections": 2}'}, "limits"),
        ({"limits": '{"max_connections": 0}'}, "limits"),
        ({"poll_interval": "0"}, "poll_interval"),
        ({"name": "Upper Case"}, "name"),
        ({"scheduler": "lsf"}, "scheduler"),
        ({"filesystems": '[{"name": "HOME"}]'}, "filesystems"),
    ],
)
def test_a_bad_system_is_refused_by_field(site: Site, root: Client, fields: dict[str, str], field: str) -> None:
    answer = root.post("/admin/pipeline_management/system/add/", system_form(**fields))
    assert field in errors_of(answer)
    assert not System.objects.filter(host="login.example.org").exists()


def version_form(site: Site, **fields: Any) -> dict[str, Any]:
    management = {"pipeline_systems-TOTAL_FORMS": "0", "pipeline_systems-INITIAL_FORMS": "0"}
    values = {
        "pipeline": site.version.pipeline.pk, "version": "1.10", "engine": "shell", "all_labs": "on",
        "schema": '{"type": "object"}', "script": "echo {{ config.name }}\r\n", "resources": '{"cpus": 2}',
        "example": "{}",
    }  # fmt: skip
    return management | values | fields


def test_a_version_is_made_with_order_and_digest(site: Site, root: Client) -> None:
    address = "/admin/pipeline_management/pipelineversion/add/"
    assert root.post(address, version_form(site)).status_code == 302
    assert root.post(address, version_form(site, version="1.9")).status_code == 302
    ten, nine = PipelineVersion.objects.filter(version__in=("1.10", "1.9")).order_by("-sort_key")
    assert (ten.version, nine.version) == ("1.10", "1.9")
    assert ten.script == "echo {{ config.name }}\n"
    part = PipelinePart(name="hello", version="1.10", systems=["cluster"], labs=["*"], script="x")
    applied = PlannedVersion(part, ten.schema, ten.script, ten.example, ten.resources, "k")
    assert ten.content_sha256 == applied.content_sha256, "the site file's reader gives another"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"version": "latest"}, "version"),
        ({"version": "a b"}, "version"),
        ({"schema": '{"type": "strin"}'}, "schema"),
        ({"schema": '{"properties": {"a": {"pattern": "("}}}'}, "schema"),
        ({"schema": '{"$ref": "http://example.org/s.json"}'}, "schema"),
        ({"script": "{% for x in %}"}, "script"),
        ({"resources": '{"cpu": 2}'}, "resources"),
        ({"resources": '{"walltime": "1h"}'}, "resources"),
        ({"example": "[1]"}, "example"),
    ],
)
def test_a_bad_version_is_refused_by_field(site: Site, root: Client, fields: dict[str, str], field: str) -> None:
    answer = root.post("/admin/pipeline_management/pipelineversion/add/", version_form(site, **fields))
    assert field in errors_of(answer)
    assert PipelineVersion.objects.count() == 1


def test_a_version_that_a_run_uses_keeps_its_content(site: Site, root: Client) -> None:
    site.run()
    address = f"/admin/pipeline_management/pipelineversion/{site.version.pk}/change/"
    before = site.version.script
    link = site.version.pipeline_systems.get()
    systems = {
        "pipeline_systems-TOTAL_FORMS": "1", "pipeline_systems-INITIAL_FORMS": "1",
        "pipeline_systems-0-id": link.pk, "pipeline_systems-0-version": site.version.pk,
        "pipeline_systems-0-system": site.account.system.pk, "pipeline_systems-0-position": "0",
    }  # fmt: skip
    fields = version_form(site, script="rm -rf /", version="6.6.6") | systems
    del fields["all_labs"]
    assert root.post(address, fields | {"labs": [site.lab.pk]}).status_code == 302
    site.version.refresh_from_db()
    assert (site.version.script, site.version.version) == (before, "1.0")
    assert (site.version.all_labs, list(site.version.labs.all())) == (False, [site.lab])


def test_what_runs_refer_to_cannot_be_deleted(site: Site, root: Client) -> None:
    site.run()
    for name, row in (("pipelineversion", site.version), ("pipeline", site.version.pipeline),
                      ("system", site.account.system)):
        answer = root.post(f"/admin/pipeline_management/{name}/{row.pk}/delete/", {"post": "yes"})
        assert answer.status_code == 403, name


def test_others_than_administrators_stay_out(site: Site) -> None:
    for name in ("manager", "viewer"):
        answer = site.client(name).get("/admin/pipeline_management/run/")
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")
