"""The quick way to a small new content: over SFTP, where the case is plain."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import pytest

from hpc.client import SystemClient
from hpc.errors import FileForbidden, FileMissing, RemoteFileError
from hpc.files.tool import far_path
from hpc.transports.local import LocalTransport
from hpc.transports.pool import TransportPool
from hpc.transports.ssh import SSHTransport
from tests.hpc.far_files import HOSTILE, names, shell
from tests.hpc.servers import SshServer

pytestmark = pytest.mark.lab


@pytest.fixture
def far(ssh: SSHTransport) -> Iterator[str]:
    path = ssh.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    yield path
    ssh.run(["sh", "-c", 'chmod -R u+rwx "$1"; rm -r "$1"', "sh", path])


def test_new_and_existing_files(ssh: SSHTransport, far: str) -> None:
    for data in (b"", b"x", os.urandom(1_000_000), b"shorter\n"):
        assert ssh.replace(f"{far}/f", data)
        assert ssh.read(f"{far}/f") == data
    assert names(ssh, far) == ["f"]
    mask = int(shell(ssh, far, "umask"), 8)
    assert stat.S_IMODE(ssh.stat(f"{far}/f").mode) == 0o666 & ~mask
    for mode in (0o600, 0o751):
        ssh.run(["chmod", f"{mode:o}", f"{far}/f"])
        assert ssh.replace(f"{far}/f", b"new")
        assert stat.S_IMODE(ssh.stat(f"{far}/f").mode) == mode


def test_what_is_not_plain_is_left_alone(ssh: SSHTransport, far: str) -> None:
    shell(ssh, far, (
        "echo old > f; ln -s f link; ln -s no gone; mkfifo pipe; mkdir d; echo old > locked; chmod 400 locked"
    ))
    for name in ("link", "gone", "pipe", "d", "locked"):
        assert not ssh.replace(f"{far}/{name}", b"new")
    assert names(ssh, far) == ["d", "f", "gone", "link", "locked", "pipe"]
    assert ssh.read(f"{far}/f") == b"old\n"
    assert ssh.stat(f"{far}/link", follow=False).is_link


def test_what_is_refused_leaves_nothing(ssh: SSHTransport, far: str) -> None:
    shell(ssh, far, "echo old > f; mkdir shut; chmod 500 shut")
    for path, kind in (
        (f"{far}/no/x", FileMissing), (f"{far}/shut/x", FileForbidden), ("/etc/centro-x", FileForbidden),
        (f"{far}/f/x", RemoteFileError), (f"{far}/{'x' * 256}", RemoteFileError),
    ):
        with pytest.raises(kind):
            ssh.replace(path, b"new")
    assert names(ssh, far) == ["f", "shut"]
    assert ssh.stat("/tmp").is_dir


def test_a_client_takes_a_refusal_for_no(pool: TransportPool, ssh_server: SshServer, far: str) -> None:
    client = SystemClient.open(pool, ssh_server.spec())
    assert not client.replace(f"{far}/no/x", b"new")
    assert not client.replace("/etc/passwd", b"new")
    assert client.replace(f"{far}/f", b"new")


def test_hostile_names(ssh: SSHTransport, far: str) -> None:
    for number, name in enumerate(HOSTILE):
        folder = f"{far}/{number}"
        ssh.run(["mkdir", folder])
        for data in (b"one", b"two"):
            assert ssh.replace(f"{folder}/{name}", data), repr(name)
        assert names(ssh, folder) == [name]
        assert ssh.read(f"{folder}/{name}") == b"two"


def test_a_relative_path_starts_at_home(ssh: SSHTransport) -> None:
    name = f"centro-{os.urandom(6).hex()}"
    assert ssh.replace(far_path(name), b"at home")
    assert ssh.run(["sh", "-c", f"cd; cat {name}; rm {name}"]).stdout == b"at home"


def test_this_machine_has_no_quick_way() -> None:
    with LocalTransport() as here:
        assert not here.replace("/tmp/centro-never", b"x")
    assert not os.path.exists("/tmp/centro-never")
