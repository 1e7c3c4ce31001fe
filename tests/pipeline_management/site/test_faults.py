"""Broken site files: every fault is named with its path and line, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from pipeline_management.models import Pipeline, System
from pipeline_management.services.site.reading import SiteError

Change = Callable[[dict[str, Any]], Any]


def setting(path: str, value: Any) -> Change:
    """A change of the site's data: "systems.0.port" to a value."""

    def change(data: dict[str, Any]) -> None:
        *way, last = path.split(".")
        target: Any = data
        for part in way:
            target = target[int(part) if isinstance(target, list) else part]
        if isinstance(target, list):
            target[int(last)] = value
        elif value is ...:
            del target[last]
        else:
            target[last] = value

    return change


def doubled(section: str, **changes: Any) -> Change:
    return lambda data: data[section].append(data[section][0] | changes)


BROKEN: list[tuple[Change, str, str]] = [
    (
        setting("systems.0.host_keys.0", "ssh-ed25519"),
        "systems[0].host_keys[0]",
        'expected "type base64"',
    ),
    (setting("systems.0.host_keys.0", "ssh-dss AAAA"), "systems[0].host_keys[0]", "is not known"),
    (setting("systems.0.host_keys", []), "systems[0]", "needs host_keys"),
    (setting("systems.0.host", ...), "systems[0]", "needs host"),
    (setting("systems.0.host", "-oProxyCommand=x"), "systems[0].host", "a host name or an address"),
    (setting("systems.0.port", "22"), "systems[0].port", "expected a whole number, found '22'"),
    (setting("systems.0.port", 70000), "systems[0].port", "less than or equal to 65535"),
    (setting("systems.0.name", ...), "systems[0].name", "is missing"),
    (setting("systems.0.name", "My Cluster"), "systems[0].name", "lower-case letters"),
    (setting("systems.0.transport", "telnet"), "systems[0].transport", "'ssh' or 'local'"),
    (
        setting("systems.0.scheduler", "lsf"),
        "systems[0].scheduler",
        "'slurm', 'pbs' or 'local', found 'lsf'",
    ),
    (
        setting("systems.0.scheduler_options", {"dialect": "x"}),
        "systems[0]",
        "'dialect' is not known",
    ),
    (
        setting("systems.0.scheduler_options", {"bin_dir": "bin"}),
        "systems[0]",
        "an absolute directory",
    ),
    (setting("systems.0.workdir", "centro"), "systems[0]", "must be absolute"),
    (setting("systems.0.workdir", "/"), "systems[0].workdir", "other than /"),
    (
        setting("systems.0.workdir", "/home/{user}/x"),
        "systems[0].workdir",
        "{username} as the only placeholder",
    ),
    (setting("systems.0.workdir", "/a/../b"), "systems[0].workdir", "without .."),
    (
        setting("systems.0.poll_intervall", 5),
        "systems[0].poll_intervall",
        'did you mean "poll_interval"?',
    ),
    (
        setting("systems.0.limits.max_connections", 0),
        "systems[0].limits.max_connections",
        "greater than or equal to 1",
    ),
    (
        setting("systems.0.filesystems.0.path", "home"),
        "systems[0].filesystems[0].path",
        "an absolute path",
    ),
    (setting("systems.0.credential.username", ...), "systems[0]", "credential.username is missing"),
    (
        setting("systems.0.credential.private_key_file", ...),
        "systems[0].credential",
        "exactly one of",
    ),
    (
        setting("systems.0.credential.private_key_file", "nowhere"),
        "systems[0].credential.private_key_file",
        "No such file",
    ),
    (
        setting("systems.0.credential.private_key_file", "site.yaml"),
        "systems[0].credential.private_key_file",
        "cannot be read",
    ),
    (
        setting(
            "systems.0.credential",
            {"kind": "key", "username": "svc", "private_key_env": "NO_SUCH_VARIABLE"},
        ),
        "systems[0].credential.private_key_env",
        "NO_SUCH_VARIABLE is not set",
    ),
    (
        setting(
            "systems.0.credential", {"kind": "key", "username": "svc", "private_key": "secret text"}
        ),
        "systems[0].credential.private_key",
        "cannot be read",
    ),
    (setting("systems.1.host", "h"), "systems[1]", "is this machine: remove host"),
    (doubled("systems"), "systems[2].name", "the same as that of systems[0]"),
    (setting("users.0.username", "a b"), "users[0].username", "letters, digits and @ . + - _"),
    (setting("users.0.email", "alice"), "users[0].email", "an e-mail address"),
    (setting("users.0.staff", "yes please"), "users[0].staff", "true or false"),
    (setting("users.0.password_env", "X"), "users[0]", "one of password"),
    (
        setting("users.0.password", 12345678),
        "users[0].password",
        "expected text; write it in quotes",
    ),
    (
        setting("users.0.accounts.0.system", "clutser"),
        "users[0].accounts[0].system",
        'did you mean "cluster"?',
    ),
    (
        setting("users.0.accounts.0.system", "here"),
        "users[0].accounts[0].system",
        "is this machine",
    ),
    (
        setting("users.0.accounts.0.username", "root; id"),
        "users[0].accounts[0].username",
        "a user name of the system",
    ),
    (
        setting("users.0.accounts.0.credential.username", "x"),
        "users[0].accounts[0]",
        "belongs to systems",
    ),
    (
        setting("users.1.accounts.0.credential.private_key", "x"),
        "users[1].accounts[0].credential",
        "remove private_key",
    ),
    (
        setting(
            "users.1.accounts",
            [{"system": "cluster", "username": "a", "credential": {"kind": "service"}}] * 2,
        ),
        "users[1].accounts[1].system",
        "a second account",
    ),
    (
        setting("systems.0.credential", ...),
        "users[1].accounts[0].credential",
        "kind service needs a credential",
    ),
    (doubled("users"), "users[2].username", "the same as that of users[0]"),
    (
        setting("labs.0.members.carol", "viewer"),
        "labs[0].members.carol",
        "there is no user 'carol'",
    ),
    (
        setting("labs.0.members.bob", "owner"),
        "labs[0].members.bob",
        "'viewer', 'submitter' or 'manager'",
    ),
    (setting("labs.0.visibility", "all"), "labs[0].visibility", "'lab' or 'own'"),
    (doubled("labs", slug="lab-b"), "labs[1].name", "the same as that of labs[0]"),
    (
        setting("pipelines.0.version", 1.0),
        "pipelines[0].version",
        "expected text; write it in quotes, found 1.0",
    ),
    (setting("pipelines.0.version", "latest"), "pipelines[0]", "has a meaning of its own"),
    (
        setting("pipelines.0.engine", "nextflow"),
        "pipelines[0].engine",
        "'jetstream' or 'snakemake', found 'nextflow'",
    ),
    (
        setting("pipelines.0.engine", "snakemake"),
        "pipelines[0]",
        "the engine snakemake makes the job script: remove script",
    ),
    (
        setting("pipelines.0.engine_options", {"mode": "job"}),
        "pipelines[0].engine_options.mode",
        "mode is not a known key",
    ),
    (
        setting("pipelines.0.systems", ["cloud"]),
        "pipelines[0].systems[0]",
        "there is no system 'cloud'",
    ),
    (setting("pipelines.0.systems", []), "pipelines[0].systems", "at least 1 item"),
    (
        setting("pipelines.0.labs", ["lab-x"]),
        "pipelines[0].labs[0]",
        "no lab with the slug 'lab-x'",
    ),
    (setting("pipelines.0.labs", ["*", "lab-a"]), "pipelines[0]", "stands alone"),
    (
        setting("pipelines.0.script_file", "x.sh"),
        "pipelines[0]",
        "exactly one of script and script_file",
    ),
    (setting("pipelines.0.script", ...), "pipelines[0]", "exactly one of script and script_file"),
    (setting("pipelines.0.script", "{% if %}"), "pipelines[0].script", "line 1"),
    (
        setting("pipelines.0.script", 'echo "{{ config.name }}"'),
        "pipelines[0].script",
        "tried with the example",
    ),
    (setting("pipelines.0.script", "echo {{ config.nmae }}"), "pipelines[0].script", "'nmae'"),
    (setting("pipelines.0.schema", {"type": "strin"}), "pipelines[0].schema", "/type"),
    (
        setting("pipelines.0.schema", {"properties": {"a": {"pattern": "("}}}),
        "pipelines[0].schema",
        "/properties/a",
    ),
    (setting("pipelines.0.example", {"name": 3}), "pipelines[0].example", "name is the number 3"),
    (
        setting("pipelines.0.resources.walltime", "10m"),
        "pipelines[0].resources.walltime",
        "HH:MM:SS",
    ),
    (
        setting("pipelines.0.resources.walltime", 600),
        "pipelines[0].resources.walltime",
        "expected text",
    ),
    (
        setting("pipelines.0.resources.queue", "a --wrap=id"),
        "pipelines[0].resources.queue",
        "as the scheduler knows it",
    ),
    (
        setting("pipelines.0.resources.cpus", 0),
        "pipelines[0].resources.cpus",
        "greater than or equal to 1",
    ),
    (
        setting("pipelines.0.resources.memory", 5),
        "pipelines[0].resources.memory",
        'did you mean "memory_mb"?',
    ),
    (doubled("pipelines"), "pipelines[1].version", "the same as that of pipelines[0]"),
    (setting("oauth_clients", [{"client_id": "x"}]), "oauth_clients[0].user", "is missing"),
    (setting("users", {"alice": {}}), "users", "expected a list, found a mapping"),
    (setting("systmes", []), "systmes", 'did you mean "systems"?'),
]


@pytest.mark.parametrize(
    ("change", "where", "words"), BROKEN, ids=[f"{w}: {t[:30]}" for _, w, t in BROKEN]
)
def test_one_fault(
    change: Change, where: str, words: str, site: dict[str, Any], apply: Any
) -> None:
    change(site)
    with pytest.raises(SiteError) as caught:
        apply(site)
    found = [
        fault for fault in caught.value.faults if fault.where == where and words in fault.message
    ]
    assert found, str(caught.value)
    assert found[0].line
    assert "secret text" not in str(caught.value)
    assert not System.objects.exists() and not User.objects.exists()


TEXTS: list[tuple[str, str, int | None]] = [
    ("systems: [", "not valid YAML", 1),
    ("systems:\n  - name: a\n    name: b\n", "systems[0].name: given twice, first in line 2", 3),
    ("labs: []\nusers: []\nlabs: []\n", "labs: given twice, first in line 1", 3),
    ("- a\n- b\n", "must hold a mapping", None),
    ("just text", "must hold a mapping", None),
    ("a: !!python/object/apply:os.system ['id']\n", "not valid YAML", 1),
    ("a: 1\n--- \nb: 2\n", "not valid YAML", 2),
    ("systems:\n\t- a\n", "not valid YAML", 2),
    ("labs: []\n# \x1b[2J\n", "holds the control character U+001B", 2),
]


@pytest.mark.parametrize(("text", "words", "line"), TEXTS, ids=[repr(t[:20]) for t, *_ in TEXTS])
def test_broken_yaml(text: str, words: str, line: int | None, apply: Any) -> None:
    with pytest.raises(SiteError) as caught:
        apply(text)
    assert words in str(caught.value)
    assert caught.value.faults[0].line == line


def test_all_faults_at_once_in_the_order_of_the_file(site: dict[str, Any], apply: Any) -> None:
    site["systems"][0]["credential"]["private_key_file"] = "none"
    site["users"][0]["accounts"][0]["system"] = "none"
    site["labs"][0]["members"]["nobody"] = "viewer"
    site["pipelines"][0]["script"] = "{% if %}"
    with pytest.raises(SiteError) as caught:
        apply(site)
    assert [fault.where.split("[")[0] for fault in caught.value.faults] == [
        "systems",
        "users",
        "labs",
        "pipelines",
    ]
    lines = [fault.line or 0 for fault in caught.value.faults]
    assert lines == sorted(lines)


def test_a_broken_schema_file_tells_its_own_place(
    site: dict[str, Any], apply: Any, site_path: Path
) -> None:
    (site_path.parent / "s.json").write_text('{\n"type": "object",\n}')
    del site["pipelines"][0]["schema"]
    site["pipelines"][0]["schema_file"] = "s.json"
    with pytest.raises(SiteError, match=r"s\.json: line 2, column 17: There is a comma"):
        apply(site)


def test_yaml_that_json_does_not_know(apply: Any, site: dict[str, Any]) -> None:
    site["pipelines"][0]["schema"] = {"default": {1: "x"}}
    with pytest.raises(SiteError, match="JSON does not know"):
        apply(site)


@pytest.mark.django_db
def test_the_command_lists_the_faults_and_fails(site_path: Path) -> None:
    site_path.write_text("systems: [{name: X}]\noauth_clients: 3\n")
    with pytest.raises(CommandError) as caught:
        call_command("apply", str(site_path))
    text = str(caught.value)
    assert "nothing was changed" in text and "line 1: systems[0].transport: is missing" in text
    with pytest.raises(CommandError, match="cannot read"):
        call_command("apply", "/nowhere/site.yaml")
    assert not Pipeline.objects.exists()
