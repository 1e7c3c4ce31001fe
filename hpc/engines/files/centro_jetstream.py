"""Jetstream's own backends, which tell Centro what becomes of each task.

Named in Jetstream's settings and found by PYTHONPATH; nothing of Jetstream is changed. Relies on what its backends
have in common since 1.5: the coroutine ``spawn(task)``, ``runner.workflow`` as an iterable of tasks, and of a task
``name``, ``status``, ``state`` (a dict) and ``directives``. Tried with 1.7.4.
"""

import asyncio
import atexit
import time

from centro_reporting import begun, reporter
from jetstream.backends.local import LocalBackend
from jetstream.backends.slurm import SlurmBackend

_LOOK_SECONDS = 0.5
_STATES = {
    "new": "new",
    "pending": "pending",
    "complete": "complete",
    "failed": "failed",
    "skipped": "skipped",
}


class _Reporting:
    """Around ``spawn``: a task is pending when it is handed over, running when its job runs, then what it is."""

    waits_in_queue = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._told = {}
        self._since = {}
        self._open = {}
        self._looking = None
        atexit.register(self._tell_the_rest)

    async def spawn(self, task):
        if not self._told:
            begun()
            for other in self._all_tasks():
                self._tell(other)
        self._open[task.name] = task
        self._tell(task, "pending" if self.waits_in_queue else "running")
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        result = await super().spawn(task)
        # a spawn that is interrupted leaves its task open, which is what tells a cancelled one
        self._open.pop(task.name, None)
        self._tell(task)
        return result

    def _all_tasks(self):
        try:
            return list(self.runner.workflow)
        except Exception:  # a workflow that is not there yet, in the words of any version
            return []

    async def _look(self):
        """The id of a job is known while its task is being spawned, and that it runs later still."""
        while self._open:
            for task in list(self._open.values()):
                job = getattr(self, "jobs", {}).get(task.state.get("slurm_job_id"))
                data = getattr(job, "job_data", None) or {}
                is_running = not self.waits_in_queue or data.get("State") == "RUNNING"
                self._tell(task, "running" if is_running else "pending")
            await asyncio.sleep(_LOOK_SECONDS)

    def _tell(self, task, state=""):
        state = state or _STATES.get(task.status, "new")
        job_id = task.state.get("slurm_job_id")
        if self._told.get(task.name) == (state, job_id):
            return
        self._told[task.name] = (state, job_id)
        now = round(time.time(), 3)
        if state == "running":
            self._since.setdefault(task.name, now)
        over = state in ("complete", "failed", "cancelled")
        reporter().task(
            task.name,
            state,
            job_id=str(job_id) if job_id else None,
            exit_code=_whole(task.state.get("returncode")) if over else None,
            started=self._since.get(task.name),
            ended=now if over else None,
            resources=_resources(task),
            log_path=_text(task.state.get("stdout_path")),
        )

    def _tell_the_rest(self):
        """At the end of the program: tasks that were never spawned, and those that were interrupted."""
        for task in self._all_tasks():
            self._tell(task, "cancelled" if task.name in self._open else "")
        failed = [name for name, (state, _) in self._told.items() if state == "failed"]
        if failed:
            more = f" and {len(failed) - 20} more" if len(failed) > 20 else ""
            reporter().error("Failed tasks: " + ", ".join(failed[:20]) + more)


def _whole(value):
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value):
    return value if isinstance(value, str) else None


def _resources(task):
    names = ("cpus", "mem", "walltime")
    found = {name: task.directives.get(name) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, (int, str))}


class CentroSlurmBackend(_Reporting, SlurmBackend):
    """Every task a job of its own."""


class CentroLocalBackend(_Reporting, LocalBackend):
    """All tasks within the job that runs Jetstream."""

    waits_in_queue = False
