"""A run as a file for archives."""

from __future__ import annotations

import uuid

from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from api.v1.views.logs import HARMLESS, ByFormat, PlainText
from pipeline_management.services.provenance import MEDIA_TYPE, export


class Zip(PlainText):
    """Stands for application/zip in the negotiation; the view writes the answer itself."""

    media_type = MEDIA_TYPE
    format = "zip"


class RunProvenanceView(ApiView):
    """A run as a Workflow Run RO-Crate."""

    renderer_classes = [Zip, JSONRenderer]
    content_negotiation_class = ByFormat

    @extend_schema(
        operation_id="export_run",
        summary="Export a run as an RO-Crate",
        description=(
            "A zip by the profile Workflow Run Crate 0.5: who ran which pipeline version when, with which "
            "configuration and inputs, and how it ended; with the job script, the kept ends of the output, tasks "
            "and events. Input and output files are named, not contained. A run that has not ended gives a crate "
            "that says it is incomplete."
        ),
        responses={
            (200, MEDIA_TYPE): OpenApiTypes.BINARY,
            (404, "application/json"): ErrorSerializer,
        },
    )
    def get(self, request: Request, run_id: uuid.UUID) -> HttpResponseBase:
        crate = export(self.run(run_id))
        return FileResponse(
            crate.file,
            as_attachment=True,
            filename=crate.name,
            content_type=MEDIA_TYPE,
            headers={"Cache-Control": "no-store", **HARMLESS},
        )
