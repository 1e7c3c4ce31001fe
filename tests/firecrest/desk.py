"""The FirecREST API in this process, with systems on the lab's sshd: for tests that look at each answer."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from accounts.models import Credential, CredentialKind
from accounts.oauth import tokens
from accounts.oauth.clients import create_client
from pipeline_management.models import System
from tests.factories import make_account, make_system, make_user
from tests.hpc.servers import free_port
from tests.lab.lab import Lab

ROOT = "/firecrest/v1"
FORM = "application/x-www-form-urlencoded"
TOLD = {
    "X-A-Directory", "X-Error", "X-Exists", "X-Invalid-Group", "X-Invalid-Mode", "X-Invalid-Owner",
    "X-Invalid-Path", "X-Machine-Does-Not-Exist", "X-Machine-Does-Not-Exists",
    "X-Machine-Not-Available", "X-Not-A-Directory", "X-Not-Found", "X-Permission-Denied",
    "X-Sbatch-Error", "X-Size-Limit", "X-Timeout",
}  # fmt: skip
"""The headers by which clients tell errors."""


@dataclass
class Desk:
    """Two people with accounts on ``cluster``; ``foreign`` is Bob's alone, ``down`` does not answer,
    ``off`` is switched off, ``hasty`` gives every command 0.3 s, ``roomy`` takes 40 MB."""

    lab: Lab
    alice: User
    bob: User
    folder: Path
    unix_user: str
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, Any] | None = None,
        *,
        person: str | None = "alice",
        machine: str | None = "cluster",
        multipart: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request; ``fields`` go where the method has them. Values may be files, then it is multipart."""
        body, kind = b"", ""
        plain = "" if multipart else urlencode(dict(fields or {}), errors="surrogateescape")
        if multipart:
            body, kind = encode_multipart(BOUNDARY, dict(fields or {})), MULTIPART_CONTENT
        elif method == "GET":
            path += f"?{plain}"
        elif fields is not None:
            body, kind = plain.encode(), FORM
        return self.raw(method, path, body, kind, person=person, machine=machine, headers=headers)

    def raw(
        self,
        method: str,
        path: str,
        body: bytes,
        kind: str,
        *,
        person: str | None = "alice",
        machine: str | None = "cluster",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """One request with a body just so. An error that nobody foresaw is raised, not answered."""
        sent = dict(headers or {})
        if person:
            sent["Authorization"] = f"Bearer {self.tokens[person]}"
        if machine is not None:
            sent["X-Machine-Name"] = machine
        client = Client(raise_request_exception=True)
        return client.generic(method, ROOT + path, body, content_type=kind, headers=sent)

    def utility(self, method: str, name: str, **fields: Any) -> Any:
        """A request below /utilities/ on ``cluster``, as Alice."""
        return self.ask(method, f"/utilities/{name}", fields)

    def write(self, name: str, data: bytes | str = b"", mode: int = 0o644) -> Path:
        """A file of Alice's in her folder."""
        path = self.folder / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        self.give(path)
        return path

    def make(self, name: str, mode: int = 0o755) -> Path:
        """A directory of Alice's in her folder."""
        path = self.folder / name
        path.mkdir()
        path.chmod(mode)
        self.give(path)
        return path

    def give(self, path: Path) -> None:
        """Make it Alice's."""
        if os.geteuid() == 0:
            entry = pwd.getpwnam(self.unix_user)
            os.lchown(path, entry.pw_uid, entry.pw_gid)


def error_headers(answer: Any) -> dict[str, str]:
    """Those headers of the answer that tell an error."""
    return {name: answer[name] for name in TOLD if name in answer.headers}


def build(lab: Lab) -> Desk:
    """The rows, and a folder that Alice can write in."""
    users = lab.layout.settings.users
    key = Credential.objects.create(
        name="lab",
        kind=CredentialKind.KEY,
        secret=lab.layout.ssh_key.read_text(),
        fingerprint="lab",
    )
    far: dict[str, Any] = {
        "transport": "ssh", "scheduler": "slurm", "host": "127.0.0.1",
        "port": lab.layout.ports["sshd"], "host_keys": [lab.sshd.host_key_line()],
        "filesystems": [{"name": "HOME", "path": "/home", "description": "homes"}],
        "limits": {"command_timeout": 20},
    }  # fmt: skip
    alice, bob = make_user("alice"), make_user("bob")

    def system(name: str, **fields: Any) -> System:
        return make_system(name, **(far | fields))

    cluster, others = system("cluster"), [
        system("down", port=free_port()),
        system("off", enabled=False),
        system("hasty", limits={"command_timeout": 0.3}),
        system("roomy", limits={"max_file_size_mb": 40, "command_timeout": 20}),
    ]  # fmt: skip
    for one in (cluster, *others):
        make_account(one, alice, username=users[0], credential=key)
    for one in (cluster, system("foreign")):
        make_account(one, bob, username=users[1 % len(users)], credential=key)
    folder = Path(tempfile.mkdtemp(prefix="centro-desk-"))
    folder.chmod(0o755)
    desk = Desk(lab, alice, bob, folder, users[0])
    desk.give(folder)
    desk.tokens = {user.username: token_of(user) for user in (alice, bob)}
    return desk


def token_of(user: User, *, seconds: int = 3600) -> str:
    """An access token of a client of this person, as /o/token/ gives it; below 0 seconds it has expired."""
    client, _ = create_client(user, f"desk of {user}")
    return tokens.issue(client, username=user.username, scopes=["firecrest"], seconds=seconds)


def clear(desk: Desk) -> None:
    """Remove the folder, also what its owner may not read."""
    shutil.rmtree(desk.folder, ignore_errors=True)
