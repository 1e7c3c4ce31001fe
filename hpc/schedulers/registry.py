"""The scheduler families that are known, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hpc.schedulers.base import Scheduler, SchedulerConfig
from hpc.schedulers.local import LocalScheduler
from hpc.schedulers.pbs import PbsScheduler
from hpc.schedulers.slurm import SlurmScheduler

SCHEDULERS: dict[str, type[Scheduler]] = {
    LocalScheduler.name: LocalScheduler,
    PbsScheduler.name: PbsScheduler,
    SlurmScheduler.name: SlurmScheduler,
}

_BIN_DIR = re.compile(r"/[A-Za-z0-9._/+-]*")


def scheduler_for(name: str, options: Mapping[str, str] | None = None) -> Scheduler:
    """The adapter of that name with its site options; ``bin_dir`` is known to all.

    Raises ``ValueError`` for an unknown name or option, naming those that exist.
    """
    if name not in SCHEDULERS:
        known = ", ".join(sorted(SCHEDULERS))
        raise ValueError(f"scheduler {name!r} is not known; known are {known}")
    given = {key: str(value) for key, value in (options or {}).items()}
    family = SCHEDULERS[name]
    allowed = {"bin_dir", *family.option_names}
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise ValueError(
            f"scheduler option {unknown[0]!r} is not known to {name}; known are "
            f"{', '.join(sorted(allowed))}"
        )
    bin_dir = given.pop("bin_dir", "")
    if bin_dir and not _BIN_DIR.fullmatch(bin_dir):
        raise ValueError(f"scheduler option bin_dir is {bin_dir!r}, expected an absolute directory")
    return family(SchedulerConfig(bin_dir=bin_dir, options=given))
