"""The engines by name."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline_management.models import PipelineVersion, Run
from pipeline_management.services.engines.base import PipelineEngine
from pipeline_management.services.engines.jetstream import JetstreamEngine
from pipeline_management.services.engines.shell import ShellEngine
from pipeline_management.services.engines.snakemake import SnakemakeEngine

ENGINES: Mapping[str, PipelineEngine] = {
    engine.name: engine for engine in (ShellEngine(), JetstreamEngine(), SnakemakeEngine())
}


def engine_of(version: PipelineVersion | None) -> PipelineEngine:
    """The engine of a version; without one, as for a job script of somebody's own, the shell's."""
    return ENGINES[version.engine if version is not None else ShellEngine.name]


def engine_files(run: Run) -> dict[str, bytes]:
    """What a run's engine needs in its directory: relative path -> content."""
    return engine_of(run.version).files(run.version) if run.version is not None else {}
