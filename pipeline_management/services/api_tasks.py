"""FirecREST's asynchronous tasks: made before the answer, mostly also ended before it, never open for ever."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

from django.contrib.auth.models import User
from django.db import connections
from django.db.models import QuerySet
from django.utils import timezone

from hpc.errors import HpcError
from pipeline_management.choices import TaskService, TaskStatus
from pipeline_management.models import ApiTask, Run, System
from pipeline_management.models.api_task import OPEN_STATUSES
from pipeline_management.services import long_answers

T = TypeVar("T")
logger = logging.getLogger(__name__)

KEPT = {TaskService.COMPUTE: timedelta(hours=24), TaskService.STORAGE: timedelta(days=7)}
DEADLINE = 2.0
"""Seconds that a request waits for its own work; a client that asks again loses about one."""
INTERRUPTED_AFTER = timedelta(minutes=4)
"""No work of a task without a run takes that long: its commands have deadlines well below."""
INTERRUPTED = "The request was interrupted; ask again."
_WORKERS = 64
_OPEN = tuple(OPEN_STATUSES)

_pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="api-task")


class TaskFailed(Exception):
    """The work of a task ended without an answer; ``data`` is what the client is told."""

    def __init__(self, data: object) -> None:
        super().__init__(str(data))
        self.data = data


class StillRunning(Exception):
    """The work has left its task as it is: somebody else brings it to an end."""


def create(
    user: User,
    system: System,
    service: str = TaskService.COMPUTE,
    status: str = TaskStatus.QUEUED,
    data: object = None,
    run: Run | None = None,
    *,
    task_id: str | None = None,
) -> ApiTask:
    """A new task, in the caller's transaction if there is one, else committed before this returns.

    Without ``data`` it says what its status means; ``data`` may be ``long_answers.Stored``. ``status`` is a
    code of ``TaskStatus``.
    """
    now = timezone.now()
    kind = TaskService(service)
    return ApiTask.objects.create(
        id=task_id or uuid.uuid4().hex,
        user=user,
        system=system,
        service=kind,
        status=status,
        run=run,
        updated_at=now,
        expires_at=now + KEPT[kind],
        **_said(status, data),
    )


def finish(task: ApiTask, status: str, data: object = None) -> bool:
    """Bring an open task to its end; False if somebody else has already, and then nothing changes."""
    now = timezone.now()
    told = _said(status, data)
    done = ApiTask.objects.filter(pk=task.pk, status__in=_OPEN).update(
        status=status, updated_at=now, **told
    )
    if done:
        task.status, task.updated_at = TaskStatus(status), now
        task.data, task.answer_id = told["data"], told["answer_id"]
    return bool(done)


def finish_of_runs(runs: Iterable[Run], status: str, data: object) -> None:
    """Bring the open tasks of these runs to their end, in the caller's transaction."""
    ApiTask.objects.filter(run__in=[run.pk for run in runs], status__in=_OPEN).update(
        status=status, updated_at=timezone.now(), **_said(status, data)
    )


def visible(user: User, ids: Collection[str] | None = None) -> QuerySet[ApiTask]:
    """The person's own tasks that have not expired, newest first; with ``ids`` only those among them."""
    tasks = ApiTask.objects.filter(user=user, expires_at__gt=timezone.now())
    tasks = tasks.select_related("user", "system", "transfer")
    return tasks if ids is None else tasks.filter(pk__in=ids)


def find(task_id: str) -> ApiTask | None:
    """The task of that id, whosever it is; the caller checks the owner."""
    tasks = ApiTask.objects.select_related("user", "system", "transfer")
    return tasks.filter(pk=task_id, expires_at__gt=timezone.now()).first()


def run_inline(
    task: ApiTask,
    work: Callable[[], T],
    deadline: float | None = None,
    *,
    then: Callable[[T], object] | None = None,
    raises: tuple[type[Exception], ...] = (),
    hand_over: Callable[[], Callable[[bool], None]] | None = None,
) -> ApiTask:
    """Do the work of a task now and return the task as it is then, ended or still open.

    ``work`` runs in a thread of its own and should not touch the database; ``then`` gets what it returned
    and may. The result (of ``then`` if given) becomes the task's data with status 200. What either
    raises ends the task with 400: ``TaskFailed`` with its data, ``HpcError`` with its text; after
    ``StillRunning`` the task stays open. Past ``deadline`` seconds (``DEADLINE``) the request is not kept waiting: the
    work goes on alone, and ``hand_over()``, called then, gives what is to be called at its end. Exceptions
    of the classes in ``raises`` within the deadline delete the task and pass through instead.
    """
    future = _pool.submit(work)
    if not wait([future], DEADLINE if deadline is None else deadline).done:
        leave = hand_over() if hand_over is not None else None
        future.add_done_callback(partial(_later, task, then, leave))
        return task
    try:
        _record(task, future, then, raises)
    except raises:
        ApiTask.objects.filter(pk=task.pk).delete()
        raise
    return task


def run_later(
    task: ApiTask, work: Callable[[], T], then: Callable[[T], object] | None = None
) -> None:
    """As ``run_inline`` for somebody who waits for nothing, not even for an answer that is known."""

    def whole() -> None:
        future: Future[T] = Future()
        try:
            future.set_result(work())
        except Exception as error:  # told as the end of the task
            future.set_exception(error)
        _later(task, then, None, future)

    _pool.submit(whole)


def _record(
    task: ApiTask,
    future: Future[T],
    then: Callable[[T], object] | None,
    raises: tuple[type[Exception], ...] = (),
) -> None:
    """The end of the work is the end of the task."""
    try:
        answer = future.result()
        finish(task, TaskStatus.SUCCESS, then(answer) if then is not None else answer)
    except StillRunning:
        return
    except raises:
        raise
    except Exception as error:  # whatever it is, nobody will do the work again
        finish(task, TaskStatus.ERROR, _reason(task, error))


def _later(
    task: ApiTask,
    then: Callable[[T], object] | None,
    leave: Callable[[bool], None] | None,
    future: Future[T],
) -> None:
    """After a request that did not wait, in the thread of the work; it keeps no database connection."""
    try:
        _record(task, future, then)
    except Exception as error:  # the sweep ends the task
        logger.warning("task %s could not be ended: %s", task.pk, error)
    finally:
        connections.close_all()
        if leave is not None:
            leave(True)


def _reason(task: ApiTask, error: BaseException) -> object:
    if isinstance(error, TaskFailed):
        return error.data
    if isinstance(error, HpcError | ValueError):
        return str(error)
    logger.error("task %s failed", task.pk, exc_info=error)
    return "Centro could not do this; its log says why."


def _said(status: str, data: object) -> dict[str, Any]:
    """The columns of what a task says: without data what its status means, a long answer by its digest."""
    if data is None:
        return {"data": TaskStatus(status).label, "answer_id": None}
    kept = long_answers.keep(data)
    if isinstance(kept, long_answers.Stored):
        return {"data": None, "answer_id": kept.digest}
    return {"data": kept, "answer_id": None}


def end_interrupted() -> int:
    """End the tasks whose work died with its process; returns how many. Those of runs end with the run."""
    before = timezone.now() - INTERRUPTED_AFTER
    return ApiTask.objects.filter(
        status__in=_OPEN, created_at__lt=before, run__isnull=True, service=TaskService.COMPUTE
    ).update(status=TaskStatus.ERROR, data=INTERRUPTED, updated_at=timezone.now())


def delete_expired() -> int:
    """Forget the tasks that are past their time; returns how many."""
    gone = ApiTask.objects.filter(expires_at__lte=timezone.now()).delete()[0]
    long_answers.delete_unused()
    return gone
