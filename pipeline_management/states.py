"""The legal moves of a run. Anything that is not in this table is a bug.

``reliability`` rules: intent (``desired``) and fact (``state``) are two columns; a state moves only by
``services.transition``; terminal is terminal; silence never ends a run.
"""

from __future__ import annotations

from pipeline_management.choices import OPEN_STATES, TERMINAL_STATES, RunState

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


def is_legal(from_state: RunState, to_state: RunState, *, by_person: bool = False) -> bool:
    """Whether a run may move from one state to the other.

    ``by_person``: an administrator ends a run of which nothing can be learnt (``services.control.settling``);
    that goes from every open state to every end, and nowhere else.
    """
    if by_person:
        return from_state in OPEN_STATES and to_state in TERMINAL_STATES
    return to_state in TRANSITIONS[from_state]
