"""The regular rounds, sent by beat. Each that arrives is a sign of life of beat and of a worker."""

from pipeline_management.services import leases, sweeps
from pipeline_management.tasks.guard import task


@task("pipeline_management.sweep_submit")
def sweep_submit() -> None:
    leases.beat("worker")
    leases.beat("beat")
    sweeps.sweep_submit()


@task("pipeline_management.sweep_poll")
def sweep_poll() -> None:
    sweeps.sweep_poll()


@task("pipeline_management.sweep_finish")
def sweep_finish() -> None:
    sweeps.sweep_finish()


@task("pipeline_management.sweep_cancel")
def sweep_cancel() -> None:
    sweeps.sweep_cancel()


@task("pipeline_management.sweep_stale")
def sweep_stale() -> None:
    sweeps.sweep_stale()


@task("pipeline_management.sweep_orphans")
def sweep_orphans() -> None:
    sweeps.sweep_orphans()


@task("pipeline_management.sweep_audit")
def sweep_audit() -> None:
    sweeps.sweep_audit()


@task("pipeline_management.sweep_retention")
def sweep_retention() -> None:
    sweeps.sweep_retention()
