"""One round trip to the system of a run that could be created, and everything that comes of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from hpc.errors import HpcError, NotSupported, SettingsUnusable
from hpc.preflight.asking import MOST_PATHS, look
from pipeline_management.choices import HealthState
from pipeline_management.errors import Unavailable
from pipeline_management.models import Run
from pipeline_management.services import trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.file_refusals import UNUSABLE
from pipeline_management.services.inputs import input_paths
from pipeline_management.services.intake import PreparedRun, new_key
from pipeline_management.services.jobspec import job_spec
from pipeline_management.services.preflight import scheduling, steps
from pipeline_management.services.preflight.steps import Status, Step
from pipeline_management.services.resolution import work_directory
from pipeline_management.services.run_files import archive

SECONDS = 8.0
"""How long each part of the look may take; they run at once."""

_AT_ONCE = 4
_turns = threading.BoundedSemaphore(_AT_ONCE)
_OUT = (HealthState.DOWN, HealthState.BLOCKED)


@dataclass(frozen=True)
class Preflight:
    """What the system said. ``start`` is when its scheduler would start the job (aware UTC), None where it does
    not say; ``seconds`` is how long the answer took."""

    system: str
    username: str
    steps: list[Step] = field(default_factory=list)
    start: datetime | None = None
    asked_at: datetime = field(default_factory=timezone.now)
    seconds: float = 0.0

    @property
    def status(self) -> Status:
        """The worst of the steps; what is not known is no fault."""
        return steps.worst(self.steps)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "system": self.system,
            "username": self.username,
            "status": self.status,
            "asked_at": self.asked_at,
            "seconds": round(self.seconds, 2),
            "start": self.start,
            "steps": [step.as_dict() for step in self.steps],
        }


def preflight(prepared: PreparedRun, *, seconds: float = SECONDS) -> Preflight:
    """Ask the run's system, as the account that would submit it. Takes seconds; writes nothing.

    Raises ``Unavailable`` where the system does not answer, or is being asked for others: that says nothing
    about the run.
    """
    account, system = prepared.account, prepared.system
    asked = dict(prepared.configuration)
    if archive.is_ours(prepared.version):
        asked.pop(archive.KEY, None)  # where results go need not be there yet
    paths = input_paths(asked, prepared.version.schema)
    absolute = [path for path in paths if path.startswith("/")][:MOST_PATHS]
    begun = time.monotonic()
    if not _turns.acquire(blocking=False):
        raise Unavailable("Other checks are being made at this moment; try again in a few seconds.")
    try:
        client = client_for(account)
        spec = job_spec(_run_of(prepared))
        directory = work_directory(system, account)
        command = look(client.scheduler, spec, paths=absolute, workdir=directory, seconds=seconds)
        parts = client.run(command)
    except SettingsUnusable as error:
        text = f"{system.name} cannot be asked now: {UNUSABLE}"
        raise Unavailable(text) from error
    except (HpcError, NotSupported, ValueError) as error:
        reason = trouble.describe(error)
        raise Unavailable(f"{system.name} cannot be asked now: {reason}") from error
    finally:
        _turns.release()
    found, start = scheduling.judged(parts, spec, system.scheduler, account.username)
    return Preflight(
        system=system.name,
        username=account.username,
        steps=[
            steps.of_inputs(parts["paths"], absolute, account.username),
            *steps.of_space(parts["space"], directory),
            *steps.of_quota(parts["quota"]),
            *found,
        ],
        start=start,
        seconds=time.monotonic() - begun,
    )


def is_out(prepared: PreparedRun) -> bool:
    """Whether the run's system is known not to answer at present, so that asking it would only take time."""
    return prepared.system.health in _OUT


def _run_of(prepared: PreparedRun) -> Run:
    """The run as its job would be asked for; never written down."""
    return Run(
        id=prepared.run_id,
        key=new_key(),
        directory=prepared.directory_hint,
        resources=prepared.resources,
    )
