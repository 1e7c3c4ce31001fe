"""Runs that wait for uploads: which may go on, which wait, and which have lost what they waited for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from pipeline_management.models import Run, Transfer
from pipeline_management.models.transfer import TransferState
from pipeline_management.transfer_states import OPEN

_SOON, _LATER = timedelta(seconds=5), timedelta(seconds=30)
_QUICK_LOOKS = 24


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a run cannot be submitted yet, or (``lost``) will never be."""

    text: str
    lost: bool = False


def waits_of(runs: Iterable[Run]) -> dict[UUID, Wait]:
    """The runs among these that wait for uploads. One read for all of them."""
    wanted = {
        run.pk: {one["upload"] for one in run.brought_inputs if one["upload"]} for run in runs
    }
    ids = set().union(*wanted.values())
    if not ids:
        return {}
    states = {
        str(pk): TransferState(state)
        for pk, state in Transfer.objects.filter(pk__in=ids).values_list("pk", "state")
    }
    waits = {}
    for run_id, uploads in wanted.items():
        open_ones = [one for one in uploads if states.get(one) in OPEN]
        lost = [one for one in uploads if states.get(one) not in OPEN | {TransferState.DONE}]
        if lost:
            state = states.get(lost[0])
            how = state.label.lower() if state else "gone"
            text = f"The upload {lost[0]} that the run waited for is {how}."
            waits[run_id] = Wait(text, lost=True)
        elif open_ones:
            waits[run_id] = Wait(f"{len(open_ones)} of {len(uploads)} uploads are not there yet.")
    return waits


def next_look(tries: int) -> timedelta:
    """How long until a waiting run is looked at again: often for two minutes, then twice a minute."""
    return _SOON if tries < _QUICK_LOOKS else _LATER
