"""Transports, systems and recordings for the tests of ``hpc``."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpc.client import SystemClient, SystemSpec
from hpc.transports.base import Transport
from hpc.transports.credentials import NoCredential
from hpc.transports.local import LocalTransport
from hpc.transports.pool import TransportPool
from hpc.transports.ssh import SSHTransport
from tests.hpc.servers import SshServer, account, sshd
from tests.lab.pbs import install


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    """The lab's server where a lab is up, else one of our own."""
    if os.environ.get("CENTRO_LAB_SSH_PORT"):
        yield SshServer(
            port=int(os.environ["CENTRO_LAB_SSH_PORT"]),
            host_key=os.environ["CENTRO_LAB_HOST_KEY"],
            key=Path(os.environ["CENTRO_LAB_SSH_KEY"]),
            username=account(),
        )
        return
    with sshd() as server:
        yield server


@pytest.fixture
def ssh(ssh_server: SshServer) -> Iterator[SSHTransport]:
    with SSHTransport(ssh_server.endpoint, ssh_server.credential) as transport:
        yield transport


@pytest.fixture(params=["local", pytest.param("ssh", marks=pytest.mark.lab)])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    """Each transport in turn."""
    if request.param == "ssh":
        yield request.getfixturevalue("ssh")
        return
    with LocalTransport() as local:
        yield local


@pytest.fixture
def far_dir(transport: Transport) -> Iterator[str]:
    """A directory on the system, made by the user who is logged in there."""
    path = transport.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    yield path
    if transport.is_usable:
        transport.run(["rm", "-rf", "--", path])


@pytest.fixture
def pool() -> Iterator[TransportPool]:
    pool = TransportPool()
    yield pool
    pool.close()


@pytest.fixture
def local_system(pool: TransportPool) -> Iterator[SystemClient]:
    """Plain processes with two slots and a spool directory of their own."""
    user = pwd.getpwuid(os.geteuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="centro-spool-", ignore_cleanup_errors=True) as folder:
        spec = SystemSpec(
            name="here", transport="local", scheduler="local", username=user,
            credential=NoCredential(user),
            scheduler_options={"spool": f"{folder}/spool", "slots": "2"},
        )
        client = SystemClient.open(pool, spec)
        yield client
        alive = [job.job_id for job in client.run(client.scheduler.active(user))
                 if not job.state.is_final]
        client.run(client.scheduler.cancel(alive))


@pytest.fixture
def pbs_bin() -> Iterator[Path]:
    """The directory of PBS's stand-in commands; files in ``state`` there make faults."""
    with tempfile.TemporaryDirectory(prefix="centro-pbs-", ignore_cleanup_errors=True) as folder:
        yield install(Path(folder))


@pytest.fixture
def pbs_system(
    pool: TransportPool, ssh_server: SshServer, pbs_bin: Path
) -> SystemClient:
    """A system with PBS's stand-in commands, over SSH."""
    options = {"bin_dir": str(pbs_bin)}
    return SystemClient.open(pool, ssh_server.spec("pbs", scheduler_options=options))
