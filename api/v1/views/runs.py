"""Reading runs; cancelling."""

from __future__ import annotations

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import TokenScope
from api.v1 import filters, pagination
from api.v1.serializers import (
    ErrorSerializer,
    ListedRunSerializer,
    RunDetailSerializer,
    RunPageSerializer,
)
from api.v1.views.base import ApiView
from pipeline_management.choices import RunSource, RunState
from pipeline_management.models import Run
from pipeline_management.services import cancellation, marks

MISSING = {404: OpenApiResponse(ErrorSerializer, "Unknown, or not yours to see.")}


def _text(name: str, description: str = "") -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, description=description)


class RunListView(ApiView):
    """The runs that the person may see."""

    parameters = {"GET": filters.PARAMETERS | pagination.PARAMETERS}

    @extend_schema(
        operation_id="list_runs",
        summary="List runs",
        description="Newest first. All filters are optional and narrow together.",
        parameters=[
            OpenApiParameter(
                "state",
                OpenApiTypes.STR,
                enum=RunState.values,
                many=True,
                description="Several: repeat it.",
            ),
            _text("pipeline", "Pipeline name."),
            _text("version", "Pipeline version."),
            _text("system", "System name."),
            _text("lab", "The lab's short name."),
            _text("submitter", "User name."),
            OpenApiParameter("source", OpenApiTypes.STR, enum=RunSource.values),
            OpenApiParameter("created_after", OpenApiTypes.DATETIME, description="Inclusive."),
            OpenApiParameter("created_before", OpenApiTypes.DATETIME, description="Exclusive."),
            _text("text", "Part of the name or reason; a whole job id or run id."),
            _text(
                "q",
                "A search as in the box above the list of runs: words and `key:value`, such as "
                "`rnaseq state:failed after:7d -label:test`; 1 to 500 characters.",
            ),
            _text("cursor", "From the `next` address of the page before."),
            OpenApiParameter(
                "page_size", OpenApiTypes.INT, description="1 to 500, 50 if not given."
            ),
        ],
        responses={200: RunPageSerializer, 400: ErrorSerializer},
    )
    def get(self, request: Request) -> Response:
        visible = Run.objects.visible_to(self.person)
        chosen = filters.narrow(visible, self.query, self.person)
        rows, following = pagination.page_of(chosen, request)
        starred = marks.starred(self.person, [run.pk for run in rows])
        context = {"request": request, "starred": starred}
        results = ListedRunSerializer(rows, many=True, context=context).data
        return Response({"next": following, "results": results})


class RunView(ApiView):
    """One run."""

    @extend_schema(
        operation_id="get_run",
        summary="Show a run",
        responses={200: RunDetailSerializer, **MISSING},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        return Response(self.described(self.run(run_id)))


class RunCancelView(ApiView):
    """Cancelling a run."""

    token_scope = TokenScope.SUBMIT
    @extend_schema(
        operation_id="cancel_run",
        summary="Cancel a run",
        description="Asking again changes nothing. The state follows once the system has confirmed it.",
        request=None,
        responses={
            202: OpenApiResponse(RunDetailSerializer, "Wanted; watch `state`."),
            200: OpenApiResponse(RunDetailSerializer, "The run was over already."),
            403: OpenApiResponse(
                ErrorSerializer, "Only its submitter, managers and administrators may."
            ),
            **MISSING,
        },
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        run = self.run(run_id)
        was_over = RunState(run.state).is_terminal
        cancellation.request_cancel(run=run, user=self.person, address=self.address)
        return Response(self.described(self.run(run_id)), status=200 if was_over else 202)
