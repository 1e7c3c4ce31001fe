"""What runs tasks."""

import os


class BaseBackend:
    """``runner`` is set by the runner before the first spawn."""

    runner = None

    def cancel(self):
        """End what was begun."""

    def log_path(self, task):
        return os.path.join(self.runner.project, "jetstream", "logs", f"{task.name}.log")
