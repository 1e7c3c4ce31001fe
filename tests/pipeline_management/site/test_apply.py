"""Applying a site file: what is written, that a second time changes nothing, dry runs and pruning."""

from __future__ import annotations

import copy
import io
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command

from accounts.models import Credential, Lab, Membership
from hpc.transports.credentials import KeyCredential
from pipeline_management.choices import RunSource
from pipeline_management.models import (
    AuditEvent,
    Pipeline,
    PipelineSystem,
    PipelineVersion,
    Run,
    System,
    SystemAccount,
)
from pipeline_management.services.intake import create_run, prepare
from pipeline_management.services.site.reading import SiteError
from tests.pipeline_management.site.conftest import HOST_KEY, private_key

ROOT = Path(__file__).resolve().parents[3]


def made(changes: Any) -> list[str]:
    return [f"{entry.action} {entry.kind} {entry.name}" for entry in changes.made]


def submit(username: str = "alice", **document: Any) -> Run:
    user = User.objects.get(username=username)
    prepared = prepare(user=user, document={"pipeline": "hello", "name": "x"} | document)
    return create_run(user=user, prepared=prepared, source=RunSource.API)[0]


def test_everything_is_written(site: dict[str, Any], apply: Any, site_path: Path) -> None:
    apply(site)
    cluster = System.objects.get(name="cluster")
    assert (cluster.host, cluster.port, cluster.host_keys) == ("127.0.0.1", 2222, [HOST_KEY])
    assert (cluster.scheduler, cluster.scheduler_options) == ("slurm", {"bin_dir": "/usr/bin"})
    assert cluster.workdir == "/home/{username}/centro"
    assert cluster.filesystems == [{"name": "HOME", "path": "/home", "description": "homes"}]
    assert (cluster.poll_interval, cluster.enabled) == (5, True)
    assert cluster.limits == {"max_connections": 2, "max_file_size_mb": 5, "command_timeout": 5.0}
    here = System.objects.get(name="here")
    assert here.scheduler_options == {"spool": str(Path(settings.CENTRO_VAR).resolve() / "jobs")}

    key = (site_path.parent / "key").read_text()
    by_owner = {a.user.username if a.user else None: a for a in cluster.accounts.all()}
    assert {owner: a.username for owner, a in by_owner.items()} == {
        None: "svc",
        "alice": "test1",
        "bob": "test2",
    }
    credential = by_owner["alice"].credential
    assert credential and (credential.kind, credential.secret) == ("key", key)
    assert credential.fingerprint == KeyCredential("x", key).login_key().fingerprint
    assert credential.fingerprint.startswith("SHA256:")
    assert by_owner["bob"].credential == by_owner[None].credential != credential
    own = here.accounts.get()
    assert (own.user, own.credential) == (None, None)
    assert own.username == pwd.getpwuid(os.geteuid()).pw_name

    alice, bob = User.objects.get(username="alice"), User.objects.get(username="bob")
    assert alice.check_password("correct horse") and alice.email == "alice@example.org"
    assert not alice.is_staff and not bob.has_usable_password()
    lab = Lab.objects.get()
    assert (lab.name, lab.slug, lab.visibility) == ("Lab A", "lab-a", "own")
    roles = dict(lab.memberships.values_list("user__username", "role"))
    assert roles == {"alice": "manager", "bob": "submitter"}

    version = PipelineVersion.objects.get()
    assert (str(version), version.pipeline.title, version.engine) == ("hello@1.0", "Hello", "shell")
    assert version.script == "echo hello {{ config.name }}\n"
    assert version.resources == {"queue": "part01", "walltime": "00:10:00", "cpus": 1}
    assert version.example == {"pipeline": "hello", "name": "world"}
    assert not version.all_labs and list(version.labs.all()) == [lab]
    rows = PipelineSystem.objects.filter(version=version).order_by("position")
    assert [row.system.name for row in rows] == ["cluster", "here"]
    assert submit(system="here").script == "echo hello x\n"


def test_a_second_time_changes_nothing(site: dict[str, Any], apply: Any) -> None:
    first = apply(site)
    assert first.made and all(entry.action == "created" for entry in first.made)
    before = User.objects.get(username="alice").password
    assert apply(site).made == []
    assert apply(site, remove=True).made == []
    assert User.objects.get(username="alice").password == before
    assert AuditEvent.objects.filter(action="site.apply").count() == 1


def test_a_dry_run_tells_the_same_and_writes_nothing(site: dict[str, Any], apply: Any) -> None:
    told = made(apply(site, dry_run=True))
    assert (
        not System.objects.exists()
        and not User.objects.exists()
        and not AuditEvent.objects.exists()
    )
    assert made(apply(site)) == told


UPDATES: list[tuple[str, Any, str]] = [
    ("systems.0.port", 2223, "updated system cluster"),
    ("systems.0.enabled", False, "updated system cluster"),
    ("users.0.email", "a@example.org", "updated user alice"),
    ("users.0.password", "another one", "updated user alice"),
    ("users.0.staff", True, "updated user alice"),
    ("users.0.accounts.0.username", "test9", "updated account test9@cluster for alice"),
    ("labs.0.visibility", "lab", "updated lab lab-a"),
    ("labs.0.members.bob", "viewer", "updated member bob of lab-a"),
    ("pipelines.0.title", "Hi", "updated pipeline hello"),
    ("pipelines.0.script", "echo bye {{ config.name }}", "updated version hello@1.0"),
    ("pipelines.0.labs", ["*"], "updated version hello@1.0"),
    ("pipelines.0.systems", ["here", "cluster"], "updated version hello@1.0"),
    ("pipelines.0.version", "1.1", "created version hello@1.1"),
]


@pytest.mark.parametrize(("path", "value", "told"), UPDATES, ids=[u[0] for u in UPDATES])
def test_one_change_is_one_change(
    path: str, value: Any, told: str, site: dict[str, Any], apply: Any
) -> None:
    apply(site)
    *way, last = path.split(".")
    target: Any = site
    for part in way:
        target = target[int(part)] if isinstance(target, list) else target[part]
    target[last] = value
    assert made(apply(site)) == [told]
    assert apply(site).made == []


def test_a_new_key_replaces_the_old(site: dict[str, Any], apply: Any, site_path: Path) -> None:
    apply(site)
    old = Credential.objects.get(name="cluster/alice").fingerprint
    (site_path.parent / "key").write_text(private_key())
    assert made(apply(site)) == ["updated credential cluster/*", "updated credential cluster/alice"]
    assert Credential.objects.get(name="cluster/alice").fingerprint != old


def test_staff_is_administrator_and_silence_keeps_it(site: dict[str, Any], apply: Any) -> None:
    site["users"][0]["staff"] = True
    apply(site)
    alice = User.objects.get(username="alice")
    assert alice.is_staff and alice.is_superuser
    del site["users"][0]["staff"]
    del site["users"][0]["password"]
    assert apply(site).made == []
    alice.refresh_from_db()
    assert alice.is_staff and alice.check_password("correct horse")


def test_secrets_from_files_and_the_environment(
    site: dict[str, Any], apply: Any, site_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site_path.parent / "word").write_text("from a file\n")
    monkeypatch.setenv("BOBS_WORD", "from the environment")
    monkeypatch.setenv("THE_KEY", key := private_key())
    site["users"][0] |= {"password_file": "word"}
    del site["users"][0]["password"]
    site["users"][1]["password_env"] = "BOBS_WORD"
    site["systems"][0]["credential"] = {"kind": "ca", "private_key_env": "THE_KEY"}
    apply(site)
    assert User.objects.get(username="alice").check_password("from a file")
    assert User.objects.get(username="bob").check_password("from the environment")
    authority = Credential.objects.get(name="cluster/*")
    assert (authority.kind, authority.secret) == ("ca", key)
    # an authority without a user name serves the accounts of kind service only
    assert not SystemAccount.objects.filter(system__name="cluster", user=None).exists()
    assert SystemAccount.objects.get(user__username="bob").credential == authority


def test_files_beside_the_site_file(site: dict[str, Any], apply: Any, site_path: Path) -> None:
    pipeline = site["pipelines"][0]
    (site_path.parent / "job.sh").write_bytes(b"echo a\r\necho {{ config.name }}\r\n\r\n")
    (site_path.parent / "s.json").write_text('{"type": "object"}')
    (site_path.parent / "e.json").write_text('{"name": "x"}')
    for key in ("script", "schema", "example"):
        del pipeline[key]
    pipeline |= {"script_file": "job.sh", "schema_file": "s.json", "example_file": "e.json"}
    apply(site)
    version = PipelineVersion.objects.get()
    assert version.script == "echo a\necho {{ config.name }}\n"
    assert (version.schema, version.example) == ({"type": "object"}, {"name": "x"})


def test_a_version_with_runs_does_not_change(site: dict[str, Any], apply: Any) -> None:
    apply(site)
    submit()
    site["pipelines"][0]["labs"] = ["*"]
    site["pipelines"][0]["example"] = {"name": "somebody else"}
    assert made(apply(site)) == ["updated version hello@1.0"]  # who may run it is free to change
    site["pipelines"][0]["resources"]["cpus"] = 2
    with pytest.raises(SiteError, match=r"hello@1.0 has runs and would change .* new version"):
        apply(site)
    site["pipelines"][0]["development"] = True
    with pytest.raises(SiteError, match="has runs"):
        apply(site)
    site["pipelines"][0]["version"] = "1.1"
    assert made(apply(site)) == ["created version hello@1.1"]


def test_a_development_version_may_change(site: dict[str, Any], apply: Any) -> None:
    site["pipelines"][0] |= {"development": True}
    apply(site)
    submit(pipeline="hello@development")
    site["pipelines"][0]["script"] = "true"
    assert made(apply(site)) == ["updated version hello@1.0"]


def test_pruning_removes_what_is_not_named(site: dict[str, Any], apply: Any) -> None:
    apply(site)
    admin = User.objects.create_superuser("root", "", "x")
    less = copy.deepcopy(site)
    less["systems"] = less["systems"][1:]
    less["users"] = [{"username": "alice"}]
    less["labs"][0]["members"] = {"alice": "manager"}
    less["pipelines"] = []
    assert apply(less).made == []
    told = made(apply(less, remove=True))
    assert told == [
        "removed version hello@1.0",
        "removed pipeline hello",
        *(
            f"removed account {a}"
            for a in (
                "svc@cluster for everybody",
                "test1@cluster for alice",
                "test2@cluster for bob",
            )
        ),
        "removed member bob of lab-a",
        "removed user bob",
        "removed system cluster",
        "removed credential cluster/*",
        "removed credential cluster/alice",
    ]
    assert not Pipeline.objects.exists() and not Credential.objects.exists()
    assert list(System.objects.values_list("name", flat=True)) == ["here"]
    assert User.objects.filter(pk=admin.pk).exists()
    assert apply(less, remove=True).made == []


def test_pruning_keeps_what_runs_refer_to(site: dict[str, Any], apply: Any) -> None:
    apply(site)
    run = submit("bob", system="cluster")
    changes = apply({"systems": [], "users": [], "labs": [], "pipelines": []}, remove=True)
    told = {f"{e.kind} {e.name}": (e.action, e.details) for e in changes.entries}
    assert told["version hello@1.0"][0] == "updated" and "withdrawn" in told["version hello@1.0"][1]
    assert told["account test2@cluster for bob"] == ("kept", "runs refer to it")
    assert told["lab lab-a"][0] == "kept"
    assert told["user bob"] == ("updated", "locked; runs refer to it")
    assert told["user alice"][0] == "removed"
    assert told["system cluster"] == ("updated", "switched off; runs refer to it")
    assert told["system here"][0] == "removed"
    run.refresh_from_db()
    assert run.version.script and not run.system.enabled and not run.submitter.is_active
    assert not Membership.objects.exists()
    assert apply({"systems": []}, remove=True).made == []


def test_references_may_lead_to_the_database(site: dict[str, Any], apply: Any) -> None:
    apply(site)
    more = {
        "labs": [{"name": "Lab B", "slug": "lab-b", "members": {"alice": "viewer"}}],
        "pipelines": [site["pipelines"][0] | {"version": "2.0", "labs": ["lab-a", "lab-b"]}],
        "users": [{"username": "carol", "accounts": site["users"][1]["accounts"]}],
    }
    assert "created version hello@2.0" in made(apply(more))
    taken = {"labs": [{"name": "Lab A", "slug": "lab-c"}]}
    with pytest.raises(SiteError, match="lab-a, already has the name"):
        apply(taken)


@pytest.mark.django_db
def test_the_example_site(tmp_path: Path) -> None:
    User.objects.create_superuser("admin", "", "a password of its own")
    first, second = io.StringIO(), io.StringIO()
    call_command("apply", str(ROOT / "deploy" / "example-site.yaml"), stdout=first)
    call_command("apply", str(ROOT / "deploy" / "example-site.yaml"), stdout=second)
    assert "created   version phoenix@1.1" in first.getvalue()
    assert second.getvalue() == "nothing to change\n"
    admin = User.objects.get(username="admin")
    assert admin.check_password("a password of its own") and admin.is_superuser
    for version in PipelineVersion.objects.all():
        prepared = prepare(user=admin, document=version.example, pipeline=str(version))
        assert prepared.warnings == []
        assert prepared.system.name == "local" and prepared.lab.slug == "demo"
        assert prepared.directory_hint == f"{settings.CENTRO_VAR}/runs/{prepared.run_id}"


@pytest.mark.django_db
def test_the_command_says_what_it_did(site: dict[str, Any], site_path: Path, apply: Any) -> None:
    apply(site)
    site["users"][0]["email"] = "new@example.org"
    import yaml

    site_path.write_text(yaml.safe_dump(site))
    dry, real = io.StringIO(), io.StringIO()
    call_command("apply", str(site_path), "--dry-run", stdout=dry)
    call_command("apply", str(site_path), stdout=real)
    assert dry.getvalue() == "updated   user alice: email\nwould be: 1 updated, 14 unchanged\n"
    assert real.getvalue() == "updated   user alice: email\n1 updated, 14 unchanged\n"
