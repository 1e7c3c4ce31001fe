"""Shells that are kept for many commands: no command may feel another, and none may be lost."""

from __future__ import annotations

import os
import random
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from paramiko.pipe import PosixPipe

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.errors import CommandTimeout, ConnectionLost, OutputTooLarge
from hpc.files.listing import listing
from hpc.files.status import status
from hpc.transports.kept import IDLE_SHELLS
from hpc.transports.pool import TransportPool
from hpc.transports.ssh import SSHTransport
from tests.hpc.servers import SshServer, sshd

pytestmark = pytest.mark.lab


def kept(*argv: str, **more: object) -> Command[CommandResult]:
    return Command(argv, lambda result: result, kept=True, read_only=True, **more)  # type: ignore[arg-type]


def sh(text: str, **more: object) -> Command[CommandResult]:
    return kept("sh", "-c", text, **more)


@pytest.fixture
def opened(ssh: SSHTransport, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Grows by one for every session that is opened."""
    found: list[float] = []
    really = ssh._open_channel

    def count(deadline: float) -> object:
        found.append(deadline)
        return really(deadline)

    monkeypatch.setattr(ssh, "_open_channel", count)
    return found


@pytest.fixture
def far(ssh: SSHTransport) -> Iterator[str]:
    path = ssh.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    yield path
    ssh.run(["rm", "-r", path])


def test_one_session_serves_many_commands(ssh: SSHTransport, opened: list[float]) -> None:
    for number in range(20):
        result = ssh.execute(sh(f"echo out {number}; echo err >&2; exit {number}"))
        assert (result.stdout, result.stderr) == (f"out {number}\n".encode(), b"err\n")
        assert result.exit_code == number
    assert len(opened) == 1
    assert ssh.run(["echo", "plain"]).stdout == b"plain\n"
    assert len(opened) == 2


def test_commands_leave_no_trace_in_the_shell(ssh: SSHTransport, opened: list[float]) -> None:
    home = ssh.execute(sh("pwd; umask")).stdout
    ssh.execute(kept("pwd", cwd="/usr", env=(("LEAK", "1"), ("LC_ALL", "C"), ("IFS", "x"), ("PATH", "/bin:/usr/bin"))))
    ssh.execute(sh("umask 000; cd /; trap 'echo trapped' EXIT; _centro=x; exec 1>&2; set -e"))
    ssh.execute(kept("exit", "3"))
    result = ssh.execute(sh("pwd; umask"))
    assert (result.stdout, result.stderr) == (home, b"")
    assert b"LEAK" not in ssh.execute(kept("env")).stdout
    assert len(opened) == 1


def test_a_working_directory_that_cannot_be_entered(ssh: SSHTransport, opened: list[float]) -> None:
    for _ in range(2):
        with pytest.raises(Exception, match="no such file"):
            ssh.execute(kept("pwd", cwd="/no/such"))
        assert ssh.execute(kept("echo", "still")).stdout == b"still\n"
    assert len(opened) == 1


@pytest.mark.parametrize("word", ["a\nb", "x" * 5000, "'\"$(id)`id`\\", "é\udcff", "\n" * 3000, "exit 9", ")", "# no"])
def test_words_arrive_as_they_are(ssh: SSHTransport, opened: list[float], word: str) -> None:
    wire = word.encode("utf-8", "surrogateescape")
    for _ in range(3):
        assert ssh.execute(kept("printf", "%s", word)).stdout == wire
    assert len(opened) == 1


def test_megabytes_between_small_answers(ssh: SSHTransport, opened: list[float]) -> None:
    for size in (0, 1, 3_000_000, 0, 65_536, 1):
        result = ssh.execute(sh(f"head -c {size} /dev/zero; head -c {size} /dev/zero >&2"))
        assert (len(result.stdout), len(result.stderr)) == (size, size)
    assert len(opened) == 1


def test_a_command_without_input_reads_the_end_at_once(ssh: SSHTransport, opened: list[float]) -> None:
    """Were it the shell's own input, it would swallow the next command."""
    assert ssh.execute(kept("cat")).stdout == b""
    assert ssh.execute(sh("cat; read x; echo $?")).stdout == b"1\n"
    assert ssh.execute(kept("echo", "on")).stdout == b"on\n"
    assert len(opened) == 1


def test_input_goes_to_a_session_of_its_own(ssh: SSHTransport, opened: list[float]) -> None:
    ssh.execute(kept("true"))
    assert ssh.execute(kept("cat", stdin=b"data")).stdout == b"data"
    assert ssh.pipe(sh("cat >/dev/null; echo done"), source=iter([b"a", b"b"])).stdout == b"done\n"
    assert len(opened) == 3


def test_a_shell_whose_command_took_too_long_is_not_used_again(ssh_server: SshServer) -> None:
    with SSHTransport(ssh_server.endpoint, ssh_server.credential) as transport:
        transport.execute(kept("true"))
        with pytest.raises(CommandTimeout):
            transport.execute(sh("sleep 1.5; echo late", timeout=0.5))
        assert not transport.is_usable
        time.sleep(1.5)
        assert transport.execute(kept("echo", "next")).stdout == b"next\n"


def test_a_shell_whose_answer_was_too_large_is_not_used_again(ssh: SSHTransport, opened: list[float]) -> None:
    with pytest.raises(OutputTooLarge):
        ssh.execute(kept("head", "-c", "3000000", "/dev/zero", max_output=1000))
    assert ssh.execute(kept("echo", "next")).stdout == b"next\n"
    assert len(opened) == 2


def test_a_session_is_closed_while_the_far_side_still_sends(
    ssh: SSHTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paramiko's own thread must find nothing to write to that was just closed: here that moment is long."""

    def slowly(pipe: PosixPipe) -> None:
        os.close(pipe._rfd)
        os.close(pipe._wfd)
        time.sleep(0.3)
        pipe._closed = True

    monkeypatch.setattr(PosixPipe, "close", slowly)
    for _ in range(3):
        with pytest.raises(OutputTooLarge):
            ssh.execute(kept("head", "-c", "3000000", "/dev/zero", max_output=1000))
        assert ssh.execute(kept("echo", "next")).stdout == b"next\n"


def test_a_sink_that_fails_spoils_only_its_own_shell(ssh: SSHTransport, opened: list[float]) -> None:
    def sink(_: bytes) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        ssh.pipe(kept("head", "-c", "300000", "/dev/zero"), sink=sink)
    assert ssh.execute(kept("echo", "next")).stdout == b"next\n"
    assert len(opened) == 2


def test_a_shell_that_was_killed_while_idle_is_replaced(ssh: SSHTransport, opened: list[float]) -> None:
    pid = ssh.execute(sh("cut -d' ' -f4 /proc/$PPID/stat")).text.strip()
    assert ssh.run(["kill", "-9", pid]).exit_code == 0
    time.sleep(0.3)
    assert ssh.execute(kept("echo", "next")).stdout == b"next\n"
    assert ssh.is_usable
    assert len(opened) == 3


def test_a_shell_that_dies_under_a_command_is_an_unknown_outcome(ssh: SSHTransport) -> None:
    ssh.execute(kept("true"))
    began = time.monotonic()
    with pytest.raises(ConnectionLost):
        ssh.execute(sh("echo begun; kill -9 $PPID", timeout=20.0))
    assert time.monotonic() - began < 10


def test_a_dead_shell_costs_a_reader_nothing(pool: TransportPool, ssh_server: SshServer, far: str) -> None:
    client = SystemClient.open(pool, ssh_server.spec())
    once = f"if mkdir {far}/once 2>/dev/null; then kill -9 $PPID; else echo again; fi"
    assert client.run(sh(once)).text == "again\n"  # on a new connection


def test_threads_never_get_each_others_answers(ssh: SSHTransport, opened: list[float]) -> None:
    wrong: list[object] = []

    def work(seed: int) -> None:
        choose = random.Random(seed)  # noqa: S311 - not a secret
        for _ in range(25):
            token, size = secrets.token_hex(8), choose.choice([0, 10, 70_000])
            command = sh(f"echo {token}; head -c {size} /dev/zero; exit {seed}")
            result = ssh.execute(command) if choose.random() < 0.8 else ssh.run(command.argv)
            if (result.stdout, result.exit_code) != (f"{token}\n".encode() + bytes(size), seed):
                wrong.append((seed, result))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert ssh.is_usable


@pytest.fixture
def narrow() -> Iterator[SshServer]:
    """A server that allows two sessions on a connection."""
    with sshd(MaxSessions="2") as server:
        yield server


def test_kept_shells_make_room(narrow: SshServer) -> None:
    with SSHTransport(narrow.endpoint, narrow.credential) as transport:
        barrier = threading.Barrier(2)

        def hold() -> None:
            barrier.wait()
            transport.execute(sh("sleep 0.3"))

        threads = [threading.Thread(target=hold) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(5):  # both sessions are kept shells now
            assert transport.run(["echo", str(number)]).text == f"{number}\n"
            assert transport.stat("/tmp").is_dir
            assert transport.execute(kept("echo", "kept")).text == "kept\n"


def test_no_more_sessions_than_a_stock_server_allows(ssh_server: SshServer) -> None:
    assert IDLE_SHELLS + 4 + 3 <= 10
    with SSHTransport(ssh_server.endpoint, ssh_server.credential) as transport:
        errors: list[BaseException] = []

        def work(seed: int) -> None:
            choose = random.Random(seed)  # noqa: S311 - not a secret
            try:
                for _ in range(30):
                    action = choose.choice([
                        lambda: transport.execute(kept("true")), lambda: transport.run(["true"]),
                        lambda: transport.stat("/tmp"), lambda: transport.execute(status("/tmp")),
                    ])
                    action()
            except BaseException as error:  # noqa: BLE001 - shown by the assertion
                errors.append(error)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []


def test_a_login_shell_that_is_none_of_ours(lab: object) -> None:
    """test3's is tcsh, whose quoting rules differ."""
    users = os.environ["CENTRO_LAB_USERS"].split()
    if "test3" not in users:
        pytest.fail("the lab has no user test3")
    server = SshServer(
        port=int(os.environ["CENTRO_LAB_SSH_PORT"]), host_key=os.environ["CENTRO_LAB_HOST_KEY"],
        key=Path(os.environ["CENTRO_LAB_SSH_KEY"]), username="test3",
    )
    with SSHTransport(server.endpoint, server.credential) as transport:
        for _ in range(3):
            assert transport.execute(kept("printf", "%s", "a!b'c\nd")).stdout == b"a!b'c\nd"
            assert transport.execute(status("/tmp")).nlink > 0


def test_a_frozen_server_is_noticed(pool: TransportPool) -> None:
    with sshd() as server:
        client = SystemClient.open(pool, server.spec())
        client.run(kept("true"))
        server.signal_sessions(signal.SIGSTOP)
        with pytest.raises(CommandTimeout):
            client.run(kept("true", timeout=1.0))
        assert client.run(kept("echo", "new")).text == "new\n"
        assert pool.statistics().opened == 2


def test_file_commands_that_only_look_use_them(ssh: SSHTransport, opened: list[float]) -> None:
    for _ in range(5):
        ssh.execute(status("/tmp"))
        ssh.execute(listing("/etc", recursive=False))
    assert len(opened) == 1
