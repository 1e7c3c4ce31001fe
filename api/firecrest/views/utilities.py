"""``/utilities/*``: operations on files, done while the client waits."""

from __future__ import annotations

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from api.firecrest import envelopes
from api.firecrest.base import FirecrestView
from api.firecrest.routing import route


class WhoAmIView(FirecrestView):
    description = "Error on whoami operation"

    @extend_schema(
        operation_id="utilities_whoami", summary="The user name on the system",
        parameters=[envelopes.MACHINE],
        responses=envelopes.answers(200, envelopes.output_schema({"type": "string"})),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        return envelopes.output(self.account().username)


urlpatterns = [
    route("utilities/whoami", WhoAmIView, "firecrest-utilities-whoami"),
]
