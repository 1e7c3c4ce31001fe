"""The runner: tasks whose dependencies are complete are spawned, until nothing is left that can run."""

import asyncio
import importlib
import logging
import os
import signal
import socket
import time

import yaml

from jetstream import settings

log = logging.getLogger("jetstream.runner")
LOCK_TIMEOUT = 5  # the real one waits 60 seconds


class Lock:
    """pid.lock of a project: who runs it. A runner that is killed leaves it behind."""

    def __init__(self, project):
        self.path = os.path.join(project, "jetstream", "pid.lock")

    def __enter__(self):
        deadline = time.time() + LOCK_TIMEOUT
        while True:
            try:
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
                break
            except FileExistsError:
                if time.time() > deadline:
                    raise TimeoutError(f"Project is locked: {self.path}") from None
                time.sleep(0.5)
        with os.fdopen(handle, "w") as file:
            yaml.safe_dump(
                {"hostname": socket.gethostname(), "pid": os.getpid(), "id": "01H"}, file
            )

    def __exit__(self, *_):
        os.unlink(self.path)


class Runner:
    """Runs a workflow in a project with a backend of the settings."""

    def __init__(self, project, workflow, backend):
        self.project, self.workflow, self.name = project, workflow, backend
        options = dict(settings["backends"][backend])
        module, _, name = options.pop("()").rpartition(".")
        self.backend = getattr(importlib.import_module(module), name)(**options)
        self.backend.runner = self
        self.path = os.path.join(project, "jetstream", "workflow.pickle")

    def start(self):
        """The exit code: 0, 1 where a task is failed or skipped, 130 (local: 1) after a signal."""
        self.workflow.save(self.path)
        try:
            asyncio.run(self._run())
        except (KeyboardInterrupt, asyncio.CancelledError):
            log.info("Interrupted!")
            self.workflow.save(self.path)
            return 1 if "local" in self.name else 130
        self.workflow.save(self.path)
        failed = [task for task in self.workflow if task.status != "complete"]
        if failed:
            log.info("%d total tasks failed:", len(failed))
        log.info("Run complete!")
        return 1 if failed else 0

    async def _run(self):
        loop = asyncio.get_running_loop()
        main = asyncio.current_task()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, main.cancel)
        running = {}
        try:
            while True:
                for task in self.workflow:
                    if task.name not in running and task.status == "new" and self._is_ready(task):
                        running[task.name] = asyncio.ensure_future(self._spawn(task))
                active = [future for future in running.values() if not future.done()]
                if not active:
                    return
                await asyncio.wait(active, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.backend.cancel()
            raise

    def _is_ready(self, task):
        before = [self.workflow[name].status for name in self.workflow.before[task.name]]
        if any(status in ("failed", "skipped") for status in before):
            task.state["status"] = "skipped"
            return False
        return all(status == "complete" for status in before)

    async def _spawn(self, task):
        task.state["status"] = "pending"
        if not task.directives.get("cmd"):
            return task.complete()
        return await self.backend.spawn(task)
