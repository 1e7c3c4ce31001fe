"""What services see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hpc.client import SystemClient, SystemSpec
from hpc.commands import Command
from hpc.errors import FileMissing
from hpc.jobs import SystemLimits
from hpc.transports.credentials import KeyCredential, NoCredential
from hpc.transports.pool import TransportPool

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINWh73JdX6D6UH1LH3Y5WvkPGzvwpN7Ww8NFh7wmaA9i"
SPEC = SystemSpec(
    name="cluster", transport="ssh", scheduler="slurm", username="alice",
    credential=KeyCredential("alice", "key"), host="login.example", host_keys=(HOST_KEY,),
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transport": "telnet"}, "transport is 'telnet', expected local or ssh"),
        ({"username": ""}, "username"),
        ({"username": "-x"}, "username"),
        ({"username": "a,b"}, "username"),
        ({"host": ""}, "host is ''"),
        ({"host": "a b"}, "host is 'a b'"),
        ({"port": 0}, "port is 0"),
        ({"port": 65536}, "port is 65536"),
        ({"host_keys": ()}, "host_keys is empty"),
        ({"host_keys": ("ssh-ed25519 ???",)}, "host_keys: .*base64"),
        ({"credential": NoCredential("alice")}, "credential is missing"),
        ({"credential": KeyCredential("bob", "key")}, "'bob'"),
        ({"limits": SystemLimits(max_connections=0)}, "max_connections"),
        ({"limits": SystemLimits(window_mib=64)}, "window_mib"),
        ({"scheduler": "lsf"}, "known are local, pbs, slurm"),
        ({"scheduler_options": {"bindir": "/x"}}, "bindir"),
    ],
)
def test_a_wrong_setting_is_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        SystemClient.open(TransportPool(), replace(SPEC, **change))
    assert "system 'cluster': " in str(caught.value)


def test_opening_connects_to_nothing() -> None:
    pool = TransportPool()
    client = SystemClient.open(pool, SPEC)
    assert (client.username, client.scheduler.name) == ("alice", "slurm")
    assert pool.statistics().opened == 0


def here(pool: TransportPool, **options: str) -> SystemClient:
    return SystemClient.open(pool, SystemSpec(
        name="here", transport="local", scheduler="slurm", username="somebody",
        credential=NoCredential("somebody"), scheduler_options=options,
    ))


ENV = Command(("sh", "-c", 'echo "${CENTRO_USER-unset} ${CENTRO_BIN-unset}"'), lambda r: r.text.strip())


def test_every_command_knows_the_user_and_the_bin_dir(pool: TransportPool) -> None:
    assert here(pool).run(ENV) == "somebody unset"
    assert here(pool, bin_dir="/opt/slurm/bin/").run(ENV) == "somebody /opt/slurm/bin"
    own = replace(ENV, env=(("CENTRO_USER", "other"),))
    assert here(pool).run(own) == "other unset"


def test_files(pool: TransportPool, tmp_path: Path) -> None:
    client = here(pool)
    client.write(f"{tmp_path}/f", b"abc")
    assert client.read(f"{tmp_path}/f", 1, 1) == b"b"
    assert client.stat(f"{tmp_path}/f").size == 3
    assert client.get(f"{tmp_path}/f", tmp_path / "g") == 3
    assert client.put(tmp_path / "g", f"{tmp_path}/h") == 3
    assert [entry.name for entry in client.listdir(str(tmp_path))] == ["f", "g", "h"]
    client.remove(f"{tmp_path}/f")
    with pytest.raises(FileMissing):
        client.stat(f"{tmp_path}/f")
    assert pool.statistics().opened == 1
