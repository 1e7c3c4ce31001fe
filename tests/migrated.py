"""Databases with Centro's tables, copied from one that was migrated once.

The migrations take twelve seconds of processor time, and every portal that tests start has a database
of its own. The first to need one migrates it and keeps a dump in the lab's folder; whoever comes
later, in this process or in another one, reads the dump.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import subprocess
import sys
from pathlib import Path

from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[1]


def create(lab: Lab, name: str) -> None:
    """A database of the lab's MariaDB as `migrate` leaves it: tables, content types, no people.

    One of this name is replaced. LabError and CalledProcessError tell what could not be done.
    """
    dump = _dump(lab)
    lab.mariadb.sql(
        f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4;"
        f" USE {name};\n{dump}"
    )


def _dump(lab: Lab) -> str:
    """SQL that makes the tables, from the folder of the first lab of this run."""
    folders = os.environ.get("CENTRO_LAB_DIRS", "").split()
    folder = Path(folders[0]) if folders else lab.layout.root
    kept = folder / f"migrated-{_digest()}.sql"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            made = kept.with_suffix(".new")
            made.write_text(_migrated(lab), encoding="utf-8")
            made.rename(kept)
    return kept.read_text(encoding="utf-8")


def _digest() -> str:
    """Of all that decides what tables there are: our migrations, and the pins of the others'."""
    digest = hashlib.sha256((ROOT / "requirements" / "base.txt").read_bytes())
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _migrated(lab: Lab) -> str:
    name = f"centro_migrated_{secrets.token_hex(4)}"
    lab.mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity=0"],
            cwd=ROOT,
            env=os.environ
            | {"CENTRO_DATABASE_URL": f"{lab.mariadb.url.rpartition('/')[0]}/{name}"},
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=300,
        )
        return lab.mariadb.dump(name)
    finally:
        lab.mariadb.sql(f"DROP DATABASE {name}")
