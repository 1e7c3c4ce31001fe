"""What goes wrong on the way to a system, on real servers of our own."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import paramiko
import pytest

from hpc.client import SystemClient
from hpc.commands import Command
from hpc.errors import (
    AuthenticationFailed,
    ChannelsBusy,
    CircuitOpen,
    CommandTimeout,
    ConnectFailed,
    ConnectionLost,
    HostKeyMismatch,
    NotSupported,
)
from hpc.transports import sftp
from hpc.transports.credentials import CertificateCredential, KeyCredential, NoCredential
from hpc.transports.pool import TransportPool
from hpc.transports.ssh import SSHTransport
from tests.hpc.servers import SshServer, free_port, new_key, sshd

pytestmark = pytest.mark.lab

ECHO = Command(argv=("echo", "here"), parse=lambda r: r.text, timeout=2.0, read_only=True)


@pytest.fixture
def server() -> Iterator[SshServer]:
    with sshd() as found:
        yield found


def test_the_fast_cipher_and_no_delay(server: SshServer) -> None:
    with SSHTransport(server.endpoint, server.credential) as transport:
        assert "gcm" in transport._ssh.remote_cipher


def test_a_server_that_freezes_under_a_command(server: SshServer, pool: TransportPool) -> None:
    client = SystemClient.open(pool, server.spec())
    assert client.run(ECHO) == "here\n"
    freeze = threading.Timer(0.5, server.signal_sessions, [signal.SIGSTOP])
    freeze.start()
    with pytest.raises(CommandTimeout):
        client.run(Command(argv=("sleep", "30"), parse=lambda r: r.exit_code, timeout=2.0))
    freeze.join()
    # the master is not frozen: a new connection works, the old one is not used again
    assert client.run(ECHO) == "here\n"
    assert pool.statistics().opened == 2
    assert pool.statistics().open_now == 1


def test_a_server_that_froze_between_commands(server: SshServer, pool: TransportPool) -> None:
    client = SystemClient.open(pool, server.spec())
    client.run(ECHO)
    server.signal_sessions(signal.SIGSTOP)
    # not even a channel opens, so nothing ran, and a new connection is harmless for any command
    once = Command(argv=("echo", "once"), parse=lambda r: r.text, timeout=2.0)
    assert client.run(once) == "once\n"
    assert pool.statistics().opened == 2


def test_a_server_that_freezes_under_a_large_input(server: SshServer) -> None:
    with SSHTransport(server.endpoint, server.credential) as transport:
        freeze = threading.Timer(0.5, server.signal_sessions, [signal.SIGSTOP])
        freeze.start()
        with pytest.raises(CommandTimeout):  # all buffers on the way fill up
            transport.run(["sh", "-c", "sleep 2; cat"], stdin=b"x" * 50_000_000, timeout=4)
        freeze.join()
        assert not transport.is_usable


def test_a_frozen_server_ends_file_operations(
    server: SshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sftp, "FILE_TIMEOUT", 1.0)
    with SSHTransport(server.endpoint, server.credential) as transport:
        transport.stat("/tmp")
        server.signal_sessions(signal.SIGSTOP)
        with pytest.raises((CommandTimeout, ConnectionLost)):
            transport.stat("/tmp")
        assert not transport.is_usable


def test_a_slow_command_does_not_end_the_others(server: SshServer) -> None:
    with SSHTransport(server.endpoint, server.credential) as transport, ThreadPoolExecutor(2) as threads:
        other = threads.submit(transport.run, ["sh", "-c", "sleep 3; echo done"], timeout=30)
        with pytest.raises(CommandTimeout):
            transport.run(["sleep", "30"], timeout=1)
        assert not transport.is_usable  # no new work for it
        assert other.result().text == "done\n"


def test_a_cut_connection_is_told_from_a_failed_command(
    server: SshServer, pool: TransportPool
) -> None:
    client = SystemClient.open(pool, server.spec())
    client.run(ECHO)
    cut = threading.Timer(0.5, server.signal_sessions, [signal.SIGKILL])
    cut.start()
    with pytest.raises(ConnectionLost):
        client.run(Command(argv=("sleep", "20"), parse=lambda r: r.exit_code))
    cut.join()
    assert client.run(ECHO) == "here\n"


def test_what_only_reads_is_tried_once_more(server: SshServer, pool: TransportPool) -> None:
    client = SystemClient.open(pool, server.spec())
    folder = client.run(Command(("mktemp", "-d"), lambda r: r.text.strip()))
    script = f'echo x >> {folder}/ran; [ "$(wc -l < {folder}/ran)" -gt 1 ] || sleep 20; echo second'
    cut = threading.Timer(1.0, server.signal_sessions, [signal.SIGKILL])
    cut.start()
    again = Command(argv=("sh", "-c", script), parse=lambda r: r.text, read_only=True)
    assert client.run(again) == "second\n"
    cut.join()
    assert client.read(f"{folder}/ran") == b"x\nx\n"


def test_a_connection_that_died_while_idle_is_replaced(
    server: SshServer, pool: TransportPool
) -> None:
    client = SystemClient.open(pool, server.spec())
    client.run(ECHO)
    server.signal_sessions(signal.SIGKILL)
    once = Command(argv=("echo", "once"), parse=lambda r: r.text)
    assert client.run(once) == "once\n"


@pytest.mark.parametrize("stdin", [None, b"", b"unread"])
def test_an_end_of_input_that_is_late(
    server: SshServer, stdin: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that arrives after the session has closed would make sshd drop the whole connection."""
    send = paramiko.Transport._send_user_message

    def delayed(self: paramiko.Transport, message: paramiko.Message) -> None:
        if message.asbytes()[0] == paramiko.common.MSG_CHANNEL_EOF:
            time.sleep(0.3)
        send(self, message)

    monkeypatch.setattr(paramiko.Transport, "_send_user_message", delayed)
    with SSHTransport(server.endpoint, server.credential) as transport:
        assert transport.run(["sh", "-c", "exit 3"], stdin=stdin).exit_code == 3
        time.sleep(0.5)
        assert transport.run(["true"]).exit_code == 0


def test_more_threads_than_sessions() -> None:
    with sshd(MaxSessions="3") as server, SSHTransport(server.endpoint, server.credential) as transport:

        def work(number: int) -> str:
            return transport.run(["sh", "-c", f"sleep 0.05; echo {number}"]).text

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(work, range(40))) == [f"{n}\n" for n in range(40)]


def test_kept_file_channels_make_room_for_commands() -> None:
    with sshd(MaxSessions="2") as server, SSHTransport(server.endpoint, server.credential) as transport:

        def look(_: int) -> bool:
            return transport.stat("/tmp").is_dir

        for _ in range(3):
            with ThreadPoolExecutor(3) as threads:
                assert all(threads.map(look, range(20)))
                assert all(threads.map(lambda n: transport.run(["true"]).exit_code == 0, range(20)))


def test_a_server_without_free_sessions_is_told_from_a_broken_one() -> None:
    with sshd(MaxSessions="1") as server, SSHTransport(server.endpoint, server.credential) as transport:
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(transport.run, ["sleep", "4"])
            time.sleep(0.5)
            with pytest.raises(ChannelsBusy):
                transport.run(["true"])
            assert running.result().exit_code == 0
        assert transport.is_usable


def test_a_host_key_that_is_not_pinned(server: SshServer, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other").with_suffix(".pub").read_text()
    endpoint = replace(server.endpoint, host_keys=(other,))
    with pytest.raises(HostKeyMismatch) as caught:
        SSHTransport(endpoint, server.credential)
    text = str(caught.value)
    assert "SHA256:" in text and "host_keys" in text
    log = (server.folder / "log").read_text()
    assert "Accepted" not in log  # nothing was sent, not even the user's key


def test_one_of_several_pinned_keys_is_enough(server: SshServer, tmp_path: Path) -> None:
    other = new_key(tmp_path / "other").with_suffix(".pub").read_text()
    endpoint = replace(server.endpoint, host_keys=(other, server.host_key))
    with SSHTransport(endpoint, server.credential) as transport:
        assert transport.run(["true"]).exit_code == 0


def test_a_refused_key(server: SshServer, tmp_path: Path) -> None:
    credential = KeyCredential(server.username, new_key(tmp_path / "k").read_text())
    with pytest.raises(AuthenticationFailed, match="authorized_keys"):
        SSHTransport(server.endpoint, credential)


def test_a_refused_key_is_not_offered_again_and_again(
    server: SshServer, pool: TransportPool, tmp_path: Path
) -> None:
    credential = KeyCredential(server.username, new_key(tmp_path / "k").read_text())
    client = SystemClient.open(pool, replace(server.spec(), credential=credential))
    for _ in range(4):
        with pytest.raises(AuthenticationFailed):
            client.run(ECHO)
    said = "Connection closed by authenticating user"
    until = time.monotonic() + 20
    while said not in (server.folder / "log").read_text() and time.monotonic() < until:
        time.sleep(0.05)
    assert (server.folder / "log").read_text().count(said) == 1
    assert SystemClient.open(pool, server.spec()).run(ECHO) == "here\n"  # others go on


def test_no_server_at_all_opens_the_circuit(server: SshServer, pool: TransportPool) -> None:
    client = SystemClient.open(pool, replace(server.spec(), port=free_port()))
    errors = []
    for _ in range(4):
        with pytest.raises(ConnectFailed) as caught:
            client.run(ECHO)
        errors.append(type(caught.value))
    assert errors == [ConnectFailed, ConnectFailed, ConnectFailed, CircuitOpen]


def test_a_server_that_never_speaks(pool: TransportPool, server: SshServer) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        endpoint = replace(server.endpoint, port=silent.getsockname()[1])
        # the library's own wait for the banner ends at the same time as ours
        with pytest.raises(ConnectFailed, match=r"no answer within 1 s|SSH protocol banner"):
            SSHTransport(endpoint, server.credential, timeout=1.0)


def test_a_noisy_login_shell_corrupts_nothing() -> None:
    noise = (
        "head -c 1000000 /dev/zero | tr '\\0' '@'; printf '\\n@%s begin\\n' "
        "0123456789abcdef0123456789abcdef; echo job 1 COMPLETED; printf 'no newline'; "
        "printf 'warning' >&2; printf '\\n@%s end 0 ok\\n' 0123456789abcdef0123456789abcdef\n"
        "trap 'echo goodbye; echo goodbye >&2' EXIT\n"
    )
    with sshd() as quiet:
        folder = quiet.folder
        (folder / "noise").write_text(noise)
        (folder / "noise").chmod(0o644)
        with sshd(SetEnv=f"BASH_ENV={folder}/noise") as server, SSHTransport(
            server.endpoint, server.credential
        ) as transport:
            for _ in range(3):
                result = transport.run(["sh", "-c", "cat; printf err >&2; exit 4"], stdin=b"data\n")
                assert (result.exit_code, result.stdout, result.stderr) == (4, b"data\n", b"err")


def test_a_login_shell_that_ends_early() -> None:
    with sshd(ForceCommand="echo This account is closed.") as server, SSHTransport(
        server.endpoint, server.credential
    ) as transport, pytest.raises(ConnectionLost, match="login shell"):
        transport.run(["true"])


def test_no_file_subsystem() -> None:
    with sshd(Subsystem="other internal-sftp") as server, SSHTransport(
        server.endpoint, server.credential
    ) as transport:
        with pytest.raises(NotSupported, match="SFTP"):
            transport.stat("/tmp")
        assert transport.run(["true"]).exit_code == 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_log_in_by_a_certificate(kind: str, tmp_path: Path) -> None:
    import subprocess

    authority = tmp_path / "ca"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(authority)], check=True)
    with sshd() as keys:
        trusted = keys.folder / "ca.pub"
        trusted.write_text(authority.with_suffix(".pub").read_text())
        trusted.chmod(0o644)
        with sshd(TrustedUserCAKeys=str(trusted), AuthorizedKeysFile="none") as server:
            credential = CertificateCredential(server.username, authority.read_text())
            with SSHTransport(server.endpoint, credential) as transport:
                assert transport.run(["id", "-un"]).text.strip() == server.username
            assert f"centro:{server.username}" in (server.folder / "log").read_text()
            expired = replace(credential, ttl=timedelta(seconds=-30))
            with pytest.raises(AuthenticationFailed):
                SSHTransport(server.endpoint, expired)
            foreign = replace(credential, ca_private_key=new_key(tmp_path / "x").read_text())
            with pytest.raises(AuthenticationFailed):
                SSHTransport(server.endpoint, foreign)


def test_without_a_key_nobody_is_asked(server: SshServer) -> None:
    with pytest.raises(AuthenticationFailed, match="key or certificate"):
        SSHTransport(server.endpoint, NoCredential(server.username))


def test_a_forked_child_leaves_the_parents_connection_alone(
    server: SshServer, pool: TransportPool
) -> None:
    client = SystemClient.open(pool, server.spec())
    client.run(ECHO)
    child = os.fork()
    if child == 0:  # only os._exit from here on: pytest must not run twice
        code = 1
        try:
            code = 0 if client.run(ECHO) == "here\n" and pool.statistics().opened == 1 else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert client.run(ECHO) == "here\n"
    assert pool.statistics().opened == 1


def test_thirty_two_clients_of_a_stock_server(server: SshServer, pool: TransportPool) -> None:
    client = SystemClient.open(pool, server.spec())

    def work(number: int) -> bool:
        if number % 3 == 0:
            return client.stat("/tmp").is_dir
        return client.run(Command(("echo", str(number)), lambda r: r.text)) == f"{number}\n"

    with ThreadPoolExecutor(32) as threads:
        assert all(threads.map(work, range(300)))
    assert pool.statistics().opened <= 2
