"""The legal moves of a run. Anything that is not in this table is a bug.

``reliability`` rules: intent (``desired``) and fact (``state``) are two columns; a state moves only by
``services.transition``; terminal is terminal; silence never ends a run.
"""

from __future__ import annotations

from pipeline_management.choices import RunState

TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.DRAFT: frozenset({RunState.QUEUED, RunState.CANCELLED}),
    RunState.QUEUED: frozenset({RunState.STAGING, RunState.SUBMITTING, RunState.CANCELLED}),
    RunState.STAGING: frozenset(
        {RunState.SUBMITTING, RunState.QUEUED, RunState.FAILED, RunState.CANCELLED}
    ),
    RunState.SUBMITTING: frozenset(
        {
            RunState.SUBMITTED,
            RunState.RUNNING,
            RunState.FINISHING,
            RunState.QUEUED,
            RunState.FAILED,
            RunState.CANCELLED,
        }
    ),
    RunState.SUBMITTED: frozenset(
        {RunState.RUNNING, RunState.FINISHING, RunState.QUEUED, RunState.CANCELLED, RunState.FAILED}
    ),
    RunState.RUNNING: frozenset({RunState.SUBMITTED, RunState.FINISHING}),
    RunState.FINISHING: frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}


def is_legal(from_state: RunState, to_state: RunState) -> bool:
    """Whether a run may move from one state to the other."""
    return to_state in TRANSITIONS[from_state]
