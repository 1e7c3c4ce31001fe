"""Workbooks by the API: the template of a version, and a filled one back with its faults marked."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions as rest
from rest_framework.request import Request

from accounts.models import TokenScope
from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from api.v1.views.catalogue import MISSING, version_of
from api.v1.views.submission import XLSX, read_workbook
from pipeline_management.services.workbook import taking
from pipeline_management.services.workbook.template import file_name, template


class PipelineWorkbookView(ApiView):
    """The workbook of a version."""

    parameters = {"GET": frozenset({"example"})}

    @extend_schema(
        operation_id="get_pipeline_workbook",
        summary="The configuration's workbook (xlsx)",
        description="`version` may also be `latest` or `development`; with `example=1` it is filled.",
        parameters=[OpenApiParameter("example", OpenApiTypes.BOOL)],
        responses={
            (200, XLSX): OpenApiTypes.BINARY,
            400: OpenApiResponse(ErrorSerializer, "A parameter is wrong."),
            **MISSING,
        },
    )
    def get(self, request: Request, name: str, version: str) -> HttpResponse:
        found = version_of(request.user, name, version)
        return _file(template(found, example=self.query.flag("example")), file_name(found))


class WorkbookMarkedView(ApiView):
    """A filled workbook back with its faults marked."""

    token_scope = TokenScope.READ

    @extend_schema(
        operation_id="mark_workbook",
        summary="Mark the faults of a workbook",
        description=(
            "The body is a filled workbook; the answer is the same with the cells at fault in red, a comment "
            "at each and a sheet that lists them. The header `Centro-Faults` has their number. Nothing is kept."
        ),
        request={XLSX: OpenApiTypes.BINARY},
        responses={
            (200, XLSX): OpenApiTypes.BINARY,
            **{
                code: OpenApiResponse(ErrorSerializer, text)
                for code, text in (
                    (400, "No workbook, or one that is not read."),
                    (403, "Not in the name of this lab."),
                    (413, "Over 10 MB, or too large to be marked."),
                    (415, "Not sent as a workbook."),
                    (503, "Others are being read."),
                )
            },
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """The same checks as ``/api/v1/new-run/?dry_run=1``."""
        body = read_workbook(request._request)
        if body is None:
            message = f"Send a workbook, with the header “Content-Type: {XLSX}”."
            raise rest.UnsupportedMediaType(request.content_type or "", message)
        taken = taking.take(self.person, body)
        answer = _file(taking.marked(body, taken.problems, taken.cells), "marked.xlsx")
        answer["Centro-Faults"] = str(len(taken.problems))
        return answer


def _file(data: bytes, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(data, content_type=XLSX, headers=headers)
