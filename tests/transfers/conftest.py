"""Transfers on a real sshd, over both stores and both routes, the mover called by hand."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.lab.lab import Lab
from tests.lab.s3 import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:  # at import time Django is not set up
    from django.contrib.auth.models import User

    from pipeline_management.models import SystemAccount
    from tests.transfers.desk import Desk

WAYS = {
    "local-through": ("local", "auto"),
    "s3-through": ("s3", "through"),
    "s3-direct": ("s3", "auto"),
}


@pytest.fixture(autouse=True)
def no_renewer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's transaction belongs to its own thread; its steps are shorter than a lease."""
    monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)


@pytest.fixture
def person(db: None) -> User:
    from tests.factories import make_user

    return make_user()


@pytest.fixture
def account(lab: Lab, person: User) -> SystemAccount:
    """An account of the person's on the lab's sshd."""
    from accounts.models import Credential, CredentialKind
    from tests.factories import make_account, make_system

    key = Credential.objects.create(
        name="lab",
        kind=CredentialKind.KEY,
        secret=lab.layout.ssh_key.read_text(),
        fingerprint="lab-transfers",
    )
    system = make_system(
        transport="ssh",
        scheduler="slurm",
        host="127.0.0.1",
        port=lab.layout.ports["sshd"],
        host_keys=[lab.sshd.host_key_line()],
        limits={"command_timeout": 20},
    )
    name = lab.layout.settings.users[0]
    return make_account(system, user=person, username=name, credential=key)


@pytest.fixture
def far(account: SystemAccount) -> Iterator[Path]:
    """A directory of the account's on the system."""
    folder = Path(tempfile.mkdtemp(prefix="centro-xfer-", dir="/tmp"))
    if os.geteuid() == 0:
        shutil.chown(folder, account.username)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def local_store(settings: Any, tmp_path: Path) -> None:
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"path": tmp_path / "staging"}


@pytest.fixture(params=sorted(WAYS))
def way(request: pytest.FixtureRequest, settings: Any, tmp_path: Path) -> str:
    """Store and route, each pair in turn."""
    name: str = request.param
    kind, route = WAYS[name]
    chosen: dict[str, Any] = {"kind": kind, "route": route}
    if kind == "local":
        chosen["path"] = tmp_path / "staging"
    else:
        store = request.getfixturevalue("lab").s3
        store.start()
        chosen |= {"endpoint": store.url, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | chosen
    return name


@pytest.fixture
def desk(person: User, account: SystemAccount) -> Desk:
    from tests.transfers.desk import Desk

    return Desk(person, account)
