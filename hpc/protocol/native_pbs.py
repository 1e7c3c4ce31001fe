"""Job scripts as their owners wrote them, on PBS: how they are submitted, found again and described.

PBS keeps no comment of a job, its name and its account string belong to the owner, and a ``-v`` on the command line
would replace the script's own. What is left is the environment of qsub: its PATH is kept with each job as PBS_O_PATH
(qsub(1B); in every recorded job) and means nothing to the job. A last entry of the PATH, which leads nowhere, is the
tag.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from hpc.protocol.native_details import Details, Dialect
from hpc.schedulers.base import UNIT, Scheduler
from hpc.schedulers.pbs_parse import format_clock, output_paths
from hpc.schedulers.pbs_tables import FIELDS, VARIABLE

if TYPE_CHECKING:
    from hpc.protocol.native import NativeJob

_LONGEST_NAME = {"torque": 15}
"""Longer names are refused by Torque; OpenPBS takes 230 characters (measured)."""
_TAG = "/.centro-job/"

TAGGED = (
    VARIABLE
    + r"""
function put() {
  if (id == "") return
  sub(/\..*/, "", id)
  print id, variable("PBS_O_PATH")
}
"""
    + FIELDS
)
"""awk: a line for each job, with the PATH of its qsub."""

DETAILS = (
    VARIABLE
    + r"""
function put() {
  if (id == "") return
  gsub(/[\001-\037]/, "_", v["Job_Name"])
  sub(/[^:]*:/, "", v["Output_Path"]); sub(/[^:]*:/, "", v["Error_Path"])
  print id, v["Job_Name"], v["Output_Path"], v["Error_Path"], v["Join_Path"], v["Keep_Files"], \
    variable("PBS_O_HOME"), (split_by == "" ? "torque" : "openpbs"), "."
}
"""
    + FIELDS
)
"""awk: what ``_read`` understands, before the marks of the paths that are directories."""

_FUNCTIONS = r"""
centro_tagged() {
  _centro_end=":@TAG@${1#centro:}" _centro_x=-x
  _centro_ids=$(centro_past) || return 1
  if [ -z "$_centro_ids" ]; then _centro_x= _centro_ids=$(centro_select) || return 1; fi
  [ -n "$_centro_ids" ] || return 0
  _centro_rows=$(centro_show '@TAGGED@' $_centro_x $_centro_ids) || return 1
  printf '%s\n' "$_centro_rows" | while IFS= read -r _centro_row; do
    case $_centro_row in *"$_centro_end") printf '%s\n' "${_centro_row%%@UNIT@*}" ;; esac
  done
}
centro_details() {
  _centro_row=$(centro_show '@DETAILS@' "$1")
  [ -n "$_centro_row" ] || [ -n "@TORQUE@" ] || _centro_row=$(centro_show '@DETAILS@' -x "$1")
  [ -n "$_centro_row" ] || { printf 'PBS gave no details of the job\n'; return; }
  printf '%s' "$_centro_row"
  printf '%s\n' "$_centro_row" | tr '@UNIT@' '\n' | sed -n 3,4p | while IFS= read -r _centro_path; do
    if [ -d "$_centro_path" ]; then printf '@UNIT@d'; else printf '@UNIT@-'; fi
  done
}
"""


def tag_word(tag: str) -> str:
    """The word of ``env`` that marks a submission; native.sh puts the PATH in front of it."""
    return _TAG + tag.partition(":")[2]


def dialect_of(scheduler: Scheduler) -> Dialect:
    """The dialect of this PBS; ``scheduler`` is one."""
    is_torque = scheduler.config.options.get("dialect") == "torque"
    functions = (
        _FUNCTIONS.replace("@TAGGED@", TAGGED)
        .replace("@DETAILS@", DETAILS)
        .replace("@TAG@", _TAG)
        .replace("@TORQUE@", "yes" if is_torque else "")
        .replace("@UNIT@", UNIT)
    )
    return Dialect(functions, _read, _output)


def qsub(scheduler: Scheduler, job: NativeJob, nonce: str) -> tuple[str, ...]:
    """The submit command: what is given replaces directives of the script. The words with the nonce are those of
    native.sh. Variables go in qsub's environment, with ``-V``: a ``-v`` would replace the script's own."""
    is_torque = scheduler.config.options.get("dialect") == "torque"
    chunk = "nodes=1:ppn" if is_torque else "select=1:ncpus"
    options = {
        "-N": _name(job.name, _LONGEST_NAME.get("torque" if is_torque else "", 230)),
        "-q": job.queue,
        "-A": job.account,
        "-W": f"depend=afterok:{job.after.partition('.')[0]}" if job.after else None,
        "-o": f"/{nonce}.W/{_output(job.stdout, '')}" if job.stdout else None,
        "-e": f"/{nonce}.W/{_output(job.stderr, '')}" if job.stderr else None,
    }
    given = [word for pair in options.items() if pair[1] is not None for word in pair if word]
    limits = [f"walltime={format_clock(job.walltime)}"] if job.walltime is not None else []
    limits += [f"{chunk}={job.tasks}"] if job.tasks is not None else []
    given += [word for limit in limits for word in ("-l", limit)]
    variables = [f"{name}={value}" for name, value in job.environment.items()]
    exported = ["-V"] if variables else []
    command = (scheduler.executable("qsub"), *exported, *given, f"/{nonce}.S")
    return ("env", *variables, f"/{nonce}.P{tag_word(job.tag)}", *command)


def _name(name: str | None, longest: int) -> str | None:
    """The nearest name that PBS takes: letters, digits and ._+- (measured), first a letter."""
    if name is None:
        return None
    plain = re.sub(r"[^A-Za-z0-9._+-]", "_", name)
    return (plain if plain[:1].isalpha() else f"j{plain}")[:longest]


def _output(wished: str, job_id: str) -> str:
    """PBS has no placeholder for the id in the names of files."""
    return re.sub(r"[-._]?%j", "", wished)


def _read(text: str, job_id: str, directory: str, user: str) -> Details:
    fields = text.strip("\n").split(UNIT)
    if len(fields) != 11 or fields[8] != ".":
        return Details(note=text.strip()[:500] or "the scheduler gave no details of the job")
    full_id, name, out, err, join, keep, home, dialect, _, *marks = fields
    paths = output_paths(
        full_id=full_id,
        name=name,
        out=posixpath.join(out, "") if marks[0] == "d" else out,
        err=posixpath.join(err, "") if marks[1] == "d" else err,
        join=join,
        keep=keep,
        home=home or posixpath.join("/home", user),
        dialect=dialect,
    )
    return Details(name, *paths)
