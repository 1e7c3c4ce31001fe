"""Judging a configuration: the same checks as a submission, answered as a document instead of an error."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import TokenScope
from api.v1.serializers import ErrorSerializer, ProblemSerializer, ReadOnly
from api.v1.views.base import ApiView
from api.v1.views.submission import read_body
from pipeline_management.errors import InvalidRequest, Problem, TooLarge, Unavailable
from pipeline_management.services import intake
from pipeline_management.services.estimates import estimate_for
from pipeline_management.services.intake import PreparedRun
from pipeline_management.services.preflight.asking import preflight


class StepSerializer(ReadOnly):
    """One thing that was looked at."""

    name = serializers.CharField(
        help_text="inputs, directory, space, quota, account, queue or start."
    )
    status = serializers.CharField(
        help_text="good, warning, bad, or unknown where the system did not say."
    )
    message = serializers.CharField()
    details = serializers.ListField(child=serializers.CharField())


class PreflightSerializer(ReadOnly):
    """What the run's system says."""

    system = serializers.CharField()
    username = serializers.CharField(help_text="The account that it was asked as.")
    status = serializers.CharField(help_text="The worst of the steps.")
    asked_at = serializers.DateTimeField()
    seconds = serializers.FloatField()
    start = serializers.DateTimeField(
        allow_null=True, help_text="When the scheduler would start the job, if it says so."
    )
    steps = StepSerializer(many=True)


class EstimateSerializer(ReadOnly):
    """What past runs of the pipeline took; null where too few are known."""

    runs = serializers.IntegerField(help_text="Past runs that it comes from.")
    rows = serializers.IntegerField(
        allow_null=True, help_text="Entries of the configuration's longest list."
    )
    by_rows = serializers.BooleanField(help_text="Only runs with about as many rows were used.")
    median_seconds = serializers.FloatField(allow_null=True)
    p90_seconds = serializers.FloatField(allow_null=True)
    wait_seconds = serializers.FloatField(allow_null=True, help_text="Median wait in the queue.")
    core_hours = serializers.FloatField(allow_null=True, help_text="Median.")


class ValidationSerializer(ReadOnly):
    """What would become of a configuration."""

    valid = serializers.BooleanField()
    errors = ProblemSerializer(many=True)  # type: ignore[assignment]  # a field's name; the metaclass takes it out
    warnings = ProblemSerializer(many=True)
    preflight = PreflightSerializer(allow_null=True, help_text="Null unless asked for.")
    preflight_problem = serializers.CharField(
        allow_null=True,
        help_text="Why the system did not answer; says nothing of the configuration.",
    )
    estimate = EstimateSerializer(allow_null=True, help_text="Null while it is not valid.")


class ValidateView(ApiView):
    """Check a configuration and submit nothing."""

    token_scope = TokenScope.READ

    parameters = {"POST": frozenset({"preflight"})}

    @extend_schema(
        operation_id="validate",
        summary="Check a configuration",
        description=(
            "The body is that of a submission. Everything that is wrong with it is listed with its place; "
            "the answer is 200 whether or not it is valid. With `preflight=1` the run's system is asked as "
            "well, in one round trip of some seconds: whether the input files can be read, account and "
            "queue, space and quota, and when the job would start (Slurm). What the system says never makes "
            "a configuration invalid."
        ),
        request={"application/json": OpenApiTypes.OBJECT},
        parameters=[
            OpenApiParameter("preflight", OpenApiTypes.BOOL, description="1: ask the system too."),
        ],
        examples=[
            OpenApiExample("hello", {"pipeline": "hello@1.0", "name": "world"}, request_only=True)
        ],
        responses={
            200: OpenApiResponse(ValidationSerializer, "What was found."),
            **{
                code: OpenApiResponse(ErrorSerializer, text)
                for code, text in (
                    (400, "A query parameter is wrong."),
                    (403, "Not in the name of this lab."),
                    (413, "Over 10 MB."),
                    (415, "Not sent as application/json."),
                )
            },
        },
    )
    def post(self, request: Request) -> Response:
        """Everything that is wrong with the configuration, and what it would become."""
        asks = self.query.flag("preflight")
        body = read_body(request._request)
        try:
            document = intake.parse_document(body)
            text = body.decode("utf-8-sig")
            prepared = intake.prepare(user=self.person, document=document, text=text)
        except TooLarge:
            raise
        except InvalidRequest as error:
            return Response(ValidationSerializer(_answer(error.problems, error.warnings)).data)
        return Response(ValidationSerializer(_accepted(prepared, asks=asks)).data)


def _answer(errors: list[Problem], warnings: list[Problem]) -> dict[str, Any]:
    return {
        "valid": not errors,
        "errors": _told(errors),
        "warnings": _told(warnings),
        "preflight": None,
        "preflight_problem": None,
        "estimate": None,
    }


def _told(problems: list[Problem]) -> list[dict[str, Any]]:
    return [{**problem.as_dict(), "parameter": None} for problem in problems]


def _accepted(prepared: PreparedRun, *, asks: bool) -> dict[str, Any]:
    answer = _answer([], prepared.warnings) | {
        "estimate": estimate_for(prepared.version, prepared.configuration).as_dict(),
    }
    if asks:
        try:
            answer["preflight"] = preflight(prepared).as_dict()
        except Unavailable as error:
            answer["preflight_problem"] = error.message
    return answer
