"""Operations on files that may take hours, as job scripts: copy, move, sync, remove, pack, unpack.

The scripts print a line at their begin and end, and nothing to stderr when all is well: clients look there.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from hpc.files.archives import ArchiveKind, kind_of
from hpc.quoting import shell_words
from pipeline_management.models import SystemAccount
from pipeline_management.services.native_jobs import JobRequest

Operation = Literal["cp", "mv", "rsync", "rm", "compress", "extract"]
OPERATIONS: tuple[Operation, ...] = ("cp", "mv", "rsync", "rm", "compress", "extract")
DEFAULT_TIME = timedelta(hours=2)
SCRIPT = "sbatch-job.sh"

_TAR: dict[ArchiveKind, str] = {"tar": "-x", "tgz": "-xz", "gz": "-xz", "bz2": "-xj"}

_FRAME = """#!/bin/sh
# {title}
if [ -z "${{SLURM_JOB_ID:-}}${{PBS_JOBID:-}}" ]; then exec 2> "job-${{CENTRO_JOB_ID:-0}}.err"; fi
place=${{PBS_O_WORKDIR:-$PWD}}
printf 'Trace id: %s\\n' "${{place##*/}}"
printf 'Started {operation} at %s\\n' "$(date '+%Y-%m-%dT%H:%M:%S')"
cd "${{HOME:?}}" || exit 1
{command}
code=$?
printf 'Finished {operation} at %s with exit code %s\\n' "$(date '+%Y-%m-%dT%H:%M:%S')" "$code"
exit "$code"
"""

# Where there is no unzip, Python's own module does it. unzip takes wildcards in the name of an archive, so it is not
# told the name.
_UNZIP = """if command -v unzip > /dev/null; then
  unzip -q -o /dev/fd/3 -d {target} 3< {source} >&2
else
  python3 -m zipfile -e {source} {target}
fi"""


def request(
    operation: Operation,
    account: SystemAccount,
    *,
    target: str,
    source: str | None = None,
    name: str | None = None,
    walltime: timedelta = DEFAULT_TIME,
    after: str | None = None,
    charged: str | None = None,
    dereference: bool = False,
    extension: str = "auto",
) -> JobRequest:
    """The job of one operation. Paths are absolute or relative to the home; ``source`` only rm lacks.

    ``after`` is the id of a job that must end well before; ``charged`` the scheduler account. Raises
    ``UnsupportedArchive`` for an archive of unknown kind.
    """
    command = _command(operation, source or "", target, dereference, extension)
    title = f"{operation}, submitted by Centro"
    script = _FRAME.format(title=title, operation=operation, command=command)
    return JobRequest(
        file=SCRIPT,
        content=script.encode("utf-8", "surrogateescape"),
        account=charged,
        name=name or f"{operation}-job",
        queue=account.system.transfer_queue or None,
        walltime=walltime,
        tasks=1,
        after=after,
        stdout="job-%j.out",
        stderr="job-%j.err",
    )


def _command(
    operation: Operation, source: str, target: str, dereference: bool, extension: str
) -> str:
    near, far = _path(source), _path(target)
    if operation == "extract":
        return _extraction(source, near, far, extension)
    words: dict[Operation, Sequence[str]] = {
        "cp": ("cp", "--force", "-dR", "--preserve=all", "--", near, far),
        "mv": ("mv", "--force", "--", near, far),
        "rsync": ("rsync", "-av", "--", near, far),
        "rm": ("rm", "-rf", "--", far),
        "compress": (
            *("tar", "--force-local", "-c", "-z", *(("-h",) if dereference else ())),
            *("-f", far, "-C", posixpath.dirname(near.rstrip("/")) or "/"),
            *("--", posixpath.basename(near.rstrip("/"))),
        ),
    }
    return shell_words(words[operation])


def _extraction(source: str, near: str, far: str, extension: str) -> str:
    kind = kind_of(source, extension)
    if kind == "zip":
        return _UNZIP.format(source=shell_words([near]), target=shell_words([far]))
    words = ("tar", "--force-local", _TAR[kind], "--no-same-owner", "-f", near, "-C", far)
    return shell_words(words)


def _path(path: str) -> str:
    """A path that no program takes for an option, nor rsync for one on another host."""
    return path if path.startswith("/") or not path else f"./{path}"
