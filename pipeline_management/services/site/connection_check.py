"""Is a system usable as an account? Asked step by step, so that the answer names what is wrong and what to do.

What a run needs comes first and ends the check where it fails; what only helps (accounting, clocks, ways for
events and files) comes after and warns.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

from hpc.client import SystemClient
from hpc.errors import (
    AuthenticationFailed,
    ConnectFailed,
    HostKeyMismatch,
    HpcError,
    SchedulerError,
    SettingsUnusable,
)
from pipeline_management.choices import TransportKind
from pipeline_management.models import SystemAccount
from pipeline_management.services.clients import client_for, limits_of
from pipeline_management.services.resolution import work_directory
from pipeline_management.services.site.check_steps import Step, StepFailed, shell
from pipeline_management.services.site.extra_checks import extra_steps

_WRITE = (
    'umask 077; mkdir -p -- "$1" && cd -- "$1" && echo centro > ".centro-check.$$" && '
    'mv ".centro-check.$$" .centro-check && rm .centro-check'
)
_SPACE = "cd -- \"$1\" && df -Pk . | awk 'NR == 2 { print $4 }'"
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
_MISSING = 'for c in "$@"; do command -v "$c" >/dev/null 2>&1 || echo "$c"; done'
_COMMANDS = {
    "slurm": ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "sacct"),
    "pbs": ("qsub", "qstat", "qselect", "qdel"),
}
"""What each scheduler's adapter calls."""
_LEAST_KIB = 100 * 1024


def check_account(account: SystemAccount) -> Iterator[Step]:
    """The steps in order; the first that fails and is needed is the last."""
    system = account.system
    try:
        client = client_for(account)
    except SettingsUnusable as error:
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
        if step.outcome == "failed":
            return
    yield from extra_steps(system, client)


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
    place = f"{host}:{port}"
    try:
        connection = socket.create_connection((host, port), timeout)
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        yield Step("connect", False, f"{place}: {why}", "check port, firewall and whether sshd runs")
        return
    yield Step("connect", True, f"{place} takes connections")
    with connection:
        yield _banner(connection, place, timeout)


def _banner(connection: socket.socket, place: str, timeout: float) -> Step:
    """What listens there introduces itself first (RFC 4253, 4.2)."""
    connection.settimeout(timeout)
    try:
        banner = connection.recv(255).split(b"\n", 1)[0].strip()
    except OSError as error:
        advice = "something listens there and says nothing: check port, and whether sshd hangs"
        return Step("banner", False, f"{place}: {error.strerror or str(error)}", advice)
    text = banner.decode("ascii", "replace")
    if banner.startswith(b"SSH-2.0"):
        return Step("banner", True, f"{place} answers {text}")
    advice = "check port: what listens there is no SSH server"
    return Step("banner", False, f"{place} says {text or 'nothing'!r}", advice)


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
        return lambda: client.run(shell(script, directory))

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
            f"{directory} can be written",
            f"let {client.username} write in {directory}, or change workdir",
        ),
        (
            "space",
            lambda: _enough(client.run(shell(_SPACE, directory))),
            "{}",
            f"make room below {directory}: runs keep their configuration, script and output there",
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
            "commands",
            lambda: _commands(client),
            "{}",
            "check scheduler and scheduler_options.bin_dir: where the scheduler's commands are",
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


def _enough(text: str) -> str:
    """Raises where less than ``_LEAST_KIB`` is free."""
    free = int(text.strip() or 0)
    if free < _LEAST_KIB:
        raise StepFailed(f"only {free // 1024} MiB are free")
    return f"{free // 1024**2} GiB are free" if free >= 1024**2 else f"{free // 1024} MiB are free"


def _commands(client: SystemClient) -> str:
    """Raises with the names of those that are not there."""
    names = _COMMANDS.get(client.scheduler.name, ())
    wanted = [client.scheduler.executable(name) for name in names]
    text = client.run(shell(_MISSING, *wanted))
    missing = text.split()
    if missing:
        raise StepFailed(f"not there: {', '.join(missing)}")
    return f"{', '.join(names)} are there" if names else "none are needed"
