"""What happened to a run and which tasks it has; and the door for what its own job reports."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import RunTokenAuthentication
from api.exceptions import BadParameter, LengthRequired
from api.v1.report_serializers import (
    EventPageSerializer,
    EventSerializer,
    ReceivedSerializer,
    TaskPageSerializer,
    TaskSerializer,
)
from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from api.v1.views.runs import MISSING
from pipeline_management.choices import TaskState
from pipeline_management.errors import NotAllowed, Problem, TooLarge
from pipeline_management.services.reports.receiving import receive
from pipeline_management.services.reports.wire import MAX_BODY

PAGE = 500
_HIGHEST = 2**31 - 1

_EXAMPLE = {
    "sender": "job-7f", "seq": 7, "type": "task", "at": 1795343583.18,
    "data": {"name": "align", "state": "complete", "job_id": "4711", "exit_code": 0},
}  # fmt: skip


class RunEventsView(ApiView):
    """What happened to a run."""

    parameters = {"GET": frozenset({"after"})}

    def get_authenticators(self) -> list[BaseAuthentication]:
        """A job has its run's token and nothing else; a person may read only."""
        if getattr(self.request, "method", "") == "POST":
            return [RunTokenAuthentication()]
        return super().get_authenticators()

    @extend_schema(
        operation_id="list_run_events",
        summary="Show a run's events",
        parameters=[
            OpenApiParameter(
                "after", OpenApiTypes.INT, description="Only events with a higher `seq`."
            )
        ],
        responses={200: EventPageSerializer, 400: ErrorSerializer, **MISSING},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        after = self.query.integer("after", 0, _HIGHEST) or 0
        rows = list(self.run(run_id).events.filter(seq__gt=after).order_by("seq")[: PAGE + 1])
        shown = rows[:PAGE]
        return Response({
            "last": shown[-1].seq if shown else after,
            "more": len(rows) > PAGE,
            "results": EventSerializer(shown, many=True).data,
        })  # fmt: skip

    @extend_schema(
        operation_id="report_run_events",
        summary="Report from the run's own job",
        description=(
            "For jobs, with the token in the file that `CENTRO_TOKEN_FILE` names; the program `centro-event` "
            "does it. The body is one event, or one a line (NDJSON, at most 2,000 events and 1 MiB). Either all "
            "events of a request are taken or none. An event whose sender and number are known is passed over, "
            "so that a request may be repeated. `type` is one of progress (`percent`, `text`), task (`name`, "
            "`state`, `job_id`, `exit_code`, `started`, `ended`, `resources`, `log_path`), message and error "
            "(`text`), metric (`name`, `value`, `unit`), artifact (`path`, `label`) and completed. No event "
            "changes the run's state: that is for the scheduler and the job's result to say."
        ),
        request={
            "application/json": OpenApiTypes.OBJECT,
            "application/x-ndjson": OpenApiTypes.STR,
        },
        examples=[OpenApiExample("task", _EXAMPLE, request_only=True)],
        responses={
            200: ReceivedSerializer,
            **{
                code: OpenApiResponse(ErrorSerializer, text)
                for code, text in (
                    (400, "An event is malformed: which line, which field, what was expected."),
                    (401, "No token of a run."),
                    (403, "The token of another run, or of one that is over."),
                    (411, "No Content-Length."),
                    (413, "Over 1 MiB, over 2,000 events, or an event over 16 KiB."),
                    (429, "Too much at once; see Retry-After."),
                )
            },
        },
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        run: Any = request.auth  # of which the framework knows only its own tokens
        if run.pk != run_id:
            raise NotAllowed("This token is for another run.")
        recorded = receive(run, _read(request._request))
        fields = {"accepted": recorded.accepted, "duplicates": recorded.duplicates}
        return Response(ReceivedSerializer(fields).data)


def _read(request: HttpRequest) -> bytes:
    """The body. Raises before reading what is too long, or comes without saying how long it is."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired("Send the body in one piece with a Content-Length header.")
    if length and not (length.isascii() and length.isdigit()):
        raise BadParameter("Content-Length", "“Content-Length” is not a number.")
    if len(length) > 18 or int(length or 0) > MAX_BODY:
        message = f"The body has {length[:18]} bytes; at most {MAX_BODY} (1 MiB) are accepted."
        raise TooLarge([Problem("too_large", message)])
    return request.body


class RunTasksView(ApiView):
    """The steps of a run's pipeline."""

    parameters = {"GET": frozenset({"after", "state"})}

    @extend_schema(
        operation_id="list_run_tasks",
        summary="Show a run's tasks",
        description="The steps of its pipeline, as far as the job reports them.",
        parameters=[
            OpenApiParameter(
                "after", OpenApiTypes.INT, description="Only tasks with a higher `id`."
            ),
            OpenApiParameter(
                "state",
                OpenApiTypes.STR,
                enum=TaskState.values,
                many=True,
                description="Several: repeat it.",
            ),
        ],
        responses={200: TaskPageSerializer, 400: ErrorSerializer, **MISSING},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        after = self.query.integer("after", 0, 2**53) or 0
        states = self.query.several("state", TaskState.values)
        tasks: Any = self.run(run_id).tasks.filter(pk__gt=after).order_by("pk")
        if states:
            tasks = tasks.filter(state__in=states)
        rows = list(tasks[: PAGE + 1])
        shown = rows[:PAGE]
        return Response({
            "last": shown[-1].pk if shown else after,
            "more": len(rows) > PAGE,
            "results": TaskSerializer(shown, many=True).data,
        })  # fmt: skip
