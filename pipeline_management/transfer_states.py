"""The legal moves of a transfer. Anything that is not in this table is a bug."""

from __future__ import annotations

from pipeline_management.models.transfer import TransferState as S

TRANSITIONS: dict[S, frozenset[S]] = {
    S.AWAITING: frozenset({S.QUEUED, S.FAILED, S.CANCELLED, S.EXPIRED, S.INVALID}),
    S.QUEUED: frozenset({S.MOVING, S.FAILED, S.CANCELLED, S.INVALID}),
    S.MOVING: frozenset({S.CHECKING, S.QUEUED, S.FAILED, S.CANCELLED, S.INVALID}),
    S.CHECKING: frozenset({S.DONE, S.READY, S.QUEUED, S.FAILED, S.CANCELLED, S.INVALID}),
    S.DONE: frozenset({S.INVALID}),
    S.READY: frozenset({S.EXPIRED, S.INVALID}),
    S.FAILED: frozenset({S.QUEUED, S.EXPIRED, S.INVALID}),
    S.CANCELLED: frozenset({S.INVALID}),
    S.EXPIRED: frozenset({S.INVALID}),
    S.INVALID: frozenset(),
}

OPEN = frozenset({S.AWAITING, S.QUEUED, S.MOVING, S.CHECKING})
"""Something is still to come."""
WORKING = frozenset({S.QUEUED, S.MOVING, S.CHECKING})
"""A worker has to do something; one that stays in moving or checking was left by a worker that died."""
FINAL = frozenset(S) - OPEN


def is_legal(from_state: S, to_state: S) -> bool:
    """Whether a transfer may move from one state to the other."""
    return to_state in TRANSITIONS[from_state]
