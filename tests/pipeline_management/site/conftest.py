"""A site file with everything in it, and a way to apply changed copies of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

if TYPE_CHECKING:
    from pipeline_management.services.site.changes import Changes

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPk0JEpJFzdT6tFiGWfWyq9hFbHyTB4TFfNJvGGwfKxS"

SITE: dict[str, Any] = {
    "systems": [
        {
            "name": "cluster",
            "description": "lab cluster",
            "transport": "ssh",
            "host": "127.0.0.1",
            "port": 2222,
            "host_keys": [f"{HOST_KEY} a comment"],
            "scheduler": "slurm",
            "scheduler_options": {"bin_dir": "/usr/bin"},
            "workdir": "/home/{username}/centro/",
            "filesystems": [{"name": "HOME", "path": "/home", "description": "homes"}],
            "poll_interval": 5,
            "limits": {"max_connections": 2, "max_file_size_mb": 5, "command_timeout": 5},
            "credential": {"kind": "key", "username": "svc", "private_key_file": "key"},
        },
        {"name": "here", "transport": "local", "scheduler": "local", "workdir": "runs"},
    ],
    "users": [
        {
            "username": "alice",
            "password": "correct horse",
            "email": "alice@example.org",
            "staff": False,
            "accounts": [
                {
                    "system": "cluster",
                    "username": "test1",
                    "credential": {"kind": "key", "private_key_file": "key"},
                }
            ],
        },
        {
            "username": "bob",
            "accounts": [
                {"system": "cluster", "username": "test2", "credential": {"kind": "service"}}
            ],
        },
    ],
    "labs": [
        {
            "name": "Lab A",
            "slug": "lab-a",
            "members": {"alice": "manager", "bob": "submitter"},
            "visibility": "own",
        }
    ],
    "pipelines": [
        {
            "name": "hello",
            "version": "1.0",
            "title": "Hello",
            "engine": "shell",
            "systems": ["cluster", "here"],
            "labs": ["lab-a"],
            "schema": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
            "script": "echo hello {{ config.name }}",
            "example": {"pipeline": "hello", "name": "world"},
            "resources": {"queue": "part01", "walltime": "00:10:00", "cpus": 1, "account": None},
        }
    ],
}

Apply = Callable[..., "Changes"]


def private_key() -> str:
    """A fresh ed25519 key in OpenSSH's form."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        .decode()
    )


@pytest.fixture
def site() -> dict[str, Any]:
    """The site file's data, for the test to change."""
    return copy.deepcopy(SITE)


@pytest.fixture
def site_path(tmp_path: Path) -> Path:
    """Where the site file is written; its key lies beside it."""
    (tmp_path / "key").write_text(private_key())
    return tmp_path / "site.yaml"


@pytest.fixture
def apply(db: None, site_path: Path) -> Apply:
    """Write the data (or the text) as the site file and apply it."""
    from pipeline_management.services.site.applying import apply_site

    def run(data: dict[str, Any] | str, **options: bool) -> Changes:
        text = data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False)
        site_path.write_text(text)
        return apply_site(site_path, **options)

    return run
