"""What each portal of the tests needs before it starts, made once and then copied.

The migrations take twelve seconds of processor time, static files fifteen, and every portal that tests
start has a database and a state folder of its own. The first to need them makes them and keeps a copy
in the lab's folder; whoever comes later, in this process or in another one, takes that.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
STATIC = "collected"
STAMP = "static.stamp"


def create(lab: Lab, name: str, environment: Mapping[str, str]) -> None:
    """A database of the lab's MariaDB as `migrate` leaves it: tables, content types, no people.

    ``environment`` is the portal's, with its secrets. A database of this name is replaced. LabError and
    CalledProcessError tell what could not be done.
    """
    dump = _dump(lab, environment)
    lab.mariadb.sql(
        f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name} CHARACTER SET utf8mb4;"
        f" USE {name};\n{dump}"
    )


def copy_static(lab: Lab, var: Path) -> None:
    """Static files for a portal's state folder, if any are kept; `prepare` finds out if they are old."""
    kept = _folder(lab) / STATIC
    with _alone(lab):
        if kept.exists():
            shutil.copytree(kept, var, copy_function=_link, dirs_exist_ok=True)


def keep_static(lab: Lab, var: Path) -> None:
    """Keep what `prepare` has collected in a portal's state folder, unless that is kept already."""
    kept = _folder(lab) / STATIC
    with _alone(lab):
        if (kept / STAMP).exists() and (kept / STAMP).read_bytes() == (var / STAMP).read_bytes():
            return
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(var / "static", kept / "static", copy_function=_link)
        shutil.copy(var / STAMP, kept)


def _link(source: str, target: str) -> None:
    """The same file where both folders are on one disk: `collectstatic` replaces, it never changes one."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _folder(lab: Lab) -> Path:
    """Of the first lab of this run, which outlives those that single tests start."""
    named = os.environ.get("CENTRO_LAB_DIRS") or os.environ.get("CENTRO_LAB_DIR", "")
    folders = [folder for folder in map(Path, named.split()[:1]) if folder.is_dir()]
    return folders[0] if folders else lab.layout.root


@contextlib.contextmanager
def _alone(lab: Lab) -> Iterator[None]:
    with (_folder(lab) / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _dump(lab: Lab, environment: Mapping[str, str]) -> str:
    """SQL that makes the tables."""
    kept = _folder(lab) / f"migrated-{_digest()}.sql"
    with _alone(lab):
        if not kept.exists():
            made = kept.with_suffix(".new")
            made.write_text(_migrated(lab, environment), encoding="utf-8")
            made.rename(kept)
    return kept.read_text(encoding="utf-8")


def _digest() -> str:
    """Of all that decides what tables there are: our migrations, and the pins of the others'."""
    digest = hashlib.sha256((ROOT / "requirements" / "base.txt").read_bytes())
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _migrated(lab: Lab, environment: Mapping[str, str]) -> str:
    name = f"centro_migrated_{secrets.token_hex(4)}"
    lab.mariadb.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
    try:
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--skip-checks", "--verbosity=0"],
            cwd=ROOT,
            env={
                **environment,
                "CENTRO_DATABASE_URL": f"{lab.mariadb.url.rpartition('/')[0]}/{name}",
            },
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=300,
        )
        return lab.mariadb.dump(name)
    finally:
        lab.mariadb.sql(f"DROP DATABASE {name}")
