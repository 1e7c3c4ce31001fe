"""Plans as pages show them."""

from __future__ import annotations

from typing import Any

from pipeline_management.errors import Unavailable
from pipeline_management.models import Run
from pipeline_management.services.engines import planning
from pipeline_management.services.engines.plans import Plan
from pipeline_management.services.intake import PreparedRun

SHOWN = 200
"""Tasks that are listed; a plan may have thousands."""


def plan_context(prepared: PreparedRun, resume_of: Run | None = None) -> dict[str, Any]:
    """For the template submit/plan.html: ``plan`` with its first tasks, or ``plan_problem`` in words.

    Raises ``InvalidRequest`` where the engine cannot make a pipeline of the configuration.
    """
    if not planning.can_plan(prepared.version):
        return {"plan_problem": f"{prepared.version} is a plain script: it has no plan to show."}
    try:
        plan = planning.plan_for(
            prepared.version, prepared.configuration, prepared.account, resume_of=resume_of
        )
    except Unavailable as error:
        return {"plan_problem": error.message}
    return shown(plan)


def shown(plan: Plan) -> dict[str, Any]:
    """The same from a plan that is there already."""
    return {
        "plan": plan,
        "plan_tasks": plan.tasks[:SHOWN],
        "plan_more": max(0, len(plan.tasks) - SHOWN),
    }
