"""The site file of a lab: its cluster, people, labs and a few pipelines that tests rely on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from tests.lab.lab import Lab

# person -> position in the lab's list of Unix users
PEOPLE = {"alice": 0, "bob": 1, "dave": 2, "carol": 3, "nora": 1, "mona": 0}
PASSWORDS = {name: f"{name}-lab-password" for name in (*PEOPLE, "olga", "admin")}


def render(lab: Lab) -> str:
    """YAML for `manage.py apply`, with this lab's port and keys."""
    return yaml.safe_dump(
        {
            "systems": [_system(lab)],
            "users": _users(lab),
            "labs": [
                {
                    "name": "Lab A",
                    "slug": "lab-a",
                    "visibility": "lab",
                    "members": {"alice": "manager", "bob": "submitter", "carol": "viewer"},
                },
                {
                    "name": "Lab B",
                    "slug": "lab-b",
                    "visibility": "lab",
                    "members": {"dave": "submitter"},
                },
                {  # nobody has submitted for it, until a test does
                    "name": "Lab C",
                    "slug": "lab-c",
                    "visibility": "lab",
                    "members": {"mona": "manager", "nora": "submitter"},
                },
            ],
            "pipelines": _pipelines(),
        },
        sort_keys=False,
        width=100,
    )


def _system(lab: Lab) -> dict[str, Any]:
    work = lab.layout.root / "work"
    return {
        "name": "cluster",
        "description": "the lab's single-node Slurm",
        "transport": "ssh",
        "host": "127.0.0.1",
        "port": lab.layout.ports["sshd"],
        "host_keys": [lab.sshd.host_key_line()],
        "scheduler": "slurm",
        "scheduler_options": {"bin_dir": "/usr/bin"},
        "workdir": f"{work}/{{username}}/centro",
        "filesystems": [
            {"name": "HOME", "path": "/home", "description": "home folders"},
            {"name": "WORK", "path": str(work), "description": "run folders of this lab"},
        ],
        "poll_interval": 1,
        "limits": {"max_connections": 2, "max_file_size_mb": 5, "command_timeout": 20},
    }


def _users(lab: Lab) -> list[dict[str, Any]]:
    names = lab.layout.settings.users
    users: list[dict[str, Any]] = [
        {
            "username": person,
            "password": PASSWORDS[person],
            "email": f"{person}@example.org",
            "staff": False,
            "accounts": [
                {
                    "system": "cluster",
                    "username": names[position % len(names)],  # without root there is one account
                    "credential": {"kind": "key", "private_key_file": str(lab.layout.ssh_key)},
                }
            ],
        }
        for person, position in PEOPLE.items()
    ]
    users.append(
        {
            "username": "olga",
            "password": PASSWORDS["olga"],
            "email": "olga@example.org",
            "staff": True,
        }
    )
    return users


def _pipeline(
    name: str, script: str, properties: dict[str, Any] | None = None, **resources: Any
) -> dict[str, Any]:
    properties = properties or {}
    return {
        "name": name,
        "version": "1.0",
        "engine": "shell",
        "systems": ["cluster"],
        "labs": ["*"],
        "schema": {"type": "object", "properties": properties, "required": list(properties)},
        "script": script,
        "resources": {
            "queue": "part01",
            "walltime": "00:10:00",
            "cpus": 1,
            "memory_mb": 100,
            **resources,
        },
    }


def _pipelines() -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return [
        _pipeline("hello", "echo hello {{ config.name }}\n", {"name": text}),
        _pipeline(
            "exit-code",
            "exit {{ config.code }}\n",
            {"code": {"type": "integer", "minimum": 0, "maximum": 255}},
        ),
        _pipeline(
            "sleep",
            "sleep {{ config.seconds }}\necho slept {{ config.seconds }}\n",
            {"seconds": {"type": "integer", "minimum": 0, "maximum": 86400}},
        ),
        # leaves its trace outside the portal, so that tests can count executions
        _pipeline(
            "effect",
            "sleep 0.{{ config.tenths }}\necho {{ run.id }} $SLURM_JOB_ID >> ../effects\n",
            {"tenths": {"type": "integer", "minimum": 0, "maximum": 9}},
        ),
        _reporting(),
        _phoenix(),
        _pipeline("wrong-partition", "echo never\n", queue="nowhere"),
        # a minute is the shortest limit that Slurm knows
        _pipeline("short-walltime", "echo started\nsleep 600\n", walltime="00:01:00"),
    ]


def _reporting() -> dict[str, Any]:
    """Tells of its tasks while it runs; with ``closed`` nobody answers at the address for events."""
    script = (
        "{% if config.closed %}\nexport CENTRO_EVENTS_URL=http://127.0.0.1:9/\n{% endif %}\n"
        "n=0\n"
        "while [ $n -lt {{ config.tasks }} ]; do\n"
        "  n=$((n + 1))\n"
        "  centro-event task step$n running --job $SLURM_JOB_ID\n"
        "  centro-event task step$n complete --exit 0\n"
        '  centro-event progress $((100 * n / {{ config.tasks }})) "step $n"\n'
        "done\n"
        "centro-event completed\n"
    )
    properties: dict[str, Any] = {
        "tasks": {"type": "integer", "minimum": 1, "maximum": 5000},
        "closed": {"type": "boolean"},
    }
    return _pipeline("reporting", script, properties)


PHOENIX_REPORT = """
{
  printf '<!doctype html><meta charset="utf-8"><title>Files</title><h1>%s</h1>' {{ config.project }}
  printf '<p>Alignment: %s</p>' {{ config.dnaAlignmentStyle | default("tgen") }}
  printf '<table>'
  tail -n +2 files.tsv | sed 's/&/\\&amp;/g; s/</\\&lt;/g; s/^/<tr><td>/; s/\\t/<td>/g'
  printf '</table>'
} > report.html
sleep 4
"""


def _phoenix() -> dict[str, Any]:
    """The example site's Phoenix pipeline, with a report, and slow enough here to be seen running."""
    deploy = Path(__file__).parents[2] / "deploy"
    site = yaml.safe_load((deploy / "example-site.yaml").read_text())
    (declared,) = (part for part in site["pipelines"] if part["name"] == "phoenix")
    script = (deploy / declared["script_file"]).read_text() + PHOENIX_REPORT
    pipeline = _pipeline("phoenix", script)
    del pipeline["schema"]
    return {
        **pipeline,
        **{key: str(deploy / declared[key]) for key in ("schema_file", "example_file")},
        **{key: declared[key] for key in ("title", "description", "rules")},
        "outputs": {"reports": ["report.html"], "outputs": ["files.tsv"]},
    }
