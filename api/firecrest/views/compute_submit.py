"""``/compute/jobs/upload`` and ``/compute/jobs/path``: a job script as its user wrote it, to the scheduler."""

from __future__ import annotations

import json
import posixpath
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request

from api.firecrest import envelopes
from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import MACHINE, form
from api.firecrest.errors import Service
from api.firecrest.routing import route
from hpc.errors import IsADirectory
from hpc.protocol.native import MAX_ENVIRONMENT, check_variable
from pipeline_management.models import SystemAccount
from pipeline_management.services import native_jobs
from pipeline_management.services.native_jobs import JobRequest

_OPTIONAL = {
    "account": "The account that the job is charged to.",
    "env": "JSON object: variables that are added to the job's environment.",
}
_ODD = re.compile(r"[^A-Za-z0-9_.-]")
_LONGEST_NAME = 200


def stored_name(name: str) -> str:
    """The name under which an uploaded script is kept: plain characters, no directories, never hidden."""
    base = name.replace("\\", "/").rpartition("/")[2]
    plain = unicodedata.normalize("NFKD", base).encode("ascii", "ignore").decode()
    kept = _ODD.sub("", re.sub(r"\s+", "_", plain.strip())).lstrip(".-")
    return kept[:_LONGEST_NAME] or "script.batch"


class SubmitView(FirecrestView):
    """What both ways to submit share."""

    service: ClassVar[Service] = "compute"

    def account_field(self) -> str | None:
        """The field ``account``. Raises ``Refusal``."""
        value = self.form.raw("account")
        if value is None:
            return None
        try:
            return self.form.checked(value, "'account'")
        except Refusal as refusal:
            raise Refusal(400, {**refusal.body, "description": "Invalid account"}) from None

    def environment(self) -> dict[str, str]:
        """The variables of the field ``env``. Raises ``Refusal``."""
        text = self.form.raw("env")
        if not text:
            return {}
        try:
            return _variables(json.loads(text))
        except (ValueError, RecursionError) as error:
            told = (
                "the field env is nested too deeply" if isinstance(error, RecursionError) else error
            )
            raise self.refuse(400, f"'env': {told}", description="Failed to submit job") from None

    def submitted(self, account: SystemAccount, request: JobRequest) -> HttpResponseBase:
        """The answer with the task of this submission."""
        task = native_jobs.submit(
            user=self.person,
            account=account,
            request=request,
            address=self.address,
            hand_over=self.hand_over_place,
        )
        return envelopes.created(task, self.request)


def _variables(given: object) -> dict[str, str]:
    if not isinstance(given, Mapping):
        raise ValueError("expected a JSON object of names and values")
    found: dict[str, str] = {}
    for name, value in given.items():
        check_variable(name)
        found[name] = _value(name, value)
    if sum(len(n.encode()) + len(v.encode()) + 2 for n, v in found.items()) > MAX_ENVIRONMENT:
        raise ValueError(f"more than {MAX_ENVIRONMENT} bytes")
    return found


def _value(name: str, value: Any) -> str:
    if isinstance(value, Mapping | list):
        raise ValueError(f"the value of {name} is no text or number")
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    if "\0" in text:
        raise ValueError(f"the value of {name} contains a NUL character")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the value of {name} contains half of a surrogate pair") from None
    if size > MAX_ENVIRONMENT // 2 - 1024:
        raise ValueError(f"the value of {name} is too long")
    return text


class UploadView(SubmitView):
    description: ClassVar[str] = "Failed to submit job file"
    too_large: ClassVar[str] = "Failed to upload batch script. The file is over {mb} MB"

    @extend_schema(
        operation_id="compute_submit_upload",
        summary="Submit a job script that comes with the request",
        parameters=[MACHINE],
        request=form({}, _OPTIONAL, file="file"),
        responses=envelopes.answers(201, envelopes.TASK_CREATED, "The task.", body=True),
    )
    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        part = self.part("file")
        if part is None:
            raise self.refuse(400, "No batch file part")
        if not part.name:
            raise self.refuse(400, "No batch file selected")
        if not part.size:
            raise self.refuse(400, "Batch file is empty")
        asked = JobRequest(
            file=stored_name(part.name),
            content=part.file.read(),
            account=self.account_field(),
            environment=self.environment(),
        )
        return self.submitted(account, asked)


class PathView(SubmitView):
    description: ClassVar[str] = "Failed to submit job"
    names_machine_in_error: ClassVar[bool] = True

    @extend_schema(
        operation_id="compute_submit_path",
        summary="Submit a job script that is on the system",
        parameters=[MACHINE],
        request=form(
            {"targetPath": "The script, absolute or relative to the home directory."}, _OPTIONAL
        ),
        responses=envelopes.answers(201, envelopes.TASK_CREATED, "The task.", body=True),
    )
    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        path = self.form.text("targetPath")
        directory, file = posixpath.split(path)
        charged, environment = self.account_field(), self.environment()
        if file in ("", ".", ".."):
            raise IsADirectory(path, "is a directory")
        asked = JobRequest(
            file=file, directory=directory or ".", account=charged, environment=environment
        )
        return self.submitted(account, asked)


@extend_schema_view(post=extend_schema(operation_id="compute_submit_uploads"))
class TutorialUploadView(UploadView):
    """The same under the address that FirecREST's tutorial prints."""


urlpatterns = [
    route("compute/jobs/upload", UploadView, "firecrest-submit-upload"),
    route("compute/jobs/path", PathView, "firecrest-submit-path"),
    route("compute/job/uploads", TutorialUploadView, "firecrest-submit-uploads"),
]
