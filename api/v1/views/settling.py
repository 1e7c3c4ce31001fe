"""An administrator's last word on a run of which nothing can be learnt any more."""

from __future__ import annotations

import json
import uuid

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.v1.serializers import ErrorSerializer, RunDetailSerializer
from api.v1.views.base import ApiView
from api.v1.views.control import MISSING
from api.v1.views.submission import read_body
from pipeline_management.errors import InvalidRequest, NotAllowed, Problem
from pipeline_management.policy import is_administrator
from pipeline_management.services.control import settling
from pipeline_management.services.intake import parse_document


class SettlementSerializer(serializers.Serializer):
    """What the body of a settlement holds."""

    outcome = serializers.ChoiceField([outcome.value for outcome in settling.OUTCOMES])
    reason = serializers.CharField(min_length=settling.SHORTEST, max_length=settling.LONGEST)
    cancel_job = serializers.BooleanField(
        required=False, default=True, help_text="Try to end its job once the system answers."
    )


class RunSettleView(ApiView):
    """Ending a run on a person's word."""

    @extend_schema(
        operation_id="settle_run",
        summary="Settle a run",
        description=(
            "For administrators, and only for an open run of which the truth cannot be learnt at the moment. The "
            "outcome is final; the job may still be running, and Centro stops watching it."
        ),
        request={"application/json": SettlementSerializer},
        responses={
            200: OpenApiResponse(RunDetailSerializer, "Ended as asked."),
            400: OpenApiResponse(ErrorSerializer, "The outcome or the reason cannot be."),
            403: OpenApiResponse(ErrorSerializer, "Only administrators may."),
            409: OpenApiResponse(ErrorSerializer, "It is over, or can be cancelled instead."),
            415: ErrorSerializer,
            **MISSING,
        },
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        run = self.run(run_id)
        if not is_administrator(self.person):
            raise NotAllowed(settling.why_not(run, self.person))
        outcome, reason, cancel_job = _asked(parse_document(read_body(request._request)))
        settling.settle(
            run=run,
            user=self.person,
            outcome=outcome,
            reason=reason,
            cancel_job=cancel_job,
            address=self.address,
        )
        return Response(self.described(self.run(run_id)))


def _asked(document: dict[str, object]) -> tuple[str, str, bool]:
    """Outcome, reason and whether to end the job. Raises ``InvalidRequest`` naming what is wrong."""
    unknown = sorted(document.keys() - {"outcome", "reason", "cancel_job"})
    if unknown:
        shown = json.dumps(unknown[0], ensure_ascii=False)[:80]
        message = f"Unknown key {shown}; expected outcome, reason or cancel_job."
        raise InvalidRequest([Problem("unknown", message, "")])
    cancel_job = document.get("cancel_job", True)
    if not isinstance(cancel_job, bool):
        message = "cancel_job: expected true or false."
        raise InvalidRequest([Problem("cancel_job", message, "/cancel_job")])
    outcome, reason = document.get("outcome"), document.get("reason")
    return (
        outcome if isinstance(outcome, str) else "",
        reason if isinstance(reason, str) else "",
        cancel_job,
    )
