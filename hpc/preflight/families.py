"""What each scheduler family can be asked before a submission: shell functions, named as the parts.

``accounts`` lists what the user may charge, ``queues`` describes all queues, ``trial`` submits without submitting.
Slurm: sacctmgr(1), scontrol(1), ``sbatch --test-only`` (sbatch(1): "validate the batch script and return an estimate
of when a job would be scheduled"; it prints on standard error, measured with 22.05.8). PBS: ``qstat -Qf``
and ``qstat -Bf`` (qstat(1B)), as JSON where it is OpenPBS, since the plain form folds long lines; it has nothing like a
trial and no list of accounts.
"""

from __future__ import annotations

from dataclasses import dataclass

from hpc.jobs import JobSpec
from hpc.quoting import shell_words
from hpc.schedulers.base import Scheduler

_SLURM = r"""
accounts() {
  bounded "${CENTRO_BIN:+$CENTRO_BIN/}sacctmgr" -n -P show assoc "user=$CENTRO_USER" format=account,partition,qos
}
queues() { bounded "${CENTRO_BIN:+$CENTRO_BIN/}scontrol" -o show partition; }
trial() {
  . ./submit.args
  SLURM_TIME_FORMAT=%s bounded "$@"
}
"""

_PBS = r"""
queues() {
  bounded "${CENTRO_BIN:+$CENTRO_BIN/}qstat" -Q -f -F json || return
  printf '\n@@centro@@\n'
  bounded "${CENTRO_BIN:+$CENTRO_BIN/}qstat" -B -f -F json
}
"""

_TORQUE = r"""
queues() {
  bounded "${CENTRO_BIN:+$CENTRO_BIN/}qstat" -Qf || return
  bounded "${CENTRO_BIN:+$CENTRO_BIN/}qstat" -Bf
}
"""


@dataclass(frozen=True, slots=True)
class Family:
    """``functions`` is POSIX sh text that defines the ``parts``; it may use ``bounded``, which limits the time."""

    functions: str = ""
    parts: tuple[str, ...] = ()


FAMILIES = {
    "slurm": Family(_SLURM, ("accounts", "queues", "trial")),
    "pbs": Family(_PBS, ("queues",)),
    "torque": Family(_TORQUE, ("queues",)),
}
"""By the name of the scheduler or of its dialect; one that is not here has nothing to be asked."""


def family_of(scheduler: Scheduler) -> Family:
    """What can be asked of a scheduler; nothing of those that start jobs at once."""
    dialect = scheduler.config.options.get("dialect", "")
    return FAMILIES.get(dialect) or FAMILIES.get(scheduler.name, Family())


def trial_files(scheduler: Scheduler, spec: JobSpec) -> dict[str, bytes]:
    """What the part ``trial`` needs: the submit command as it will be, but for the job script's content.

    The script is the portal's wrapper in a real submission too, so that no directive in it counts. Raises
    ``ValueError`` and ``NotSupported`` as ``submit_argv`` does.
    """
    if "trial" not in family_of(scheduler).parts:
        return {}
    program, *options = scheduler.submit_argv(spec)
    words = shell_words((program, "--test-only", *options))
    return {
        "submit.args": f"set -- {words}\n".encode(),
        spec.script_path: b"#!/bin/sh\n:\n",
    }
