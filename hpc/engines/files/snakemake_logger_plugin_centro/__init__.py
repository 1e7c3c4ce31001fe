"""A logger plugin of Snakemake (9 or later) that tells Centro what becomes of each job, found by PYTHONPATH.

With CENTRO_PLAN_FILE set it writes the jobs of a dry run there instead, one JSON object a line. The fields of the log
records are those of Snakemake 9 (``snakemake/logging.py``, ``LogEvent``); a field that is missing is left out.
"""

import json
import os
import re
import signal
import threading
import time
from contextlib import suppress

from centro_reporting import begun, reporter
from snakemake_interface_logger_plugins.base import LogHandlerBase

# what the executor plugin for Slurm says; there is no record for it
_SUBMITTED = re.compile(r"Job (\d+) has been submitted with SLURM jobid (\w+) \(log: (.*)\)\.?$")
_RESOURCES = ("runtime", "mem_mb", "disk_mb", "slurm_partition", "nodes", "gpu")


class LogHandler(LogHandlerBase):
    """Jobs are the run's tasks, named by their rule and wildcards."""

    def __post_init__(self):
        self._names = {}
        self._told = {}
        self._since = {}
        self._percent = -1
        self._is_cluster = os.environ.get("SNAKEMAKE_MODE") == "cluster"
        self._plan = os.environ.get("CENTRO_PLAN_FILE", "")
        if threading.current_thread() is threading.main_thread():
            # a shell starts its background commands with this signal ignored, and only by it does Snakemake
            # end the jobs that it has submitted
            signal.signal(signal.SIGINT, signal.default_int_handler)

    @property
    def writes_to_stream(self):
        return False

    @property
    def writes_to_file(self):
        return False

    @property
    def has_filter(self):
        return True

    @property
    def has_formatter(self):
        return True

    @property
    def needs_rulegraph(self):
        return False

    def emit(self, record):
        with suppress(Exception):  # a report that fails must not stop the pipeline
            self._take(record)

    def _take(self, record):
        event = str(getattr(record, "event", None) or "")
        event = event.rsplit(".", 1)[-1].lower()
        if self._plan:
            if event == "job_info":
                self._write_plan(record)
            return
        if event == "job_info":
            self._job_info(record)
        elif event == "job_started":
            self._started(record)
        elif event == "job_finished":
            self._ended(record.job_id, "complete")
        elif event == "job_error":
            self._ended(record.jobid, "failed")
        elif event == "progress":
            self._progress(record.done, record.total)
        else:
            found = _SUBMITTED.search(record.getMessage())
            if found:  # in the queue or running: Snakemake makes no difference
                self._tell(int(found[1]), "running", job_id=found[2], log_path=found[3])

    def _job_info(self, record):
        begun()
        if _does_nothing(record):
            return
        self._names[record.jobid] = _name(record)
        begins = self._is_cluster or record.jobid not in self._since
        state = "pending" if begins else "running"
        self._tell(record.jobid, state, resources=_resources(record))

    def _started(self, record):
        for jobid in record.jobs if isinstance(record.jobs, (list, tuple, set)) else [record.jobs]:
            self._since.setdefault(jobid, round(time.time(), 3))
            if not self._is_cluster:
                self._tell(jobid, "running")

    def _ended(self, jobid, state):
        if self._told.get(jobid) not in ("complete", "failed"):
            self._tell(jobid, state, ended=round(time.time(), 3))

    def _tell(self, jobid, state, **data):
        name = self._names.get(jobid)
        if name is not None:
            self._told[jobid] = state
            reporter().task(name, state, started=self._since.get(jobid), **data)

    def _progress(self, done, total):
        percent = int(100 * done / total) if total else 0
        if percent != self._percent:
            self._percent = percent
            reporter().progress(percent, f"{done} of {total} jobs")

    def _write_plan(self, record):
        if _does_nothing(record):
            return
        job = {
            "name": _name(record),
            "input": [str(path) for path in record.input or []],
            "output": [str(path) for path in record.output or []],
            "cpus": record.threads,
            "resources": _resources(record),
        }
        with open(self._plan, "a") as file:
            file.write(json.dumps(job) + "\n")

    def close(self):
        """At the end: jobs that had begun and of which nothing more was heard were ended with the run."""
        if not self._plan:
            for jobid, state in list(self._told.items()):
                if state in ("pending", "running"):
                    with suppress(Exception):
                        self._tell(jobid, "cancelled", ended=round(time.time(), 3))
            self._told = {}
        super().close()


def _does_nothing(record):
    """A rule that only names its inputs, such as the usual "all"."""
    return not getattr(record, "shellcmd", None) and not (record.output or [])


def _name(record):
    wildcards = getattr(record, "wildcards", None) or {}
    pairs = ",".join(f"{key}={value}" for key, value in dict(wildcards).items())
    return f"{record.rule_name} {pairs}" if pairs else str(record.rule_name)


def _resources(record):
    found = {"cpus": getattr(record, "threads", None)}
    resources = getattr(record, "resources", None)
    for name in _RESOURCES:
        value = None
        with suppress(Exception):
            value = (
                resources.get(name) if hasattr(resources, "get") else getattr(resources, name, None)
            )
        if isinstance(value, (int, float, str)) and value != "":
            found[name] = value
    return {name: value for name, value in found.items() if isinstance(value, (int, float, str))}
