"""Checking the record: the events of a run, folded, must give its row."""

from __future__ import annotations

from pipeline_management.choices import Confirmation, RunState
from pipeline_management.models import Run
from pipeline_management.states import is_legal


def first_fault(run: Run) -> str:
    """The first contradiction between a run's events and its row, in one sentence; "" if there is none."""
    state = ""
    number = 0
    by_person = False
    for event in run.events.order_by("seq"):
        number += 1
        if event.seq != number:
            return f"event {number} is missing"
        if event.type != "state":
            continue
        if event.from_state != state:
            return f"event {number} leaves {event.from_state!r}, but the run was {state!r}"
        by_person = event.evidence == Confirmation.PERSON
        if state and not is_legal(RunState(state), RunState(event.to_state), by_person=by_person):
            return f"event {number} moves from {state} to {event.to_state}, which is not allowed"
        state = event.to_state
    if number != run.event_seq:
        return f"the row counts {run.event_seq} events, there are {number}"
    if state != run.state:
        return f"the events end in {state!r}, the row says {run.state!r}"
    if run.state == RunState.SUCCEEDED and run.exit_code != 0 and not by_person:
        return "the run succeeded without a result of 0"
    return ""
