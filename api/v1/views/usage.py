"""What was used of the systems, added up."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Lab
from api.exceptions import BadParameter
from api.v1.parameters import Parameters
from api.v1.serializers import ErrorSerializer, ReadOnly
from api.v1.views.base import ApiView
from pipeline_management.forms.usage import reviewed_labs
from pipeline_management.services.usage import reading
from pipeline_management.services.usage.counting import day_of
from pipeline_management.services.usage.periods import LONGEST, Period, month_of
from pipeline_management.services.usage.reading import Group, Sums


class UsageSumsSerializer(ReadOnly):
    """Sums over runs that ended in the period; a rate or mean is null where nothing is known."""

    runs = serializers.IntegerField()
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    failure_rate = serializers.FloatField(
        allow_null=True, help_text="failed / (succeeded + failed)"
    )
    core_hours = serializers.FloatField()
    gpu_hours = serializers.FloatField()
    mean_wait_seconds = serializers.FloatField(allow_null=True)
    measured = serializers.IntegerField(help_text="Runs whose core hours are known.")


class UsageRowSerializer(UsageSumsSerializer):
    """One person, pipeline, system, month or lab."""

    key = serializers.CharField(
        help_text="User name, pipeline, system, YYYY-MM, or the lab's slug; empty for none."
    )
    name = serializers.CharField()


class UsageSerializer(ReadOnly):
    """The answer; both days are included and are days of UTC."""

    group = serializers.ChoiceField(choices=Group.choices)
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    total = UsageSumsSerializer()
    results = UsageRowSerializer(many=True)


def _parameter(name: str, text: str, kind: Any = OpenApiTypes.STR, **more: Any) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=text, **more)


class UsageView(ApiView):
    """Usage of the person's own runs, and of all runs of the labs that he manages."""

    parameters = {"GET": frozenset({"group", "from", "to", "lab"})}

    @extend_schema(
        operation_id="get_usage",
        summary="Show usage",
        parameters=[
            _parameter("group", "What it is added up by; person unless given.", enum=Group.values),
            _parameter(
                "from", "First day (UTC); the first of this month unless given.", OpenApiTypes.DATE
            ),
            _parameter("to", "Last day (UTC), included; today unless given.", OpenApiTypes.DATE),
            _parameter("lab", "The slug of a lab: its runs only."),
        ],
        responses={
            200: UsageSerializer,
            400: OpenApiResponse(ErrorSerializer, "A query parameter is unknown or wrong."),
        },
    )
    def get(self, request: Request) -> Response:
        given = self.query
        group = given.choice("group", Group.values) or str(Group.PERSON)
        period = _period(given)
        rows = reading.of(request.user, period, _lab(request, given))
        answer = {
            "group": group,
            "first_day": period.first,
            "last_day": period.last,
            "total": _plain(reading.altogether(rows)),
            "results": [
                {"key": row.key, "name": row.label, **_plain(row.sums)}
                for row in reading.by(group, rows)
            ],
        }
        return Response(UsageSerializer(answer).data)


def _period(given: Parameters) -> Period:
    today = day_of(timezone.now())
    last = _day(given, "to") or today
    first = _day(given, "from") or month_of(last).first
    if last < first:
        raise BadParameter("to", f"“to” is {last}, before “from”, {first}.")
    if (last - first).days >= LONGEST:
        raise BadParameter("from", f"“from” and “to” span more than {LONGEST} days.")
    return Period(first, last)


def _day(given: Parameters, name: str) -> date | None:
    moment = given.moment(name)
    return None if moment is None else day_of(moment)


def _lab(request: Request, given: Parameters) -> Lab | None:
    slug = given.text("lab", 64)
    if slug is None:
        return None
    lab: Lab | None = reviewed_labs(request.user).filter(slug=slug).first()
    if lab is None:
        raise BadParameter("lab", f"“lab” is “{slug}”; you are in no lab of that name.")
    return lab


def _plain(sums: Sums) -> dict[str, Any]:
    return {
        "runs": sums.runs, "succeeded": sums.succeeded, "failed": sums.failed,
        "cancelled": sums.cancelled, "failure_rate": sums.failure_rate,
        "core_hours": round(sums.core_hours, 4), "gpu_hours": round(sums.gpu_hours, 4),
        "mean_wait_seconds": sums.mean_wait, "measured": sums.measured,
    }  # fmt: skip
