"""Tasks as processes."""

import asyncio
import logging

from jetstream.backends import BaseBackend

log = logging.getLogger("jetstream.local")


class LocalBackend(BaseBackend):
    """Everything here and now."""

    def __init__(self):
        self.processes = {}

    def cancel(self):
        for process in self.processes.values():
            process.terminate()

    async def spawn(self, task):
        path = self.log_path(task)
        task.state.update(stdout_path=path)
        with open(path, "wb") as output:
            process = await asyncio.create_subprocess_shell(
                task.directives["cmd"],
                stdout=output,
                stderr=output,
                cwd=self.runner.project,
                executable="/bin/bash",
            )
        self.processes[task.name] = process
        task.state.update(label=f"Slurm({process.pid})")
        code = await process.wait()
        del self.processes[task.name]
        if code:
            log.info("Failed: %s", task.name)
            return task.fail(code)
        log.info("Complete: %s", task.name)
        return task.complete()
