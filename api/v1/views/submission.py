"""Taking in a run: the body is the configuration itself."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import exceptions as rest
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import TokenScope
from api.exceptions import BadParameter, LengthRequired
from api.v1.plans import PlannedRunSerializer, plan_of
from api.v1.serializers import CreatedSerializer, ErrorSerializer, run_links
from api.v1.views.base import ApiView
from pipeline_management.choices import RunSource
from pipeline_management.errors import Problem, TooLarge
from pipeline_management.services import intake
from pipeline_management.services.workbook import taking

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_TYPE_HINT = "send the configuration with the header “Content-Type: application/json”"


def read_body(request: HttpRequest) -> bytes:
    """The raw body of a JSON request, not decoded.

    Raises ``UnsupportedMediaType`` for other content types, ``TooLarge`` before reading a body whose
    announced length is over the limit, ``LengthRequired`` for a body sent in pieces,
    ``BadParameter`` for a length that is none.
    """
    kind = (request.content_type or "").lower()
    if kind != "application/json":
        sent = f"“{kind[:60]}”" if kind else "no content type"
        raise rest.UnsupportedMediaType(kind, f"The request has {sent}; {_TYPE_HINT}.")
    charset = (request.content_params or {}).get("charset", "utf-8").strip('"').lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        message = f"The charset “{charset[:40]}” is not accepted; JSON is sent as UTF-8."
        raise rest.UnsupportedMediaType(kind, message)
    return _plain_body(request)


def read_workbook(request: HttpRequest) -> bytes | None:
    """The raw body of a request that sends a workbook; None for other content types. Raises like ``read_body``."""
    return _plain_body(request) if (request.content_type or "").lower() == XLSX else None


def _plain_body(request: HttpRequest) -> bytes:
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        message = "A Content-Encoding is not accepted; send the body as it is."
        raise rest.UnsupportedMediaType((request.content_type or "").lower(), message)
    _check_length(request)
    return request.body


def _check_length(request: HttpRequest) -> None:
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired("Send the body in one piece with a Content-Length header.")
    if length and not (length.isascii() and length.isdigit()):
        raise BadParameter("Content-Length", "“Content-Length” is not a number.")
    if len(length) > 18 or int(length or 0) > intake.MAX_BODY:
        message = (
            f"The body has {length[:18]} bytes; at most {intake.MAX_BODY} (10 MB) are accepted."
        )
        raise TooLarge([Problem("too_large", message)])


class NewRunView(ApiView):
    """Submit a run."""

    token_scope = TokenScope.SUBMIT
    parameters = {"POST": frozenset({"dry_run"})}

    @extend_schema(
        operation_id="new_run",
        summary="Submit a run",
        description=(
            "The body is the bare configuration JSON of the pipeline that its `pipeline` key names "
            "(`name`, `name@version`, `name@latest`, `name@development`). `lab` and `system` may be "
            "named in it too. With `dry_run=1` everything is checked and rendered, nothing is created; for "
            "Jetstream and Snakemake the system is asked what would run, which takes some seconds. "
            "The body may be a filled workbook of a pipeline (xlsx) as well; its errors have `sheet` and `cell`."
        ),
        request={"application/json": OpenApiTypes.OBJECT, XLSX: OpenApiTypes.BINARY},
        parameters=[
            OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="1: check and render only."),
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="1 to 200 printable ASCII characters. The same key gives the same run.",
            ),
        ],
        examples=[
            OpenApiExample("hello", {"pipeline": "hello@1.0", "name": "world"}, request_only=True)
        ],
        responses={
            201: OpenApiResponse(
                CreatedSerializer, "Created; the Location header has its address."
            ),
            200: OpenApiResponse(
                PolymorphicProxySerializer(
                    component_name="NewRunKnownOrChecked",
                    serializers=[PlannedRunSerializer, CreatedSerializer],
                    resource_type_field_name=None,
                ),
                "With `dry_run=1`; or, in the form of 201, the run that this key had made before.",
            ),
            **{
                code: OpenApiResponse(ErrorSerializer, text)
                for code, text in (
                    (400, "All problems of the configuration."),
                    (403, "Not in the name of this lab."),
                    (409, "The key was used for another configuration."),
                    (413, "Over 10 MB."),
                    (415, "Not sent as application/json."),
                    (429, "Too many wrong passwords."),
                )
            },
        },
    )
    def post(self, request: Request) -> Response:
        """Take the configuration, or say everything that is wrong with it."""
        dry_run = self.query.flag("dry_run")
        key = idempotency_key(request)
        prepared = self._prepared(request._request)
        if dry_run:
            return Response(_preview(prepared))
        run, created = intake.create_run(
            user=self.person,
            prepared=prepared,
            source=RunSource.API,
            idempotency_key=key,
            address=self.address,
        )
        links = run_links(run, request)
        answer = {
            "id": run.pk,
            "name": run.name,
            "state": run.state,
            "links": links,
            "warnings": [problem.as_dict() for problem in prepared.warnings],
        }
        status = 201 if created else 200
        return Response(
            CreatedSerializer(answer).data, status=status, headers={"Location": links["self"]}
        )


    def _prepared(self, request: HttpRequest) -> intake.PreparedRun:
        book = read_workbook(request)
        if book is not None:
            return taking.prepared(self.person, book)
        body = read_body(request)
        document = intake.parse_document(body)
        return intake.prepare(user=self.person, document=document, text=body.decode("utf-8-sig"))


def idempotency_key(request: Request) -> str | None:
    """The request's key, None for none; ``BadParameter`` for a malformed one."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (
        1 <= len(key) <= 200 and key.isascii() and key.isprintable() and key == key.strip()
    ):
        raise BadParameter(
            "Idempotency-Key",
            "“Idempotency-Key” must be 1 to 200 printable ASCII characters, without blanks at the ends.",
        )
    return key


def _preview(prepared: intake.PreparedRun) -> dict[str, Any]:
    version = prepared.version
    return {
        "valid": True,
        "pipeline": f"{version.pipeline.name}@{version.version}",
        "system": prepared.system.name,
        "lab": prepared.lab.slug,
        "name": prepared.name,
        "resources": prepared.resources,
        "script": prepared.script,
        "warnings": [problem.as_dict() for problem in prepared.warnings],
        **plan_of(prepared),
    }
