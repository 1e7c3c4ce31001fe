"""Tasks and workflows: built from YAML, merged with what is done, kept in a pickle."""

import hashlib
import json
import os
import pickle
from types import SimpleNamespace

import yaml


class Task:
    """One task. ``status`` is new, pending, complete, failed or skipped."""

    def __init__(self, **directives):
        self.name = directives.pop("name")
        self.directives = directives
        self.state = {"status": "new"}

    @property
    def status(self):
        return self.state["status"]

    @property
    def identity(self):
        text = json.dumps([self.directives.get("cmd"), self.directives.get("exec")])
        return hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  a name, no secret

    def reset(self):
        self.state = {"status": "new"}

    def complete(self, code=0):
        self.state.update(status="complete", returncode=code)
        return self

    def fail(self, code=1):
        self.state.update(status="failed", returncode=code)
        return self


class Workflow:
    """Tasks by name and the edges between them; edges come from after, and from input and output."""

    def __init__(self, tasks):
        self.version = "1.7.4"
        self._tasks = {}
        for task in tasks:
            if task.name in self._tasks:
                raise ValueError(f"Duplicate task name: {task.name}")
            self._tasks[task.name] = task
        self.reload_graph()

    def __iter__(self):
        return iter(self._tasks.values())

    def __len__(self):
        return len(self._tasks)

    def __getitem__(self, name):
        return self._tasks[name]

    def reload_graph(self):
        makers = {
            path: task.name for task in self for path in as_list(task.directives.get("output"))
        }
        edges = []
        for task in self:
            before = as_list(task.directives.get("after"))
            before += [
                makers[path] for path in as_list(task.directives.get("input")) if path in makers
            ]
            for name in before:
                if name not in self._tasks:
                    raise ValueError(f"No task found for after: {name}")
                edges.append((name, task.name))
        self.before = {task.name: [a for a, b in edges if b == task.name] for task in self}
        self.graph = SimpleNamespace(G=SimpleNamespace(edges=lambda: list(edges)))

    def mash(self, older):
        """Take over what is done already: the same name and the same command."""
        known = {task.name: task for task in older}
        for task in self:
            old = known.get(task.name)
            if old is not None and old.identity == task.identity:
                task.state = old.state

    def restart(self, method):
        """retry: pending, failed and skipped begin anew; resume: pending only; reset: all."""
        wanted = {"retry": ("pending", "failed", "skipped"), "resume": ("pending",)}
        for task in self:
            if method == "reset" or task.status in wanted[method]:
                task.reset()

    def save(self, path):
        with open(f"{path}.tmp", "wb") as file:
            pickle.dump(list(self), file)
        os.replace(f"{path}.tmp", path)


def as_list(value):
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def build(text):
    """A workflow from rendered YAML."""
    rows = yaml.safe_load(text) or []
    if not isinstance(rows, list):
        raise ValueError("Workflow templates must be a list of tasks")
    return Workflow([Task(**row) for row in rows])


def load_workflow(path):
    with open(path, "rb") as file:
        return Workflow(pickle.load(file))  # noqa: S301  what the real one does; on the system, as its user
