"""What an engine must offer: check a configuration, make the job script, bring its files, plan."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from pipeline_management.errors import Problem
from pipeline_management.models import PipelineVersion
from pipeline_management.services.validation import validate

Context = Mapping[str, Any]
"""What a job script is made from, plain JSON data: config, run (id, directory, name), pipeline (name,
version), lab, user, system (name, username, scheduler, bin_dir), resources."""


class CancelSignal(StrEnum):
    """How a run's job is ended. BATCH_TERM: first a TERM to the job's own script alone, which ends the jobs
    that it has submitted; PLAIN: the scheduler ends the job with everything in it."""

    BATCH_TERM = "batch-term"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A job's script, and further files for the run's directory: relative path -> content."""

    script: str
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """How an engine plans on a system: a shell script that writes its answer to standard output.

    The script runs in an empty directory of its own that holds ``files`` and is removed afterwards;
    "$CENTRO_CONFIG" is the configuration, "$CENTRO_WORK_DIR" the directory of the run that would be resumed,
    or the same empty directory.
    """

    script: str
    files: Mapping[str, bytes]


class PipelineEngine(ABC):
    """One engine. Stateless; the options of a version are in ``version.engine_options``."""

    name: ClassVar[str]
    can_plan: ClassVar[bool] = False
    """Whether it can say what it would do, on the system and without submitting anything."""
    can_resume: ClassVar[bool] = False
    """Whether a run that failed can go on, keeping what is done."""
    makes_script: ClassVar[bool] = False
    """Whether the job script comes from the engine, not from the pipeline's author."""
    runner_log: ClassVar[str] = ""
    """The file in which the engine's own runner tells what it does, relative to the directory in which the
    pipeline works: the stream "runner" of a run's output. "" where it has none."""
    options_schema: ClassVar[Mapping[str, Any]]
    """JSON Schema (draft 2020-12) of ``engine_options``."""

    def check_options(self, options: Mapping[str, Any]) -> list[Problem]:
        """Everything wrong with a version's options; pointers lead into them."""
        return validate(dict(options), dict(self.options_schema))

    def check_configuration(
        self, version: PipelineVersion, document: Mapping[str, Any]
    ) -> list[Problem]:
        """What the engine refuses beyond the version's schema; pointers lead into the configuration."""
        return []

    def resources(
        self, version: PipelineVersion, document: Mapping[str, Any], scheduler: str
    ) -> dict[str, Any]:
        """What the run's own job asks of the scheduler: the version's resources unless the engine says more."""
        return dict(version.resources)

    @abstractmethod
    def render(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> Rendered:
        """The job script of a run; with ``resume`` of one that goes on where its origin stopped.

        Raises ``InvalidRequest`` where the configuration gives no script.
        """

    def files(self, version: PipelineVersion) -> dict[str, bytes]:
        """What the engine needs in the directory of every run of the version: relative path -> content."""
        return {}

    def cancel_signal(self, version: PipelineVersion, scheduler: str) -> CancelSignal:
        """How to end a run of the version on a system with this scheduler ("slurm", "pbs", "local")."""
        return CancelSignal.PLAIN

    def plan_request(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> PlanRequest:
        """How to plan; only where ``can_plan``."""
        raise NotImplementedError(f"the engine {self.name} has no plan")

    def exit_meaning(self, code: int) -> str:
        """What an exit code of the job script means, in words; "" where it has no meaning of its own."""
        return ""
