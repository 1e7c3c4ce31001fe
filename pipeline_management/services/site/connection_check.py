"""Is a system usable as an account? Asked step by step, so that the answer names what is wrong and what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hpc.client import SystemClient
from hpc.commands import Command, CommandResult
from hpc.errors import (
    AuthenticationFailed,
    ConnectFailed,
    HostKeyMismatch,
    HpcError,
    SchedulerError,
)
from pipeline_management.choices import TransportKind
from pipeline_management.models import SystemAccount
from pipeline_management.services.clients import client_for, limits_of
from pipeline_management.services.resolution import work_directory

_WRITE = (
    'umask 077; mkdir -p -- "$1" && cd -- "$1" && echo centro > ".centro-check.$$" && '
    "mv \".centro-check.$$\" .centro-check && rm .centro-check && df -Pk . | awk 'NR == 2 { print $4 }'"
)
# A second, independent opening of the file must not get the lock while the first one holds it.
_LOCK = (
    'cd -- "$1" || exit 2; command -v flock >/dev/null || { echo "there is no flock command" >&2; exit 3; }; '
    'exec 9> .centro-check.lock; flock -n 9 || { echo "the lock cannot be taken" >&2; exit 4; }; '
    "if (exec 8> .centro-check.lock; flock -n 8); then rc=5; else rc=0; fi; "
    'rm -f .centro-check.lock; [ $rc = 0 ] || echo "two processes got the same lock" >&2; exit $rc'
)
_LINK = (
    'cd -- "$1" || exit 2; l=".centro-check.link"; rm -f "$l"; ln -s first "$l" || exit 3; '
    'if ln -s second "$l" 2>/dev/null; then rc=4; echo "a second link took the name" >&2; else rc=0; fi; '
    '[ "$(readlink "$l")" = first ] || rc=5; rm -f "$l"; exit $rc'
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what was found, and where it failed what to do about it."""

    name: str
    ok: bool
    found: str
    advice: str = ""


class _Failed(HpcError):
    """A command of ours ended with an error; the text is its own."""


def check_account(account: SystemAccount) -> Iterator[Step]:
    """The steps in order; the first that fails is the last."""
    system = account.system
    try:
        client = client_for(account)
    except ValueError as error:
        yield Step("settings", False, str(error), "mend the system or the account in the site file")
        return
    if system.transport == TransportKind.SSH:
        for step in _reach(system.host, system.port, limits_of(system).command_timeout):
            yield step
            if not step.ok:
                return
        for step in _log_in(client):
            yield step
            if not step.ok:
                return
    for step in _use(client, work_directory(system, account)):
        yield step
        if not step.ok:
            return


def _reach(host: str, port: int, timeout: float) -> Iterator[Step]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Step(
            "resolve", False, f"{host}: {error.strerror}", "check host and this machine's DNS"
        )
        return
    addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
    yield Step("resolve", True, f"{host} is {addresses}")
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.settimeout(timeout)
            banner = connection.recv(255).split(b"\n", 1)[0].strip()
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        yield Step(
            "connect", False, f"{host}:{port}: {why}", "check port, firewall and whether sshd runs"
        )
        return
    text = banner.decode("ascii", "replace")
    if banner.startswith(b"SSH-2.0"):
        yield Step("connect", True, f"{host}:{port} answers {text}")
    else:
        advice = "check port: what listens there is no SSH server"
        yield Step("connect", False, f"{host}:{port} says {text or 'nothing'!r}", advice)


def _log_in(client: SystemClient) -> Iterator[Step]:
    try:
        client.connect()
    except HostKeyMismatch as error:
        yield Step(
            "host key", False, str(error), "compare it with the system's published fingerprint"
        )
        return
    except AuthenticationFailed as error:
        yield Step("host key", True, "is one of those pinned")
        advice = (
            f"put the credential's public key into authorized_keys of {client.username}, or let the "
            "system trust the certificate authority"
        )
        yield Step("authenticate", False, str(error), advice)
        return
    except ConnectFailed as error:
        yield Step("host key", False, str(error), "see the server's log")
        return
    yield Step("host key", True, "is one of those pinned")
    yield Step("authenticate", True, f"logged in as {client.username}")


def _use(client: SystemClient, directory: str) -> Iterator[Step]:
    def scripted(script: str) -> Callable[[], str]:
        return lambda: client.run(_shell(script, directory))

    def listing() -> str:
        jobs = client.run(client.scheduler.active(client.username))
        return f"{len(jobs)} jobs of {client.username} in the queue"

    steps: tuple[tuple[str, Callable[[], str], str, str], ...] = (
        (
            "shell",
            scripted('printf "%s on %s" "$(id -un)" "$(uname -sn)"'),
            "{}",
            "make sure that the account's login shell starts /bin/sh and does not end by itself",
        ),
        (
            "workdir",
            scripted(_WRITE),
            f"{directory} can be written, {{}} KiB free",
            f"let {client.username} write in {directory}, or change workdir",
        ),
        (
            "lock",
            scripted(_LOCK),
            "flock excludes a second process",
            "install util-linux; mount the filesystem with locks (Lustre: -o flock, NFS: version 4)",
        ),
        (
            "link",
            scripted(_LINK),
            "a symbolic link is made once only",
            "choose a workdir on a filesystem with POSIX semantics",
        ),
        (
            "scheduler",
            lambda: client.run(client.scheduler.ping()),
            "{}",
            "check scheduler and scheduler_options.bin_dir, and that the controller runs",
        ),
        ("listing", listing, "{}", f"let {client.username} use the scheduler"),
    )
    for name, ask, sentence, advice in steps:
        try:
            yield Step(name, True, sentence.format(ask().strip()))
        except SchedulerError as error:
            yield Step(name, False, error.text, advice)
            return
        except (HpcError, ValueError) as error:
            yield Step(name, False, str(error), advice)
            return


def _shell(script: str, directory: str) -> Command[str]:
    def parse(result: CommandResult) -> str:
        if result.exit_code != 0:
            raise _Failed(result.error_text or f"ended with exit code {result.exit_code}")
        return result.text

    argv = ("/bin/sh", "-c", script, "centro-check", directory)
    return Command(argv=argv, parse=parse, timeout=30.0)
