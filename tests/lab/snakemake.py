"""Snakemake for the lab's systems: from PyPI, in an environment of its own that is kept between labs.

It has some 50 packages and takes minutes to install; it is a tool of the system, no dependency of Centro.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

PINS = ("snakemake==9.27.1", "snakemake-executor-plugin-slurm==2.8.0")  # both MIT
PYTHON = "/usr/bin/python3"  # the lab's users cannot read every interpreter
_TIMEOUT = 900


def folder() -> Path:
    """Where the environment is kept, named by what is in it and by whom it was made."""
    kept = os.environ.get("CENTRO_LAB_TOOLS") or f"/var/tmp/centro-tools-{os.geteuid()}"
    return Path(kept) / "_".join(PINS).replace("==", "-")


def install() -> Path:
    """Install once; the path of the command. Several callers at a time wait for the first."""
    target = folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    command = target / "bin" / "snakemake"
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target / "complete").exists():
            shutil.rmtree(target, ignore_errors=True)
            subprocess.run([PYTHON, "-m", "venv", "--without-pip", str(target)], check=True)
            pip = [sys.executable, "-m", "uv", "pip", "install", "-q", "--compile-bytecode"]
            subprocess.run(
                [*pip, "--python", str(target / "bin" / "python"), *PINS],
                check=True,
                timeout=_TIMEOUT,
            )
            subprocess.run(["chmod", "-R", "a+rX", str(target)], check=True)
            (target / "complete").touch()
    return command
