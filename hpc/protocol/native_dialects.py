"""What is special to each scheduler about job scripts as their owners wrote them.

The shell functions: ``centro_tagged TAG DIRECTORY FILE SINCE`` prints the ids of the jobs that one submission
made, exit 0 only after a complete answer; ``centro_details ID`` prints what ``read`` understands.
"""

from __future__ import annotations

import posixpath
import re

from hpc.errors import NotSupported
from hpc.protocol import native_pbs
from hpc.protocol.native_details import Details, Dialect
from hpc.schedulers.base import Scheduler

DEFAULT_OUTPUT = "slurm-%j.out"


def details_of(scheduler: Scheduler) -> Dialect:
    """The dialect of a scheduler family. Raises ``NotSupported``."""
    if scheduler.name == "pbs":
        return native_pbs.dialect_of(scheduler)
    if scheduler.name not in DETAILS:
        raise NotSupported(f"the {scheduler.name} scheduler does not take job scripts as they are")
    return DETAILS[scheduler.name]


# The comment is in squeue at once. Accounting has it only on some sites and after the end, but keeps the
# command line of sbatch from the start (SubmitLine, Slurm 21.08 and later), in which the comment stands.
_SLURM = r"""
centro_tagged() {
  _centro_out=$(LC_ALL=C timeout 60 "${CENTRO_BIN:+$CENTRO_BIN/}squeue" -h -a -t all \
    -u "${CENTRO_USER:-$(id -un)}" -o '%F|%k' </dev/null 2>&1) && \
    case $_centro_out in *'squeue: error:'*) false;; esac || { printf '%s\n' "$_centro_out" >&2; return 1; }
  _centro_ids=$(printf '%s\n' "$_centro_out" | while IFS='|' read -r _centro_id _centro_comment; do
    [ "$_centro_comment" != "$1" ] || printf '%s\n' "$_centro_id"
  done)
  [ -n "$_centro_ids" ] || _centro_ids=$(LC_ALL=C timeout 20 "${CENTRO_BIN:+$CENTRO_BIN/}sacct" -n -X -P -D \
    -u "${CENTRO_USER:-$(id -un)}" -S now-7days -E now+365days -o JobID,SubmitLine </dev/null 2>/dev/null |
    grep -F -e "--comment=$1 " | sed 's/[|_+].*//')
  printf '%s\n' "$_centro_ids"
}
centro_details() {
  LC_ALL=C "${CENTRO_BIN:+$CENTRO_BIN/}scontrol" show job "$1"
}
"""

# Nothing of a submission is kept but name, directory and time, so the lowest id since then is taken.
_LOCAL = r"""
centro_tagged() {
  centro_local list | awk -v dir="$2" -v name="$3" -v since="$4" \
    'BEGIN { FS = sprintf("%c", 31) } $12 == dir && $3 == name && $6 >= since { print $1 }'
}
centro_details() { :; }
"""

_FIELD = re.compile(r"^ {3}(StdOut|StdErr)=(.*)$", re.MULTILINE)
_NAME = re.compile(r"^JobId=.* JobName=(.*)$", re.MULTILINE)
_NO_TASK = "4294967294"
"""Stands for the task in the file names of a whole array (NO_VAL in slurm.h)."""


def _read_slurm(text: str, job_id: str, directory: str, user: str) -> Details:
    first = text.split("\n\n", 1)[0]
    named = _NAME.search(first)
    if named is None:
        return Details(note=text.strip()[:500] or "the scheduler gave no details of the job")
    name = named[1]
    files = {}
    for key, pattern in _FIELD.findall(first):
        filled = _filled(pattern, job_id, name, user)
        files[key] = posixpath.join(directory, filled) if filled else ""
    stdout = files.get("StdOut", "")
    return Details(name, stdout, files.get("StdErr", "") or stdout)


def _filled(pattern: str, job_id: str, name: str, user: str) -> str:
    """A file name pattern of sbatch(1) with what is known of the job; %a of an array stays."""
    values = {"j": job_id, "J": job_id, "A": job_id, "x": name, "u": user, "%": "%"}
    text = pattern.replace(_NO_TASK, "%a")
    return re.sub(r"%([jJAxu%])", lambda match: values[match[1]], text)


def _read_local(text: str, job_id: str, directory: str, user: str) -> Details:
    """Plain processes write both streams to one file, named as Slurm names it."""
    path = posixpath.join(directory, DEFAULT_OUTPUT.replace("%j", job_id))
    return Details(stdout=path, stderr=path)


DETAILS = {
    "slurm": Dialect(_SLURM, _read_slurm),
    "local": Dialect(_LOCAL, _read_local),
}
