"""Long answers of tasks: stored once, whoever has them, and read as if each task had its own."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import RequestFactory
from django.utils import timezone

from api.firecrest import envelopes
from pipeline_management.choices import TaskStatus
from pipeline_management.models import ApiTask, SharedAnswer, System
from pipeline_management.services import api_tasks, long_answers
from tests.factories import make_system, make_user

pytestmark = pytest.mark.django_db

LONG = {str(number): {"name": 'a "data": null', "jobid": str(number)} for number in range(300)}


@pytest.fixture
def alice() -> User:
    return make_user("alice")


@pytest.fixture
def system() -> System:
    return make_system("cluster")


def read(task: ApiTask) -> object:
    """The task's data as a client gets it."""
    found = api_tasks.find(task.pk)
    assert found is not None
    text = envelopes.task_json(found, RequestFactory().get("/firecrest/v1/tasks"))
    return json.loads(text)["data"]


def test_many_tasks_have_one_answer(alice: User, system: System) -> None:
    tasks = [
        api_tasks.create(alice, system, status=TaskStatus.SUCCESS, data=dict(LONG))
        for _ in range(3)
    ]
    assert [read(task) for task in tasks] == [LONG] * 3
    assert SharedAnswer.objects.count() == 1


def test_a_task_that_ends_later(alice: User, system: System) -> None:
    task = api_tasks.create(alice, system)
    assert read(task) == "Queued"
    assert api_tasks.finish(task, TaskStatus.SUCCESS, LONG)
    assert read(task) == LONG
    assert ApiTask.objects.get(pk=task.pk).data is None


@pytest.mark.parametrize("data", [{}, [], "text" * 5000, 7, {"jobid": 4}])
def test_short_answers_and_texts_stay_with_their_task(
    alice: User, system: System, data: object
) -> None:
    task = api_tasks.create(alice, system, status=TaskStatus.SUCCESS, data=data)
    assert read(task) == data
    assert SharedAnswer.objects.count() == 0


def test_another_process_reads_it_from_the_database(alice: User, system: System) -> None:
    task = api_tasks.create(alice, system, status=TaskStatus.SUCCESS, data=LONG)
    long_answers.forget()
    assert read(task) == LONG


def test_it_is_made_once_for_a_source_and_a_page() -> None:
    source, other = [1], [1]
    made: list[object] = []

    def make() -> object:
        made.append(LONG)
        return LONG

    first = long_answers.once(source, "all", make)
    assert long_answers.once(source, "all", make) == first
    assert len(made) == 1
    long_answers.once(source, "page", make)
    long_answers.once(other, "all", make)
    assert len(made) == 3


def test_what_no_task_has_any_more_is_forgotten(alice: User, system: System) -> None:
    kept = api_tasks.create(alice, system, status=TaskStatus.SUCCESS, data=LONG)
    gone = api_tasks.create(alice, system, status=TaskStatus.SUCCESS, data=LONG | {"more": 1})
    SharedAnswer.objects.update(used_at=timezone.now() - 2 * long_answers.UNUSED)
    ApiTask.objects.filter(pk=gone.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api_tasks.delete_expired() == 1
    assert read(kept) == LONG
    assert SharedAnswer.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_many_who_store_the_same_at_once_do_not_block_each_other() -> None:
    ready = threading.Barrier(8)

    def work(_: int) -> set[object]:
        stored = set()
        try:
            for number in range(15):
                ready.wait(30)
                stored.add(long_answers.keep(LONG | {"n": number}))
        finally:
            connections.close_all()
        return stored

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))
    assert all(stored == found[0] for stored in found)
    assert SharedAnswer.objects.count() == len(found[0]) == 15


def test_a_new_answer_is_not_forgotten_before_its_task_is_made() -> None:
    long_answers.keep(LONG)
    assert long_answers.delete_unused() == 0


def test_the_memory_of_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_answers, "MEMORY", 40_000)
    stored = [long_answers.keep(LONG | {"n": number}) for number in range(5)]
    long_answers._touched.clear()
    for answer in stored:
        assert isinstance(answer, long_answers.Stored)
        assert json.loads(long_answers.text_of(answer.digest))["0"] == LONG["0"]
    assert long_answers._texts._size <= 40_000
