"""``/storage/xfer-internal/*``: long operations on files as jobs of the scheduler."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from api.firecrest import envelopes
from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import MACHINE, form
from api.firecrest.errors import Service
from api.firecrest.routing import route
from hpc.errors import UnsupportedArchive
from pipeline_management.services import file_jobs, native_jobs
from pipeline_management.services.file_jobs import DEFAULT_TIME, Operation
from pipeline_management.services.native_outcomes import SubmissionRefused

SBATCH_ERROR = "X-Sbatch-Error"
_TIME_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        r"(?P<minutes>[0-9]{1,6})",
        r"(?P<minutes>[0-5]?[0-9]):(?P<seconds>[0-5]?[0-9])",
        r"(?P<hours>[0-9]{1,4}):(?P<minutes>[0-5]?[0-9]):(?P<seconds>[0-5]?[0-9])",
        r"(?P<days>[0-9]{1,3})-(?P<hours>[01]?[0-9]|2[0-3])"
        r"(:(?P<minutes>[0-5]?[0-9])(:(?P<seconds>[0-5]?[0-9]))?)?",
    )
)
_JOB = re.compile(r"[0-9]{1,18}(_[0-9]{1,9})?", re.ASCII)
_TARGET = "Absolute, or relative to the home directory."
_OPTIONAL = {
    "jobName": "The job's name; <operation>-job if it is empty or left out.",
    "time": "MM, MM:SS, HH:MM:SS, DD-HH, DD-HH:MM or DD-HH:MM:SS; 02:00:00 if left out.",
    "stageOutJobId": "The job starts only after this one has ended well.",
    "account": "The account that the job is charged to.",
}


def parse_time(text: str) -> timedelta | None:
    """A time limit in one of the six forms; None for anything else and for no time at all."""
    for shape in _TIME_FORMS:
        if match := shape.fullmatch(text):
            parts = {unit: int(number) for unit, number in match.groupdict().items() if number}
            return timedelta(**parts) or None
    return None


class TransferView(FirecrestView):
    """One operation; the subclasses say which."""

    service: ClassVar[Service] = "storage"
    operation: ClassVar[Operation]

    def post(self, request: Request) -> HttpResponseBase:
        account = self.account()
        build = partial(
            file_jobs.request,
            self.operation,
            account,
            target=self.form.text("targetPath"),
            source=self.form.text("sourcePath") if self.operation != "rm" else None,
            name=self._part("jobName", self._name),
            walltime=self._time(),
            after=self._part("stageOutJobId", self._job),
            charged=self._part("account", partial(self.form.optional, "account")),
            dereference=self.form.flag("dereference"),
        )
        try:
            asked = build(extension=self.form.raw("extension") or self.form.raw("type") or "auto")
        except UnsupportedArchive as error:
            raise self.refuse(400, f"Unsupported file format in {error.path}.") from None
        try:
            task = native_jobs.submit(
                user=self.person,
                account=account,
                request=asked,
                address=self.address,
                hand_over=self.hand_over_place,
                refusals_raise=True,
            )
        except SubmissionRefused as refused:
            text = str(refused)
            raise Refusal(400, {"error": text}, {SBATCH_ERROR: text}) from None
        return envelopes.created(task, self.request)

    def _part(self, name: str, read: Callable[[], str | None]) -> str | None:
        """A field whose faults have a description of their own. Raises ``Refusal``."""
        try:
            return read()
        except Refusal as refusal:
            told = {**refusal.body, "description": f"Invalid {name}"}
            raise Refusal(400, told) from None

    def _name(self) -> str | None:
        return self.form.optional("jobName", blank_is_absent=True)

    def _job(self) -> str | None:
        value = self.form.optional("stageOutJobId")
        if value is not None and not _JOB.fullmatch(value):
            raise self.refuse(400, f"{value} is not a valid job ID")
        return value

    def _time(self) -> timedelta:
        text = self.form.raw("time")
        if text is None:
            return DEFAULT_TIME
        limit = parse_time(text)
        if limit is None:
            raise Refusal(400, {"error": "Not supported time format"})
        return limit


_NEEDED = {"sourcePath": _TARGET, "targetPath": _TARGET}
_MORE = {
    "compress": {"dereference": "true: what links point to in place of links."},
    "extract": {"extension": "The kind of archive; that of the name if left out or unknown."},
}


def _view(operation: Operation) -> type[TransferView]:
    """The view class of one operation."""
    needed = {"targetPath": _TARGET} if operation == "rm" else _NEEDED
    described: Any = extend_schema(
        operation_id=f"xfer_internal_{operation}",
        summary=f"{operation} as a job",
        parameters=[MACHINE],
        request=form(needed, {**_OPTIONAL, **_MORE.get(operation, {})}),
        responses=envelopes.answers(201, envelopes.TASK_CREATED, "The task.", body=True),
    )

    def post(self: TransferView, request: Request) -> HttpResponseBase:
        return TransferView.post(self, request)

    members = {
        "operation": operation,
        "description": f"Error on {operation} operation",
        "post": described(post),
        "__doc__": f"``POST /storage/xfer-internal/{operation}``",
    }
    return type(f"{operation.title()}JobView", (TransferView,), members)


urlpatterns = [
    route(
        f"storage/xfer-internal/{operation}",
        _view(operation),
        f"firecrest-xfer-internal-{operation}",
    )
    for operation in file_jobs.OPERATIONS
]
