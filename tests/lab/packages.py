"""Debian packages that the lab's servers and the tests need.

Uses the standard library only: it runs before the virtual environment exists, because building
mysqlclient needs some of these packages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.lab.errors import LabError

POLICY = Path("/usr/sbin/policy-rc.d")

SERVERS = (
    "munge",
    "slurmctld",
    "slurmd",
    "slurmdbd",
    "slurm-client",
    "slurm-wlm-basic-plugins",
    "slurm-wlm-mysql-plugin",
    "mariadb-server",
    "openssh-server",
    "openssh-client",
    "tcsh",
)
BUILD = ("build-essential", "pkg-config", "python3-dev", "libmariadb-dev", "python3-venv")
# command that must exist -> packages that bring it; another origin (NodeSource, say) is fine too
COMMANDS = {
    "chromium": ("chromium",),
    "node": ("nodejs",),
    "npm": ("npm",),
    "git": ("git",),
    "curl": ("curl",),
    "file": ("file",),  # these four stand for what a cluster has
    "unzip": ("unzip",),
    "bzip2": ("bzip2",),
    "pgrep": ("procps",),
    "wrk": ("wrk",),  # load for bench/web.py
}


def installed(names: tuple[str, ...]) -> set[str]:
    """Which of the named Debian packages are installed (empty where there is no dpkg)."""
    if shutil.which("dpkg-query") is None:
        return set()
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    pairs = (line.split(" ", 1) for line in answer.stdout.splitlines())
    return {pair[1] for pair in pairs if pair[0] == "installed"}


def missing_servers() -> list[str]:
    """Debian packages of the lab's servers that are not installed."""
    present = installed(SERVERS)
    return [name for name in SERVERS if name not in present]


def missing() -> list[str]:
    """Names of the Debian packages that are still to be installed, in a stable order."""
    wanted = SERVERS + BUILD
    present = installed(wanted)
    names = [name for name in wanted if name not in present]
    for command, packages in COMMANDS.items():
        if shutil.which(command) is None:
            names.extend(packages)
    return names


def install() -> list[str]:
    """Install what is missing and return its names; needs root.

    No service starts by itself: a `policy-rc.d` that answers 101 keeps the packages' scripts from
    starting them, and is removed afterwards if it was not there before.

    Raises LabError when not root, or when apt-get fails.
    """
    names = missing()
    if not names:
        return []
    if os.geteuid() != 0:
        raise LabError(
            "these Debian packages are missing and only root can install them: " + " ".join(names)
        )
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # another installation may be going on: wait for its lock instead of failing
    base = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600"]
    try:
        for arguments in (["update"], ["install", "--no-install-recommends", *names]):
            answer = subprocess.run(
                base + arguments,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            if answer.returncode != 0:
                sys.stderr.write(answer.stdout)
                raise LabError(f"apt-get {arguments[0]} failed (exit {answer.returncode})")
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)
    return names
