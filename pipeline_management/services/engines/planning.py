"""A plan before launch: asked of the engine on the system, as the person whose run it would be."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hpc.engines.planning import PlanAnswer, run_plan
from hpc.errors import CommandTimeout, HpcError
from pipeline_management.choices import Engine
from pipeline_management.errors import Conflict, InvalidRequest, Problem, Unavailable
from pipeline_management.models import PipelineVersion, Run, SystemAccount
from pipeline_management.services import trouble
from pipeline_management.services.clients import client_for
from pipeline_management.services.documents import canonical_json
from pipeline_management.services.engines.context import system_context
from pipeline_management.services.engines.jetstream import JetstreamEngine
from pipeline_management.services.engines.plans import (
    Plan,
    UnreadablePlan,
    read_jetstream,
    read_snakemake,
)
from pipeline_management.services.engines.registry import engine_of
from pipeline_management.services.resolution import work_directory

SECONDS = 40.0
"""How long an engine may think. Jetstream needs about 2 s for Phoenix's 168 tasks, Snakemake 3 s to start."""

_BUILD_FAILED = 65
_TIME_OUT = 124
_AT_ONCE = 2
_turns = threading.BoundedSemaphore(_AT_ONCE)
READERS = {Engine.JETSTREAM: read_jetstream, Engine.SNAKEMAKE: read_snakemake}
"""How to read what an engine's plan request prints."""


def can_plan(version: PipelineVersion) -> bool:
    """Whether there is a plan to be had for a version."""
    return engine_of(version).can_plan


def plan_for(
    version: PipelineVersion,
    configuration: Mapping[str, Any],
    account: SystemAccount,
    *,
    resume_of: Run | None = None,
) -> Plan:
    """What a run of the version would do, or what is left of ``resume_of``. Takes seconds; nothing is submitted.

    The configuration has passed its checks already. Raises ``Conflict`` for an engine without plans,
    ``InvalidRequest`` where the engine cannot make a pipeline of the configuration, ``Unavailable`` where the
    system does not answer, takes too long or is busy with other plans.
    """
    engine = engine_of(version)
    if not engine.can_plan:
        raise Conflict(
            f"{version} is a plain script: what it would do is known to its author only."
        )
    context = _context(engine.resources(version, configuration, account.system.scheduler), account)
    context |= {"config": dict(configuration)}
    request = engine.plan_request(version, context, resume=resume_of is not None)
    work = (resume_of.work_directory or resume_of.directory) if resume_of is not None else ""
    command = run_plan(
        request.script,
        {**request.files, "config.json": canonical_json(dict(configuration)).encode()},
        root=f"{work_directory(account.system, account)}/.plans",
        seconds=SECONDS,
        work=work,
    )
    if not _turns.acquire(blocking=False):
        raise Unavailable("Other plans are being made at this moment; try again in a few seconds.")
    try:
        answer = client_for(account).run(command)
    except CommandTimeout as error:
        raise Unavailable(_too_slow()) from error
    except (HpcError, ValueError) as error:
        raise Unavailable(
            f"The system {account.system.name} cannot plan now: {trouble.describe(error)}"
        ) from error
    finally:
        _turns.release()
    return _with_warnings(_read(version, answer), version, configuration)


def _context(resources: dict[str, Any], account: SystemAccount) -> dict[str, Any]:
    return {"resources": resources, "system": system_context(account.system, account)}


def _read(version: PipelineVersion, answer: PlanAnswer) -> Plan:
    if answer.exit_code == _TIME_OUT:
        raise Unavailable(_too_slow())
    last = next((line for line in reversed(answer.errors.splitlines()) if line.strip()), "")
    if answer.exit_code == _BUILD_FAILED:
        message = f"{version.get_engine_display()} cannot make a pipeline of this configuration: "
        raise InvalidRequest(
            [Problem("plan", message + (last.strip()[:500] or "it gave no reason."))]
        )
    if answer.exit_code != 0:
        reason = last.strip()[:300] or f"exit code {answer.exit_code}"
        raise Unavailable(f"The plan could not be made on the system: {reason}")
    try:
        return READERS[Engine(version.engine)](answer.output)
    except UnreadablePlan as error:
        raise Unavailable(f"The plan that the system gave cannot be read: {error}.") from error


def _too_slow() -> str:
    return f"The plan took more than {SECONDS:.0f} s on the system and was given up."


def _with_warnings(plan: Plan, version: PipelineVersion, configuration: Mapping[str, Any]) -> Plan:
    """With what is likely not meant: a list of switches that switches nothing, or nothing to do."""
    warnings = list(plan.warnings)
    is_jetstream = version.engine == JetstreamEngine.name
    declared = version.schema.get("properties")
    if (
        is_jetstream
        and isinstance(declared, dict)
        and "tasks" in declared
        and not configuration.get("tasks")
    ):
        warnings.insert(
            0, "tasks is empty: every optional task is on, as the pipeline's author set it."
        )
    if not plan.tasks:
        warnings.append("Nothing is left to do." if plan.reuse else "The plan has no tasks.")
    return replace(plan, warnings=tuple(warnings))
