"""A plan before launch, as the dry run of a submission gives it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.v1.serializers import DryRunSerializer, ReadOnly
from pipeline_management.errors import Unavailable
from pipeline_management.services.engines import planning
from pipeline_management.services.intake import PreparedRun


class PlannedTaskSerializer(ReadOnly):
    """A step that would run; null where the pipeline says nothing."""

    name = serializers.CharField()
    after = serializers.ListField(child=serializers.CharField(), help_text="What it waits for.")
    cpus = serializers.IntegerField(allow_null=True)
    memory_mb = serializers.IntegerField(allow_null=True, help_text="MiB")
    walltime_s = serializers.IntegerField(allow_null=True, help_text="Seconds")


class PlanSerializer(ReadOnly):
    """What the engine says, on the system, that it would do."""

    tasks = PlannedTaskSerializer(many=True)
    cpu_hours_ceiling = serializers.FloatField(
        allow_null=True, help_text="CPU hours that it can cost at most, as far as known."
    )
    warnings = serializers.ListField(child=serializers.CharField())
    reuse = serializers.IntegerField(help_text="Steps that are done already and kept.")


class PlannedRunSerializer(DryRunSerializer):
    """What a submission would become, and what it would do."""

    plan = PlanSerializer(allow_null=True, help_text="Null where the engine makes no plans.")
    plan_problem = serializers.CharField(
        allow_null=True, help_text="Why there is no plan although the engine makes some."
    )


def plan_of(prepared: PreparedRun) -> dict[str, Any]:
    """The two fields. A system that does not answer says nothing about the configuration, so it is no error;
    raises ``InvalidRequest`` where the engine cannot make a pipeline of the configuration."""
    if not planning.can_plan(prepared.version):
        return {"plan": None, "plan_problem": None}
    try:
        plan = planning.plan_for(prepared.version, prepared.configuration, prepared.account)
    except Unavailable as error:
        return {"plan": None, "plan_problem": error.message}
    return {"plan": plan.as_dict(), "plan_problem": None}
