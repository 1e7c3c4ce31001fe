"""From a judgement to the change of the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hpc.jobs import JobInfo
from pipeline_management.choices import (
    Attention,
    Confirmation,
    Desired,
    Reason,
    RunKind,
    RunState,
)
from pipeline_management.models import Run
from pipeline_management.services import leases, reasons
from pipeline_management.services.evidence import Judgement, Sighting, Verdict
from pipeline_management.services.transition import Change, Note

MAX_LOST = 3
"""How often the scheduler may lose a run's job before it started, until the run fails."""

_CALM: dict[str, Any] = {"misses": 0, "missing_since": None}


def change_for(
    run: Run, judgement: Judgement, sighting: Sighting, now: datetime
) -> Change | None:
    """The change that a judgement makes, or None. LOOK, FORGET and KICK are the caller's until settled;
    here they count as one more odd look."""
    build = _BUILDERS.get(judgement.verdict, _suspect)
    change = build(run, judgement, sighting, now)
    return change if change is not None and (change.to or change.fields or change.notes) else None


def lost(run: Run, judgement: Judgement, now: datetime, settle: timedelta) -> Change:
    """The scheduler lost the job before it started, and the directory confirmed it: submit again."""
    number = run.lost_attempts + 1
    data = {"job_id": run.job_id, "why": judgement.text, "lost": number}
    fields: dict[str, Any] = {"lost_attempts": number, "queue_state": "", "queue_reason": "", **_CALM}
    fields["hold_sent_at"] = None
    if number >= MAX_LOST:
        text = f"The scheduler lost the job {number} times before it started: {judgement.text}."
        return Change(
            run, RunState.FINISHING, judgement.source, data,
            {**fields, "outcome": RunState.FAILED, "reason": Reason.NEVER_STARTED,
             "reason_text": text[:1000], "ended_at": now, "next_at": now},
        )  # fmt: skip
    again = {"job_id": "", "next_at": now + settle, "tries": 0, **leases.RELEASED}
    return Change(run, RunState.QUEUED, judgement.source, data, {**fields, **again})


def _keep(run: Run, _: Judgement, sighting: Sighting, now: datetime) -> Change:
    return Change(run, fields=_seen(run, sighting.listed) | _calmed(run))


def _waiting(run: Run, judgement: Judgement, sighting: Sighting, now: datetime) -> Change:
    listed = sighting.listed
    fields = _seen(run, listed) | _calmed(run)
    wanted = run.desired == Desired.HOLD and listed is not None and reasons.is_held(listed.reason)
    stuck = listed is not None and not wanted and reasons.is_stuck(listed.reason)
    if stuck and listed is not None and run.attention in ("", Attention.HELD):
        text = reasons.plain(listed.reason)
        if run.attention_text != text:
            fields |= {"attention": Attention.HELD, "attention_text": text, "attention_since": now}
    elif run.attention == Attention.HELD:
        fields |= _unflagged()
    return Change(run, fields=fields)


def _running(run: Run, judgement: Judgement, sighting: Sighting, now: datetime) -> Change:
    fields = _seen(run, sighting.listed) | _calmed(run)
    if run.state == RunState.RUNNING:
        return Change(run, fields=fields)
    fields |= _unflagged() | _started(run, sighting)
    fields |= {"confirmed_at": now, "confirmed_source": judgement.source}
    data = {"job_id": run.job_id, "node": fields.get("nodes", "")}
    late = [Note("hold_too_late", judgement.source)] if run.desired == Desired.HOLD else []
    return Change(run, RunState.RUNNING, judgement.source, data, fields, late)


def _suspect(run: Run, judgement: Judgement, sighting: Sighting, now: datetime) -> Change:
    fields = _seen(run, sighting.listed)
    fields |= {"misses": run.misses + 1, "missing_since": run.missing_since or now}
    flags = None
    if judgement.verdict is Verdict.SUSPECT and judgement.source is Confirmation.QUEUE:
        if run.missing_since is not None and now - run.missing_since > timedelta(minutes=1):
            flags = Attention.NO_SIGN_OF_LIFE
    elif sighting.accounting is False and run.misses >= 3:
        flags = Attention.ACCOUNTING_OFF
    if flags is not None and run.attention == "":
        fields |= {"attention": flags, "attention_text": str(flags.label), "attention_since": now}
    return Change(run, fields=fields)


def _adopt(run: Run, judgement: Judgement, sighting: Sighting, now: datetime) -> Change:
    data = {"from": run.job_id, "to": judgement.job_id}
    fields = {"job_id": judgement.job_id, "queue_state": "", "queue_reason": "", **_CALM}
    fields["hold_sent_at"] = None
    return Change(run, fields=fields, notes=[Note("adopted", Confirmation.MARKER, data)])


def _finish(run: Run, judgement: Judgement, sighting: Sighting, now: datetime) -> Change:
    ended = sighting.markers.result.at if sighting.markers.result is not None else None
    for job in (sighting.listed, sighting.record):
        ended = ended or (job.end_time if job is not None else None)
    fields = {
        **_seen(run, sighting.listed),
        **_CALM,
        **_unflagged(),
        **_started(run, sighting),
        "outcome": judgement.outcome,
        "reason": judgement.reason,
        "reason_text": judgement.text[:1000],
        "exit_code": judgement.exit_code,
        "signal": judgement.signal,
        "ended_at": ended or now,
        "next_at": now,
        "tries": 0,
        "confirmed_at": now,
        "confirmed_source": judgement.source,
        **leases.RELEASED,
    }
    data = {
        "outcome": judgement.outcome, "reason": judgement.reason, "exit_code": judgement.exit_code,
        "signal": judgement.signal, "text": judgement.text, "job_id": run.job_id,
        "native_state": sighting.listed.native_state if sighting.listed else "",
    }  # fmt: skip
    notes = [Note("cancel_too_late")] if judgement.late_cancel else []
    return Change(run, RunState.FINISHING, judgement.source, data, fields, notes)


_Builder = Callable[[Run, Judgement, Sighting, datetime], Change]
_BUILDERS: dict[Verdict, _Builder] = {
    Verdict.KEEP: _keep,
    Verdict.WAITING: _waiting,
    Verdict.RUNNING: _running,
    Verdict.ADOPT: _adopt,
    Verdict.FINISH: _finish,
}


def _seen(run: Run, listed: JobInfo | None) -> dict[str, Any]:
    """The queue's words, where they changed."""
    if listed is None:
        return {}
    found = {"queue_state": listed.native_state[:32], "queue_reason": listed.reason[:200]}
    return {name: value for name, value in found.items() if getattr(run, name) != value}


def _calmed(run: Run) -> dict[str, Any]:
    fields = dict(_CALM) if run.misses or run.missing_since else {}
    if run.attention in (Attention.NO_SIGN_OF_LIFE, Attention.ACCOUNTING_OFF):
        fields |= _unflagged()
    return fields


def _unflagged() -> dict[str, Any]:
    return {"attention": Attention.NONE, "attention_text": "", "attention_since": None}


def _started(run: Run, sighting: Sighting) -> dict[str, Any]:
    started = sighting.markers.started
    if run.started_at is not None:
        return {}
    if started is not None:
        return {"started_at": started.at, "nodes": started.node[:200]}
    if run.kind == RunKind.JOB:  # it leaves no marker: the scheduler's word
        for job in (sighting.record, sighting.listed):
            if job is not None and job.start_time is not None:
                return {"started_at": job.start_time, "nodes": job.nodes[:200]}
    return {}
