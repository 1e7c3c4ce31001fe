"""``/compute/*`` that ask or cancel: queue, accounting, nodes, partitions, reservations.

Each makes a task; its data has the answer, mostly before the client asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from api.firecrest import envelopes, rows
from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import MACHINE, query
from api.firecrest.errors import Service
from api.firecrest.paging import pager
from api.firecrest.routing import route
from hpc.errors import ConnectFailed, SchedulerError
from hpc.rows import AccountingRow, QueueRow
from pipeline_management.choices import TaskStatus
from pipeline_management.models import SystemAccount
from pipeline_management.services import api_tasks, cluster, job_ids, long_answers
from pipeline_management.services.coalescing import Flight
from pipeline_management.services.system_access import is_shared

T = TypeVar("T")

JOINED_SECONDS = 0.25
"""How long a request waits for an answer that somebody else has asked for; then its task stays open."""

_TIME = re.compile(
    r"""(?x)
    \d\d:\d\d(:\d\d)?
    | \d{4}(\d\d)?
    | \d\d/\d\d(/\d\d)? (-\d\d:\d\d(:\d\d)?)?
    | \d\d\.\d\d(\.\d\d)?
    | \d{4}-\d\d-\d\d (T\d\d:\d\d(:\d\d)?)?
    """,
    re.ASCII,
)
"""The times that sacct(1) reads, as far as FirecREST allows them."""

_PAGES = (
    query("pageSize", "Rows a page, 25 if only the number is given."),
    query("pageNumber", "From 0."),
)
_JOB = OpenApiParameter("jobid", str, OpenApiParameter.PATH, description="Id of a job.")


def _asks(name: str, summary: str, *fields: OpenApiParameter) -> Any:
    """Describes an endpoint of this module, as a decorator of the view's method."""
    return extend_schema(
        operation_id=f"compute_{name}",
        summary=summary,
        parameters=[MACHINE, *fields],
        request=None,
        responses=envelopes.answers(200, envelopes.TASK_CREATED, "The task that has the answer."),
    )


class ComputeView(FirecrestView):
    """What the views of this module share."""

    service: ClassVar[Service] = "compute"
    description: ClassVar[str] = "Failed to retrieve jobs information"
    field_description: ClassVar[str] = "Failed to retrieve job information"

    def refuse(
        self,
        status: int,
        error: str | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Refusal:
        """As of the base class; faults of the request have a description of their own."""
        if not headers:
            body.setdefault("description", self.field_description)
        return super().refuse(status, error, headers, **body)

    def ids(self, account: SystemAccount, text: str) -> list[str]:
        """A comma list of job ids, in the form of the account's system. Raises ``Refusal``."""
        ids = text.split(",")
        for job_id in ids:
            if not job_id:
                raise self.refuse(400, "Jobs list wrong format")
            if not job_ids.is_id(job_id, account.system.scheduler):
                raise self.refuse(400, f"{job_id} is not a valid job ID")
        return ids

    def names(self, field: str) -> list[str]:
        """A comma list of names in the query, none if absent. Raises ``Refusal``."""
        return [name for name in (self.query.optional(field) or "").split(",") if name]

    def answer(
        self, account: SystemAccount, work: Callable[[], T], then: Callable[[T], object]
    ) -> HttpResponseBase:
        """A task for ``work``, whose result ``then`` writes as the task's data.

        A system that cannot be reached is told at once, without a task.
        """
        self.account()  # takes a place among those who wait for the system
        task = api_tasks.create(self.person, account.system)
        api_tasks.run_inline(
            task, work, then=then, raises=(ConnectFailed,), hand_over=self.hand_over_place
        )
        return envelopes.created(task, self.request, status=200)

    def answer_shared(
        self,
        account: SystemAccount,
        heard: Callable[[], T | None],
        asking: Callable[[], Flight[Any] | None],
        work: Callable[[], T],
        then: Callable[[T], object],
    ) -> HttpResponseBase:
        """As ``answer``, for questions that many ask: without a wait where the answer is known, and without
        a thread where somebody else is waiting for it already."""
        found = heard()
        if found is None and (flight := asking()) is not None:
            if not flight.done.wait(JOINED_SECONDS):
                task = api_tasks.create(self.person, account.system)
                flight.afterwards(partial(api_tasks.run_later, task, work, then))
                return envelopes.created(task, self.request, status=200)
            found = heard()
        if found is None:
            return self.answer(account, work, then)
        status, data = TaskStatus.SUCCESS, None
        try:
            data = then(found)
        except api_tasks.TaskFailed as failed:
            status, data = TaskStatus.ERROR, failed.data
        task = api_tasks.create(self.person, account.system, status=status, data=data)
        return envelopes.created(task, self.request, status=200)


class JobsView(ComputeView):
    @_asks(
        "jobs", "Jobs in the queue",
        query("jobs", "Comma list of job ids."),
        query("userJobs", "false: everybody's jobs, without their files."),
        *_PAGES,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, fields = self._find_account(), self.query
        asked = fields.optional("jobs")
        ids = self.ids(account, asked) if asked is not None else []
        return self.queue(account, ids, everybody=not fields.flag("userJobs", default=True))

    def queue(
        self, account: SystemAccount, ids: list[str], *, everybody: bool = False
    ) -> HttpResponseBase:
        """The answer for these jobs."""
        person, cut = self.person, pager(self.query)

        def listed(found: list[QueueRow]) -> object:
            shown = found if everybody else cluster.only_own(person, account, found)
            return {str(n): rows.job(row, everybody) for n, row in enumerate(cut(shown))}

        # The whole list is one object for all who ask, and on an account of one's own the same for all.
        same = not ids and (everybody or not is_shared(account))
        page = (everybody, self.query.raw("pageSize"), self.query.raw("pageNumber"))

        def then(found: list[QueueRow]) -> object:
            return long_answers.once(found, page, lambda: listed(found)) if same else listed(found)

        return self.answer_shared(
            account,
            lambda: cluster.heard_of_queue(account, ids, everybody=everybody),
            lambda: cluster.asking_queue(account, everybody=everybody),
            lambda: cluster.queue(account, ids, everybody=everybody),
            then,
        )


class JobView(JobsView):
    def refuse(
        self,
        status: int,
        error: str | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Refusal:
        if self.request.method == "DELETE":
            body.setdefault("description", "Failed to delete job")
        return super().refuse(status, error, headers, **body)

    @_asks("job", "One job in the queue", _JOB)
    def get(self, request: Request, jobid: str) -> HttpResponseBase:
        account = self._find_account()
        return self.queue(account, self.ids(account, self.query.checked(jobid, "'jobid'")))

    @_asks("cancel", "Cancel one job, or those of a comma list", _JOB)
    def delete(self, request: Request, jobid: str) -> HttpResponseBase:
        account = self.account()
        ids = list(dict.fromkeys(self.query.checked(jobid, "'jobid'").split(",")))
        try:
            ending = cluster.begin_ending(self.person, account, ids, self.address)
        except SchedulerError as refused:
            task = api_tasks.create(
                self.person, account.system, status=TaskStatus.ERROR, data=str(refused)
            )
            return envelopes.created(task, request, status=200)
        return self.answer(account, lambda: cluster.end(account, ids, ending), str)


class AccountingView(ComputeView):
    description: ClassVar[str] = "Failed to retrieve account information"
    field_description: ClassVar[str] = "Failed to retrieve account information"

    @_asks(
        "acct", "Jobs as accounting knows them",
        query("jobs", "Comma list of job ids."),
        query("starttime", "Jobs that ran after it; sacct's forms, a wrong one is ignored."),
        query("endtime", "Jobs that ran before it."),
        *_PAGES,
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        account, fields, person = self._find_account(), self.query, self.person
        asked = fields.optional("jobs")
        ids = asked.split(",") if asked is not None else []
        start, end, cut = self.time("starttime"), self.time("endtime"), pager(fields)

        def then(found: list[AccountingRow]) -> object:
            shown = cut(cluster.only_own(person, account, found))
            return [rows.record(row) for row in shown] or {}

        return self.answer_shared(
            account,
            lambda: cluster.heard_of_accounting(account, ids, start, end),
            lambda: cluster.asking_accounting(account, ids, start, end),
            lambda: cluster.accounting(account, ids, start, end),
            then,
        )

    def time(self, field: str) -> str:
        """The field if it is a time that sacct reads, else ""."""
        text = (self.query.raw(field) or "").strip()
        return text if _TIME.fullmatch(text) else ""


class NodesView(ComputeView):
    description: ClassVar[str] = "Failed to retrieve node information"
    field_description: ClassVar[str] = "Failed to retrieve node information"

    @_asks("nodes", "Nodes", query("nodes", "Comma list of names."))
    def get(self, request: Request) -> HttpResponseBase:
        return self.nodes(self.account(), self.names("nodes"))

    def nodes(self, account: SystemAccount, names: list[str]) -> HttpResponseBase:
        """The answer for these nodes."""
        return self.answer(
            account,
            lambda: cluster.nodes(account, names),
            lambda found: [rows.node(row) for row in found],
        )


class NodeView(NodesView):
    @_asks("node", "One node", OpenApiParameter("name", str, OpenApiParameter.PATH))
    def get(self, request: Request, name: str) -> HttpResponseBase:
        account = self.account()
        return self.nodes(account, [self.query.checked(name, "'nodeName'")])


class PartitionsView(ComputeView):
    description: ClassVar[str] = "Failed to retrieve partition information"
    field_description: ClassVar[str] = "Failed to retrieve partition information"

    @_asks("partitions", "Partitions", query("partitions", "Comma list of names."))
    def get(self, request: Request) -> HttpResponseBase:
        account, names = self.account(), self.names("partitions")
        return self.answer(
            account,
            lambda: cluster.partitions(account, names),
            lambda found: [rows.partition(row) for row in found],
        )


class ReservationsView(ComputeView):
    description: ClassVar[str] = "Failed to retrieve reservation information"
    field_description: ClassVar[str] = "Failed to retrieve reservation information"

    @_asks("reservations", "Reservations", query("reservations", "Comma list of names."))
    def get(self, request: Request) -> HttpResponseBase:
        account, names = self.account(), self.names("reservations")
        return self.answer(
            account,
            lambda: cluster.reservations(account, names),
            lambda found: [rows.reservation(row) for row in found],
        )


urlpatterns = [
    route("compute/jobs", JobsView, "firecrest-compute-jobs"),
    route("compute/jobs/<jobid>", JobView, "firecrest-compute-job"),
    route("compute/acct", AccountingView, "firecrest-compute-acct"),
    route("compute/nodes", NodesView, "firecrest-compute-nodes"),
    route("compute/nodes/<name>", NodeView, "firecrest-compute-node"),
    route("compute/partitions", PartitionsView, "firecrest-compute-partitions"),
    route("compute/reservations", ReservationsView, "firecrest-compute-reservations"),
]
