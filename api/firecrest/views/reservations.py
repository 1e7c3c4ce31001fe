"""``/reservations``: nodes reserved for an account. Clients are urged to use the compute service to look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import MACHINE, answers, form, no_content
from api.firecrest.errors import Service
from api.firecrest.routing import route
from hpc.errors import NotSupported, SchedulerError
from hpc.rows import ReservationRow, ReservationSpec
from pipeline_management.services import cluster, reservations

_NAME = re.compile(r"[a-z_$][a-z0-9_$-]{0,63}", re.ASCII)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_COUNT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)

_VERBS = {"GET": "listing", "POST": "creating", "PUT": "updating", "DELETE": "deleting"}
_TEXT = {"type": "string"}
_ROW = {"type": "object", "additionalProperties": _TEXT}
_LISTED = {
    "type": "object",
    "properties": {"success": {"type": "array", "items": _ROW}},
    "required": ["success"],
}
_DONE = {"type": "object", "properties": {"success": _TEXT}, "required": ["success"]}
_WHICH = OpenApiParameter("name", str, OpenApiParameter.PATH, description="Of a reservation.")
_NEW = {
    "reservation": "Its name: a to z, 0 to 9, _, $ and -.",
    "account": "The account whose jobs may use it.",
}
_CHANGED = {
    "numberOfNodes": "How many nodes.",
    "nodeType": "A feature of the nodes.",
    "starttime": "YYYY-MM-DDTHH:MM:SS in the system's time zone.",
    "endtime": "YYYY-MM-DDTHH:MM:SS in the system's time zone.",
}


class ReservationsView(FirecrestView):
    service: ClassVar[Service] = "reservations"

    def refuse(
        self,
        status: int,
        error: str | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Refusal:
        """What was tried in ``error``, the reason in ``description``."""
        verb = _VERBS.get(self.request.method or "", "listing")
        refusal = super().refuse(status, error, headers, **body)
        refusal.body["error"] = f"Error {verb} reservation"
        return refusal

    def handle_exception(self, exc: Exception) -> Any:
        """The scheduler's own refusals come without a header; those of the machine keep theirs."""
        if isinstance(exc, SchedulerError | NotSupported):
            exc = self.refuse(400, str(exc))
        return super().handle_exception(exc)

    def name(self, field: str, value: str | None) -> str:
        """A name that must be there. Raises ``Refusal``."""
        if value is None:
            raise self.refuse(400, f"'{field}' form data input missing")
        if not _NAME.fullmatch(value):
            raise self.refuse(400, f"'{field}' parameter format is not valid")
        return value

    def spec(self, reservation: str) -> ReservationSpec:
        """The fields that creating and updating have in common. Raises ``Refusal``."""
        count = self.form.raw("numberOfNodes")
        if count is None:
            raise self.refuse(400, "'numberOfNodes' form data input missing")
        if not _COUNT.fullmatch(count):
            raise self.refuse(400, "'numberOfNodes' parameter is not valid")
        feature = self.name("nodeType", self.form.raw("nodeType"))
        start, end = self.stamp("starttime"), self.stamp("endtime")
        if end < start:  # the form makes text order that of the times
            raise self.refuse(400, "'endtime' occurs before 'starttime'")
        return ReservationSpec(reservation, int(count), feature, start, end)

    def stamp(self, field: str) -> str:
        """A time stamp that must be there. Raises ``Refusal``."""
        text = self.form.raw(field)
        if text is None:
            raise self.refuse(400, f"'{field}' form data input missing")
        try:
            if _STAMP.fullmatch(text):
                datetime.fromisoformat(text)
                return text
        except ValueError:
            pass
        raise self.refuse(400, f"'{field}' parameter format is not valid")

    @extend_schema(
        operation_id="reservations_list", summary="All reservations", parameters=[MACHINE],
        request=None, responses=answers(200, _LISTED),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        found = cluster.reservations(self.account())
        return JsonResponse({"success": [_row(row) for row in found]})

    @extend_schema(
        operation_id="reservations_create", summary="Reserve nodes", parameters=[MACHINE],
        request=form(_NEW | _CHANGED), responses=answers(201, _DONE, body=True),
    )  # fmt: skip
    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        name = self.name("reservation", self.form.raw("reservation"))
        charged = self.name("account", self.form.raw("account"))
        reservations.create(self.person, account, self.spec(name), charged, self.address)
        return JsonResponse({"success": f"Reservation {name} created"}, status=201)


class ReservationView(ReservationsView):
    http_method_names = ["put", "delete"]

    @extend_schema(
        operation_id="reservations_update", summary="Change a reservation",
        parameters=[MACHINE, _WHICH], request=form(_CHANGED), responses=answers(200, _DONE, body=True),
    )  # fmt: skip
    def put(self, request: Request, name: str) -> HttpResponseBase:
        account = self.account()
        spec = self.spec(self.name("reservation", name))
        reservations.update(self.person, account, spec, self.address)
        return JsonResponse({"success": f"Reservation {name} updated"})

    @extend_schema(
        operation_id="reservations_delete", summary="Remove a reservation",
        parameters=[MACHINE, _WHICH], request=None, responses=answers(204, None, body=True),
    )  # fmt: skip
    def delete(self, request: Request, name: str) -> HttpResponseBase:
        account = self.account()
        reservations.delete(self.person, account, self.name("reservation", name), self.address)
        return no_content()


def _row(row: ReservationRow) -> dict[str, str]:
    """A reservation as this service tells it: all text, names in lower case."""
    return {
        "reservationname": row.name,
        "starttime": row.start_time,
        "endtime": row.end_time,
        "state": row.state,
        "nodes": row.nodes,
        "nodecnt": row.node_count,
        "features": "&".join(row.features),
        "accounts": ",".join(row.accounts),
        "users": ",".join(row.users),
        "partitionname": row.partition,
    }


urlpatterns = [
    route("reservations", ReservationsView, "firecrest-reservations"),
    route("reservations/<name>", ReservationView, "firecrest-reservation"),
]
