"""A run again: as it was, edited, or going on where it stopped. Each is a new run that names its origin."""

from __future__ import annotations

from django.contrib.auth.models import User

from pipeline_management.choices import OriginKind, RunKind, RunSource, RunState
from pipeline_management.errors import Conflict, NotAllowed
from pipeline_management.models import Run
from pipeline_management.policy import may_repeat
from pipeline_management.services import intake
from pipeline_management.services.control.directories import went_on_from
from pipeline_management.services.engines.registry import engine_of


def resubmit(
    *,
    run: Run,
    user: User,
    source: RunSource,
    idempotency_key: str | None = None,
    address: str | None = None,
) -> tuple[Run, bool]:
    """The same configuration with the same pipeline version as a new run; (the run, whether it is new).

    Raises ``Conflict`` for a job script, ``NotAllowed`` where the person may not submit for the run's lab,
    ``InvalidRequest`` where the configuration no longer passes (its version may be gone).
    """
    return _create(OriginKind.RESUBMIT, run, user, source, idempotency_key, address)


def resume(
    *,
    run: Run,
    user: User,
    source: RunSource,
    idempotency_key: str | None = None,
    address: str | None = None,
) -> tuple[Run, bool]:
    """A new run that goes on in the directory of one that failed or was cancelled, doing what is left.

    Raises as ``resubmit``; ``Conflict`` also where ``why_no_resume`` has a reason.
    """
    return _create(OriginKind.RESUME, run, user, source, idempotency_key, address)


def why_no_resume(run: Run) -> str:
    """Why the run cannot be resumed, "" where it can. One query where it could."""
    later = None
    text = _nothing_to_resume(run)
    if not text:
        later = went_on_from(run)
    if later is not None:
        return f"The run {later.pk} has gone on in its directory already; resume that one."
    return text


def _nothing_to_resume(run: Run) -> str:
    state = RunState(run.state)
    if run.version is None or not engine_of(run.version).can_resume:
        return "What a plain script has left to do is known to its author only; submit the run again."
    if not state.is_terminal:
        return "The run is not over yet."
    if state is RunState.SUCCEEDED:
        return "The run has succeeded; there is nothing left to do."
    if run.started_at is None:
        return "The run never started; submit it again."
    return ""


def _create(
    kind: OriginKind,
    run: Run,
    user: User,
    source: RunSource,
    idempotency_key: str | None,
    address: str | None,
) -> tuple[Run, bool]:
    prepared = prepare(kind, run, user)
    return intake.create_run(
        user=user,
        prepared=prepared,
        source=source,
        idempotency_key=idempotency_key,
        address=address,
    )


def prepare(kind: OriginKind, run: Run, user: User) -> intake.PreparedRun:
    """Check that the run could be had again in this way, and make the new one's script. Writes nothing."""
    if run.kind != RunKind.PIPELINE or run.version is None:
        raise Conflict("A job script of somebody's own is submitted again by whoever has it.")
    if not may_repeat(user, run):
        raise NotAllowed("You may look at this run, but not submit for its lab: ask its manager.")
    if kind is OriginKind.RESUME and (refused := _nothing_to_resume(run)):
        raise Conflict(refused)
    prepared = intake.prepare(
        user=user,
        document=run.configuration,
        pipeline=str(run.version),
        origin=intake.Origin(run, kind),
    )
    if kind is OriginKind.RESUME and prepared.account != run.account:
        raise NotAllowed(
            f"The run's directory belongs to the cluster user {run.account.username}; "
            "only somebody who acts as that user can resume it."
        )
    return prepared
