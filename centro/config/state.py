"""The state directory: made before anything is started, readable by nobody else where it matters."""

from __future__ import annotations

import os
from pathlib import Path

from centro.config.derived import Config


def private_write(path: Path, text: str) -> None:
    """Write a file that only this user can read, from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)


def directory_fault(config: Config) -> str | None:
    """Create the state directory's parts, sockets where nobody else can enter.

    None if they are there, else a sentence: one cannot be made, or the run directory under the
    temporary directory belongs to somebody else.
    """
    try:
        config.var.mkdir(parents=True, exist_ok=True)
        for part in ("log", "static"):
            (config.var / part).mkdir(exist_ok=True)
        config.run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if config.run_dir.is_symlink() or config.run_dir.stat().st_uid != os.getuid():
            return f"{config.run_dir} belongs to somebody else; choose another state directory with CENTRO_VAR"
        config.run_dir.chmod(0o700)
        if not os.access(config.var, os.W_OK | os.X_OK):
            return f"{config.var} is not writable; choose another state directory with CENTRO_VAR"
    except OSError as error:
        return f"{error.filename}: {error.strerror}; choose another state directory with CENTRO_VAR"
    return None
