"""Jobs made past the API on a real Slurm, and the tasks that tell of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.firecrest.desk import error_headers

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

UNKNOWN_ID = "999999999"


class Jobs:
    """Submits past the API, as somebody who is logged in on the system."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.users = desk.lab.layout.settings.users
        self.made: list[str] = []

    def submit(self, *options: str, body: str = "sleep 300", person: int = 0) -> str:
        """A job of the person's; its id."""
        text = " ".join(f"'{option}'" for option in (*options, f"--wrap={body}"))
        user = self.users[person % len(self.users)]
        where = "" if any("output" in option for option in options) else "-o /dev/null "
        said = self.desk.lab.sshd.run(user, f"sbatch --parsable -t 10 {where}{text}")
        self.made.append(said.strip())
        return self.made[-1]

    def cancel(self) -> None:
        """End them all."""
        if self.made:
            self.desk.lab.slurm("scancel", *self.made)


def task_of(answer: Any) -> Any:
    """The finished task behind an answer."""
    from pipeline_management.models import ApiTask

    assert answer.status_code == 200, answer.content
    assert error_headers(answer) == {}
    body = answer.json()
    assert set(body) == {"success", "task_id", "task_url"}
    assert body["success"] == "Task created"
    task = ApiTask.objects.get(pk=body["task_id"])
    assert (task.service, task.system.name) == ("compute", "cluster")
    return task


def data(desk: Desk, path: str, person: str = "alice", **fields: Any) -> Any:
    """What a query finds."""
    from pipeline_management.services import long_answers

    task = task_of(desk.ask("GET", path, fields, person=person))
    assert task.status == "200", task.data
    if task.answer_id is not None:
        return json.loads(long_answers.text_of(task.answer_id))
    return task.data


def refused(
    desk: Desk, path: str, method: str = "GET", person: str = "alice", **fields: Any
) -> Any:
    """The reason why a task failed."""
    task = task_of(desk.ask(method, path, fields if method == "GET" else None, person=person))
    assert task.status == "400", task.data
    return task.data


def until(look: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Wait until ``look`` finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.3)
    return found


@contextmanager
def jobs_of(desk: Desk) -> Iterator[Jobs]:
    """Jobs of both people, cancelled at the end."""
    from pipeline_management.services import cluster

    cluster.forget()
    made = Jobs(desk)
    yield made
    made.cancel()
    cluster.forget()
