"""The enumerations of runs and systems, each value with its label and its badge colour, defined once."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class RunState(models.TextChoices):
    """Where a run is. The value is the name that the API and the pages show."""

    DRAFT = "draft", _("Draft")
    QUEUED = "queued", _("Queued")
    STAGING = "staging", _("Staging")
    SUBMITTING = "submitting", _("Submitting")
    SUBMITTED = "submitted", _("Submitted")
    RUNNING = "running", _("Running")
    FINISHING = "finishing", _("Finishing")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL_STATES

    @property
    def colour(self) -> str:
        """The Bootstrap colour of its badge."""
        return _STATE_COLOURS[self]


TERMINAL_STATES = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
OPEN_STATES = frozenset(RunState) - TERMINAL_STATES - {RunState.DRAFT}
WATCHED_STATES = frozenset({RunState.SUBMITTED, RunState.RUNNING})
HOLDABLE_STATES = frozenset(
    {RunState.QUEUED, RunState.STAGING, RunState.SUBMITTING, RunState.SUBMITTED}
)
"""In which a run can still be kept from starting."""
_STATE_COLOURS = {
    RunState.DRAFT: "secondary",
    RunState.QUEUED: "secondary",
    RunState.STAGING: "info",
    RunState.SUBMITTING: "info",
    RunState.SUBMITTED: "info",
    RunState.RUNNING: "primary",
    RunState.FINISHING: "primary",
    RunState.SUCCEEDED: "success",
    RunState.FAILED: "danger",
    RunState.CANCELLED: "warning",
}


class Desired(models.TextChoices):
    """What people want of a run; written by people only."""

    RUN = "run", _("Run")
    HOLD = "hold", _("Hold")
    CANCEL = "cancel", _("Cancel")


class OriginKind(models.TextChoices):
    """How a run came out of an earlier one."""

    NONE = "", ""
    RESUBMIT = "resubmit", _("Resubmitted")
    EDIT = "edit", _("Edited and resubmitted")
    RESUME = "resume", _("Resumed")


class Reason(models.TextChoices):
    """Why a run ended as it did."""

    NONE = "", ""
    EXIT_NONZERO = "EXIT_NONZERO", _("The job script ended with an error code")
    SIGNAL = "SIGNAL", _("The job was ended by a signal")
    TIMEOUT = "TIMEOUT", _("The job reached its walltime limit")
    OUT_OF_MEMORY = "OUT_OF_MEMORY", _("The job used more memory than it had asked for")
    NODE_FAIL = "NODE_FAIL", _("The compute node failed")
    BOOT_FAIL = "BOOT_FAIL", _("The compute node could not be started")
    PREEMPTED = "PREEMPTED", _("The job had to make room for another one")
    DEADLINE = "DEADLINE", _("The job's deadline passed")
    LAUNCH_FAILED = "LAUNCH_FAILED", _("The scheduler could not start the job")
    SUBMIT_REJECTED = "SUBMIT_REJECTED", _("The scheduler refused the job")
    STAGE_FAILED = "STAGE_FAILED", _("The run's files could not be written on the system")
    NO_RESULT = "NO_RESULT", _("The job started and ended without leaving a result")
    NEVER_STARTED = (
        "NEVER_STARTED",
        _("The scheduler lost the job, again and again, before it started"),
    )
    REVOKED = "REVOKED", _("The job was taken over by another cluster")
    OUTPUT_MISSING = "OUTPUT_MISSING", _("A declared output is missing")
    INTERNAL = "INTERNAL", _("Centro could not handle the run")
    CANCELLED_BY_USER = "CANCELLED_BY_USER", _("Cancelled on request")
    CANCELLED_OUTSIDE = "CANCELLED_OUTSIDE", _("Cancelled outside Centro")
    SETTLED = "SETTLED", _("Settled by an administrator")


class Attention(models.TextChoices):
    """Why a run makes no progress right now. A flag, never a state: it clears itself."""

    NONE = "", ""
    CLUSTER_DOWN = "CLUSTER_DOWN", _("The system does not answer")
    CREDENTIAL = "CREDENTIAL", _("The system refuses the credential")
    HOSTKEY = "HOSTKEY", _("The system shows an unknown host key")
    QUOTA = "QUOTA", _("No space is left on the system")
    SUBMIT_UNKNOWN = "SUBMIT_UNKNOWN", _("It is not yet known whether the scheduler took the job")
    NO_SIGN_OF_LIFE = (
        "NO_SIGN_OF_LIFE",
        _("The scheduler says running, but the job shows no sign of life"),
    )
    HELD = "HELD", _("The scheduler will not start the job as it is")
    ACCOUNTING_OFF = "ACCOUNTING_OFF", _("The scheduler's accounting does not answer")
    STALE = "STALE", _("The state has not been confirmed for a while")
    CANCEL_FAILING = "CANCEL_FAILING", _("The scheduler does not take the cancellation")
    HOLD_FAILING = "HOLD_FAILING", _("The scheduler does not take the hold or release")
    JOBS_LEFT = "JOBS_LEFT", _("Jobs that the run has submitted are still there")
    MAINTENANCE = "MAINTENANCE", _("The system is in maintenance")


class RunSource(models.TextChoices):
    """Through which door a run came in."""

    PAGE = "page", _("Page")
    API = "api", _("API")
    FIRECREST = "firecrest", _("FirecREST")


class RunKind(models.TextChoices):
    """What a run executes: a hosted pipeline, or a job script as its submitter wrote it."""

    PIPELINE = "pipeline", _("Pipeline")
    JOB = "job", _("Job script")


class TaskState(models.TextChoices):
    """Where a step of a run's pipeline is, as its job reports it."""

    NEW = "new", _("New")
    PENDING = "pending", _("Pending")
    RUNNING = "running", _("Running")
    COMPLETE = "complete", _("Complete")
    FAILED = "failed", _("Failed")
    SKIPPED = "skipped", _("Skipped")
    CANCELLED = "cancelled", _("Cancelled")

    @property
    def is_over(self) -> bool:
        return self in ENDED_TASKS

    @property
    def colour(self) -> str:
        """The Bootstrap colour of its badge."""
        return _TASK_COLOURS[self]


DONE_TASKS = frozenset({TaskState.COMPLETE, TaskState.SKIPPED})
ENDED_TASKS = DONE_TASKS | {TaskState.FAILED, TaskState.CANCELLED}
_TASK_COLOURS = {
    TaskState.NEW: "secondary",
    TaskState.PENDING: "secondary",
    TaskState.RUNNING: "primary",
    TaskState.COMPLETE: "success",
    TaskState.FAILED: "danger",
    TaskState.SKIPPED: "info",
    TaskState.CANCELLED: "warning",
}


class EventRoute(models.TextChoices):
    """How jobs of a system report."""

    BOTH = "both", _("By HTTP, and by a file that Centro reads")
    FILE = "file", _("By a file that Centro reads")


class TaskService(models.TextChoices):
    """The part of the FirecREST API that made a task."""

    COMPUTE = "compute", "compute"
    STORAGE = "storage", "storage"


class TaskStatus(models.TextChoices):
    """The codes of a FirecREST task, with the words that clients know them by (not translated)."""

    QUEUED = "100", "Queued"
    IN_PROGRESS = "101", "In progress"
    FORM_AWAITED = "110", "Waiting for Form URL from Object Storage to be retrieved"
    FORM_RECEIVED = "111", "Form URL from Object Storage received"
    UPLOADED = "112", "Object Storage confirms that upload to Object Storage has finished"
    FETCHING = "113", "Download from Object Storage to server has started"
    FETCHED = "114", "Download from Object Storage to server has finished"
    FETCH_ERROR = "115", "Download from Object Storage error"
    STORING = "116", "Started upload from filesystem to Object Storage"
    STORED = "117", "Upload from filesystem to Object Storage has finished succesfully"
    STORE_ERROR = "118", "Upload from filesystem to Object Storage has finished with errors"
    SUCCESS = "200", "Finished successfully"
    DELETED = "300", "Deleted on request"
    EXPIRING = "301", "Marked for expiration in persistence"
    INVALID = "302", "Task not longer valid"
    ERROR = "400", "Finished with errors"


class Confirmation(models.TextChoices):
    """Where the last confirmation of a run's state came from."""

    NONE = "", ""
    PORTAL = "portal", _("Centro itself")
    SUBMISSION = "submission", _("the scheduler's acknowledgement")
    QUEUE = "queue", _("the scheduler's queue")
    ACCOUNTING = "accounting", _("the scheduler's accounting")
    MARKER = "marker", _("the job's own marker")
    PERSON = "person", _("a person's decision")


class TransportKind(models.TextChoices):
    SSH = "ssh", _("SSH")
    LOCAL = "local", _("This machine")


class SchedulerKind(models.TextChoices):
    SLURM = "slurm", "Slurm"
    PBS = "pbs", "PBS"
    LOCAL = "local", _("Plain processes")


class UsageSource(models.TextChoices):
    """Who said what a run has used."""

    NONE = "", ""
    SACCT = "sacct", _("Slurm's accounting")
    QSTAT = "qstat", _("the history of PBS")
    PROCESS = "process", _("the system's own account of its processes")
    REQUEST = "request", _("what the run asked for and how long it ran")


class BudgetKind(models.TextChoices):
    """The time for which a lab's budget is."""

    MONTH = "month", _("Each calendar month")
    PERIOD = "period", _("From one day to another")


class HealthState(models.TextChoices):
    UNKNOWN = "unknown", _("Not asked yet")
    OK = "ok", _("Answers")
    DEGRADED = "degraded", _("Answers in part")
    DOWN = "down", _("Does not answer")
    BLOCKED = "blocked", _("Needs an administrator")

    @property
    def colour(self) -> str:
        return _HEALTH_COLOURS[self]


_HEALTH_COLOURS = {
    HealthState.UNKNOWN: "secondary",
    HealthState.OK: "success",
    HealthState.DEGRADED: "warning",
    HealthState.DOWN: "danger",
    HealthState.BLOCKED: "danger",
}


class Engine(models.TextChoices):
    """What runs a pipeline's job script."""

    SHELL = "shell", _("Shell script")
    JETSTREAM = "jetstream", "Jetstream"
    SNAKEMAKE = "snakemake", "Snakemake"
