"""/tasks: whose they are, what they say, and that none stays open for ever."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from hpc.errors import ChannelsBusy, SchedulerSilent
from pipeline_management.choices import RunKind, RunState, TaskService, TaskStatus
from pipeline_management.models import ApiTask, System
from pipeline_management.services import api_tasks, native_lookup, sweeps
from tests.factories import make_account, make_run, make_system, make_user
from tests.firecrest.jobs import SCRIPT, one_thread, upload

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

__all__ = ["one_thread"]
pytestmark = pytest.mark.django_db

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@pytest.fixture
def task() -> ApiTask:
    return api_tasks.create(make_user("tess"), make_system())


def age(task: ApiTask, **ago: float) -> None:
    then = timezone.now() - timedelta(**ago)
    ApiTask.objects.filter(pk=task.pk).update(created_at=then, updated_at=then)


# --- on the wire ------------------------------------------------------------------------------


@pytest.mark.lab
def test_a_task_as_clients_read_it(desk: Desk) -> None:
    answer = upload(desk, SCRIPT + "true\n").json()
    task_id = answer["task_id"]
    assert re.fullmatch(r"[0-9a-f]{32}", task_id)
    assert answer["task_url"] == f"http://testserver/firecrest/v1/tasks/{task_id}"
    listed = desk.ask("GET", "/tasks", {"tasks": task_id}, machine=None).json()["tasks"]
    assert list(listed) == [task_id]
    shown = listed[task_id]
    assert set(shown) == {
        "hash_id", "task_id", "user", "status", "description", "service", "system", "created_at",
        "updated_at", "last_modify", "data", "task_url",
    }  # fmt: skip
    assert shown["hash_id"] == shown["task_id"] == task_id
    assert (shown["status"], shown["description"]) == ("200", "Finished successfully")
    assert (shown["service"], shown["system"]) == ("compute", "cluster")
    assert all(STAMP.fullmatch(shown[key]) for key in ("created_at", "updated_at", "last_modify"))
    assert shown["task_url"] == answer["task_url"]
    for form in ("/tasks/", "/tasks", "//tasks"):
        assert task_id in desk.ask("GET", form, machine=None).json()["tasks"]
    one = desk.ask("GET", f"/tasks/{task_id}", machine=None)
    assert one.json() == {"task": shown, "status": 200}


@pytest.mark.lab
def test_whose_tasks_one_sees(desk: Desk) -> None:
    mine = api_tasks.create(desk.alice, System.objects.get(name="cluster"))
    ids = {"tasks": f"{mine.id},{'0' * 32},not-an-id"}
    assert list(desk.ask("GET", "/tasks", ids, machine=None).json()["tasks"]) == [mine.id]
    assert desk.ask("GET", "/tasks", ids, person="bob", machine=None).json() == {"tasks": {}}
    assert desk.ask("GET", "/tasks", person="bob", machine=None).json() == {"tasks": {}}
    foreign = desk.ask("GET", f"/tasks/{mine.id}", person="bob", machine=None)
    assert foreign.status_code == 403
    assert foreign.json() == {"description": "Operation not permitted. Invalid task owner."}
    missing = desk.ask("GET", "/tasks/taskslist", machine=None)
    assert (missing.status_code, missing.json()) == (
        404,
        {"error": "Task taskslist does not exist"},
    )
    assert desk.ask("GET", "/tasks/taskslist", person=None, machine=None).status_code == 401
    age(mine, hours=25)
    ApiTask.objects.filter(pk=mine.pk).update(expires_at=timezone.now())
    assert desk.ask("GET", f"/tasks/{mine.id}", machine=None).status_code == 404
    assert desk.ask("GET", "/tasks", ids, machine=None).json() == {"tasks": {}}


@pytest.mark.lab
@pytest.mark.parametrize(("value", "told"), [("a;b", "has invalid char"), ("", "is empty")])
def test_a_list_that_cannot_be_read(desk: Desk, value: str, told: str) -> None:
    answer = desk.ask("GET", "/tasks", {"tasks": value}, machine=None)
    assert answer.status_code == 400
    assert answer.json() == {
        "description": "Failed to retrieve tasks information",
        "error": f"'tasks' {told}",
    }


# --- the service ------------------------------------------------------------------------------


def test_every_code_has_its_words(task: ApiTask) -> None:
    assert (task.status, task.description, task.data) == ("100", "Queued", "Queued")
    codes = [*range(110, 119), 100, 101, 200, 300, 301, 302, 400]
    assert {status.value for status in TaskStatus} == {str(code) for code in codes}
    assert TaskStatus.STORED.label.endswith("finished succesfully")


def test_quick_work_ends_its_task_before_the_answer(task: ApiTask) -> None:
    api_tasks.run_inline(task, lambda: [1], then=lambda found: {"found": found})
    task.refresh_from_db()
    assert (task.status, task.data) == ("200", {"found": [1]})


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (api_tasks.TaskFailed({"why": 1}), {"why": 1}),
        (SchedulerSilent("controller away"), "controller away"),
        (ZeroDivisionError(), "Centro could not do this; its log says why."),
    ],
)
def test_failing_work_ends_its_task(task: ApiTask, error: Exception, data: Any) -> None:
    def work() -> object:
        raise error

    api_tasks.run_inline(task, work)
    task.refresh_from_db()
    assert (task.status, task.data) == ("400", data)


def test_errors_that_the_caller_tells_himself_leave_no_task(task: ApiTask) -> None:
    def work() -> object:
        raise ChannelsBusy("full")

    with pytest.raises(ChannelsBusy):
        api_tasks.run_inline(task, work, raises=(ChannelsBusy,))
    assert not ApiTask.objects.exists()


def test_work_may_leave_the_end_to_others(task: ApiTask) -> None:
    def then(_: object) -> object:
        raise api_tasks.StillRunning

    api_tasks.run_inline(task, lambda: 1, then=then)
    task.refresh_from_db()
    assert task.is_open


@pytest.mark.django_db(transaction=True)
def test_slow_work_goes_on_after_the_answer() -> None:
    task = api_tasks.create(make_user("slow"), make_system())
    go_on, given_back = threading.Event(), threading.Event()
    begun = time.monotonic()
    api_tasks.run_inline(
        task, lambda: go_on.wait(10), 0.2, hand_over=lambda: lambda answered: given_back.set()
    )
    assert 0.2 <= time.monotonic() - begun < 2
    task.refresh_from_db()
    assert task.is_open
    assert not given_back.is_set()  # the place at the system is kept until the work has ended
    go_on.set()
    assert given_back.wait(10)
    task.refresh_from_db()
    assert (task.status, task.data) == ("200", True)


def test_a_task_ends_once(task: ApiTask) -> None:
    assert api_tasks.finish(task, "400", "first")
    assert not api_tasks.finish(task, "200", "second")
    task.refresh_from_db()
    assert (task.status, task.data) == ("400", "first")


def test_a_task_whose_process_died_is_ended(task: ApiTask) -> None:
    assert api_tasks.end_interrupted() == 0
    age(task, minutes=5)
    sweeps.sweep_submit()
    task.refresh_from_db()
    assert (task.status, task.data) == ("400", "The request was interrupted; ask again.")


def test_expired_tasks_are_forgotten(task: ApiTask) -> None:
    staged = api_tasks.create(task.user, task.system, TaskService.STORAGE)
    assert staged.expires_at - timezone.now() > timedelta(days=6)
    ApiTask.objects.update(expires_at=timezone.now())
    kept = api_tasks.create(task.user, task.system)
    sweeps.sweep_retention()
    assert list(ApiTask.objects.all()) == [kept]


def test_a_task_follows_its_run_where_the_second_write_was_lost() -> None:
    account = make_account()
    run = make_run(account=account, state=RunState.SUBMITTED, kind=RunKind.JOB, job_id="17",
                   job_files={"script": "/s", "stdout": "/o"})  # fmt: skip
    task = api_tasks.create(run.submitter, account.system, run=run)
    native_lookup.end_tasks()
    task.refresh_from_db()
    assert task.is_open  # it may be about to be ended
    age(task, seconds=15)
    native_lookup.end_tasks()
    task.refresh_from_db()
    assert task.status == "200"
    assert (task.data["jobid"], task.data["job_file_out"]) == (17, "/o")
    assert task.data["job_file_err"] == "Not available"


def test_a_client_is_told_when_the_doubt_lasts() -> None:
    account = make_account()
    run = make_run(account=account, state=RunState.SUBMITTING, kind=RunKind.JOB)
    task = api_tasks.create(run.submitter, account.system, run=run)
    age(task, minutes=9)
    native_lookup.end_tasks()
    task.refresh_from_db()
    assert task.is_open
    age(task, minutes=11)
    native_lookup.end_tasks()
    task.refresh_from_db()
    assert task.status == "400"
    assert "not known whether the job was submitted" in task.data
    run.refresh_from_db()
    assert run.state == RunState.SUBMITTING
