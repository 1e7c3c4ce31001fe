"""``/storage/xfer-external/*``: large files between the person's computer and a system, by the staging area."""

from __future__ import annotations

import re
from typing import ClassVar

from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from api.firecrest import envelopes, refusals
from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import MACHINE, form
from api.firecrest.errors import Service
from api.firecrest.external import transfer_of
from api.firecrest.routing import route
from hpc.errors import RemoteFileError
from pipeline_management.services import api_tasks
from pipeline_management.services.transfers import requests

_ID = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)
_TASK_HEADER = OpenApiParameter(
    "X-Task-Id", str, OpenApiParameter.HEADER, required=True,
    description="The id of the transfer's task.",
)  # fmt: skip
_DONE = {
    "type": "object",
    "properties": {"success": {"type": "string"}},
    "required": ["success"],
}


class ExternalUploadView(FirecrestView):
    service: ClassVar[Service] = "storage"
    description: ClassVar[str] = "Failed to upload file"

    @extend_schema(
        operation_id="xfer_external_upload",
        summary="Bring a large file to a system",
        description="The task has a form by which the file is sent to the staging area: as a curl line and as "
        "parameters. From there it goes on to the system by itself.",
        parameters=[MACHINE],
        request=form(
            {
                "sourcePath": "On your own computer. Only the base name is used.",
                "targetPath": "On the system: an existing directory, or a file in one.",
            }
        ),
        responses=envelopes.answers(201, envelopes.TASK_CREATED, "The task.", body=True),
    )
    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        source, target = self.form.text("sourcePath"), self.form.text("targetPath")
        if source.rpartition("/")[2] in ("", ".", ".."):
            raise self.refuse(400, "'sourcePath' has no file name")
        try:
            transfer = requests.request_upload(
                self.person, account, target, source, with_task=True, address=self.address
            )
        except RemoteFileError as error:
            raise self._not_there(error) from error
        except ValueError as error:
            raise self.refuse(400, str(error)) from error
        return envelopes.created(transfer.api_task, self.request)

    def _not_there(self, error: RemoteFileError) -> Refusal:
        """The header tells why, the text that it is the target that will not do."""
        told = refusals.of(error, self) or self.refuse(400)
        body = told.body | {"error": "'targetPath' directory not allowed"}
        return Refusal(told.status, body, told.headers)


class ExternalDownloadView(FirecrestView):
    service: ClassVar[Service] = "storage"
    description: ClassVar[str] = "sourcePath error"

    @extend_schema(
        operation_id="xfer_external_download",
        summary="Fetch a large file from a system",
        description="The task has a link to the file once the system has brought it to the staging area.",
        parameters=[MACHINE],
        request=form({"sourcePath": "On the system: a regular file."}),
        responses=envelopes.answers(201, envelopes.TASK_CREATED, "The task.", body=True),
    )
    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        source = self.form.text("sourcePath")
        try:
            transfer = requests.request_download(
                self.person, account, source, with_task=True, address=self.address
            )
        except ValueError as error:
            raise self.refuse(400, str(error)) from error
        return envelopes.created(transfer.api_task, self.request)


class InvalidateView(FirecrestView):
    service: ClassVar[Service] = "storage"
    description: ClassVar[str] = "Failed to invalidate the link"

    @extend_schema(
        operation_id="xfer_external_invalidate",
        summary="Take a link back",
        description="The link is dead when the answer comes. Again and again is no error.",
        parameters=[_TASK_HEADER],
        request=None,
        responses=envelopes.answers(201, _DONE, "The link is dead.", body=True),
    )
    def post(self, request: Request) -> HttpResponseBase:
        task_id = request.headers.get("X-Task-Id")
        if task_id is None:
            raise Refusal(400, {"error": "Header X-Task-Id missing"})
        if not _ID.fullmatch(task_id):
            raise Refusal(400, {"error": "Header X-Task-Id is not alphanumeric"})
        task = api_tasks.find(task_id)
        transfer = transfer_of(task) if task and task.user_id == self.person.pk else None
        if transfer is None:
            raise Refusal(400, {"error": "Invalid X-Task-Id"})
        requests.invalidate(transfer, user=self.person, address=self.address)
        return JsonResponse({"success": "URL invalidated successfully"}, status=201)


urlpatterns = [
    route("storage/xfer-external/upload", ExternalUploadView, "firecrest-xfer-external-upload"),
    route(
        "storage/xfer-external/download", ExternalDownloadView, "firecrest-xfer-external-download"
    ),
    route("storage/xfer-external/invalidate", InvalidateView, "firecrest-xfer-external-invalidate"),
]
