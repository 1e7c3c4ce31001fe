"""Holding and releasing a run, having it again, and wishes for many runs at once."""

from __future__ import annotations

import json
import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import TokenScope
from api.exceptions import BadParameter
from api.v1 import filters
from api.v1.serializers import (
    CreatedSerializer,
    ErrorSerializer,
    ReadOnly,
    RunDetailSerializer,
    run_links,
)
from api.v1.views.base import ApiView
from api.v1.views.submission import idempotency_key, read_body
from pipeline_management.choices import Desired, OriginKind, RunSource, RunState
from pipeline_management.errors import InvalidRequest, Problem
from pipeline_management.models import Run
from pipeline_management.services.control import again, wishes
from pipeline_management.services.control.wishes import MOST, Wish
from pipeline_management.services.intake import parse_document

MISSING = {404: OpenApiResponse(ErrorSerializer, "Unknown, or not yours to see.")}
_FORBIDDEN = OpenApiResponse(
    ErrorSerializer, "Only its submitter, managers and administrators may."
)
_WISHED = {
    202: OpenApiResponse(RunDetailSerializer, "Wanted; watch `state` and `held`."),
    403: _FORBIDDEN,
    409: OpenApiResponse(ErrorSerializer, "Too late: it runs, is over or is being cancelled."),
    **MISSING,
}


class _WishView(ApiView):
    token_scope = TokenScope.SUBMIT
    wish: Wish

    def wanted(self, request: Request, run_id: uuid.UUID) -> Response:
        wishes.request(self.wish, run=self.run(run_id), user=self.person, address=self.address)
        return Response(self.described(self.run(run_id)), status=202)


class RunHoldView(_WishView):
    """Keeping a run from starting."""

    wish = Wish.HOLD

    @extend_schema(
        operation_id="hold_run",
        summary="Hold a run",
        description=(
            "A queued run is not submitted, the job of a submitted one is held in the scheduler until somebody "
            "releases it. Asking again changes nothing. A job that starts before the hold arrives runs on."
        ),
        request=None,
        responses=_WISHED,
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.wanted(request, run_id)


class RunReleaseView(_WishView):
    """Letting a held run start."""

    wish = Wish.RELEASE

    @extend_schema(
        operation_id="release_run",
        summary="Release a held run",
        description="Also one that its owner holds in the scheduler by other means.",
        request=None,
        responses=_WISHED,
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.wanted(request, run_id)


_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="1 to 200 printable ASCII characters. The same key gives the same run.",
)
_AGAIN = {
    201: OpenApiResponse(CreatedSerializer, "Created; the Location header has its address."),
    200: OpenApiResponse(CreatedSerializer, "The run that this key had made before."),
    400: OpenApiResponse(ErrorSerializer, "The configuration no longer passes."),
    403: OpenApiResponse(ErrorSerializer, "You may not submit for the run's lab."),
    **MISSING,
}


class _AgainView(ApiView):
    token_scope = TokenScope.SUBMIT
    kind: OriginKind

    def repeated(self, request: Request, run_id: uuid.UUID) -> Response:
        act = again.resume if self.kind is OriginKind.RESUME else again.resubmit
        run, created = act(
            run=self.run(run_id),
            user=self.person,
            source=RunSource.API,
            idempotency_key=idempotency_key(request),
            address=self.address,
        )
        links = run_links(run, request)
        answer = {
            "id": run.pk,
            "name": run.name,
            "state": run.state,
            "links": links,
            "warnings": [],
        }
        status = 201 if created else 200
        return Response(
            CreatedSerializer(answer).data, status=status, headers={"Location": links["self"]}
        )


class RunResubmitView(_AgainView):
    """The same run as a new one."""

    kind = OriginKind.RESUBMIT

    @extend_schema(
        operation_id="resubmit_run",
        summary="Submit a run again",
        description="A new run with the same configuration, pipeline version, lab and system.",
        request=None,
        parameters=[_KEY],
        responses={**_AGAIN, 409: OpenApiResponse(ErrorSerializer, "A job script, or a used key.")},
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.repeated(request, run_id)


class RunResumeView(_AgainView):
    """Going on where a run stopped."""

    kind = OriginKind.RESUME

    @extend_schema(
        operation_id="resume_run",
        summary="Resume a run",
        description=(
            "A new run that works in the directory of this one and does what is left, for pipelines whose "
            "engine can. Only one run at a time works in a directory."
        ),
        request=None,
        parameters=[_KEY],
        responses={
            **_AGAIN,
            409: OpenApiResponse(
                ErrorSerializer, "Nothing to resume, or another run went on there."
            ),
        },
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        return self.repeated(request, run_id)


class OutcomeSerializer(ReadOnly):
    id = serializers.UUIDField(source="run_id")
    granted = serializers.BooleanField(help_text="Also true where nothing was left to do.")
    reason = serializers.CharField(help_text="Why not; empty where it was granted.")


class OutcomesSerializer(ReadOnly):
    """What became of each run, in the order of the request."""

    granted = serializers.IntegerField()
    refused = serializers.IntegerField()
    more = serializers.BooleanField(help_text="Further runs match the filter: ask again.")
    results = OutcomeSerializer(many=True)


class RunsWishView(ApiView):
    """The same wish for many runs."""

    token_scope = TokenScope.SUBMIT
    wish: Wish
    parameters = {"POST": filters.PARAMETERS}

    def many(self, request: Request) -> Response:
        ids = _ids(request)
        more = False
        if ids is None:
            ids, more = self._matching()
        outcomes = wishes.request_many(self.wish, ids, user=self.person, address=self.address)
        granted = sum(outcome.granted for outcome in outcomes)
        answer = {
            "granted": granted,
            "refused": len(outcomes) - granted,
            "more": more,
            "results": outcomes,
        }
        return Response(OutcomesSerializer(answer).data)

    def _matching(self) -> tuple[list[uuid.UUID], bool]:
        """The newest open runs that the filter leaves and for which the wish is news."""
        if not self.request.query_params:
            message = (
                f'Give {{"ids": [...]}} with up to {MOST} run ids, or a filter in the address.'
            )
            raise InvalidRequest([Problem("ids", message, "/ids")])
        visible = Run.objects.visible_to(self.person)
        runs = filters.narrow(visible, self.query, self.person)
        fulfilled = {Wish.CANCEL: Desired.CANCEL, Wish.HOLD: Desired.HOLD}.get(self.wish)
        over = [state for state in RunState if state.is_terminal]
        runs = runs.exclude(state__in=over)
        if fulfilled is not None:
            runs = runs.exclude(desired=fulfilled)
        found = list(runs.order_by("-created_at", "-id").values_list("pk", flat=True)[: MOST + 1])
        return found[:MOST], len(found) > MOST


def _ids(request: Request) -> list[uuid.UUID] | None:
    """The ids of the body, None where there is no body. Raises ``InvalidRequest`` naming what is wrong."""
    if not request._request.body:
        return None
    if request.query_params:
        raise BadParameter(
            next(iter(request.query_params)), "Give either ids or a filter, not both."
        )
    document = parse_document(read_body(request._request))
    unknown = sorted(document.keys() - {"ids"})
    if unknown:
        shown = json.dumps(unknown[0], ensure_ascii=False)[:80]
        raise InvalidRequest([Problem("unknown", f"Unknown key {shown}; expected ids.", "")])
    given = document.get("ids")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST:
        raise InvalidRequest(
            [Problem("ids", f"ids must be a list of 1 to {MOST} run ids.", "/ids")]
        )
    return [_id(value, number) for number, value in enumerate(given)]


def _id(value: Any, number: int) -> uuid.UUID:
    try:
        return uuid.UUID(value if isinstance(value, str) else "")
    except ValueError:
        message = f"ids[{number}] is {json.dumps(value)[:60]}; expected the id of a run."
        raise InvalidRequest([Problem("ids", message, f"/ids/{number}", row=number + 1)]) from None


def _schema(wish: Wish) -> Any:
    return extend_schema(
        operation_id=f"{wish}_runs",
        summary=f"{wish.capitalize()} many runs",
        description=(
            f'With a body {{"ids": [...]}} of up to {MOST} ids, or with the filters of the list in the address and '
            "no body: then it is the newest open runs that match. One refusal keeps no other run from being "
            "granted."
        ),
        request={"application/json": OpenApiTypes.OBJECT},
        responses={200: OutcomesSerializer, 400: ErrorSerializer, 415: ErrorSerializer},
    )


class RunsCancelView(RunsWishView):
    """Cancelling many runs."""

    wish = Wish.CANCEL

    @_schema(Wish.CANCEL)
    def post(self, request: Request) -> Response:
        return self.many(request)


class RunsHoldView(RunsWishView):
    """Holding many runs."""

    wish = Wish.HOLD

    @_schema(Wish.HOLD)
    def post(self, request: Request) -> Response:
        return self.many(request)


class RunsReleaseView(RunsWishView):
    """Releasing many runs."""

    wish = Wish.RELEASE

    @_schema(Wish.RELEASE)
    def post(self, request: Request) -> Response:
        return self.many(request)
