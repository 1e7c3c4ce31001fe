"""A portal that waits seconds where a real one waits minutes, for tests that kill and stop things."""

from __future__ import annotations

from collections.abc import Iterator

from tests.lab.lab import Lab
from tests.stack import LiveStack

IMPATIENT = {
    "CENTRO_LEASE_SECONDS": "3",
    "CENTRO_SETTLE_SECONDS": "4",
    "CENTRO_NFS_GRACE_SECONDS": "2",
    "CENTRO_PHANTOM_SECONDS": "20",
}


def impatient_portal(lab: Lab) -> Iterator[LiveStack]:
    """The portal's processes with short leases and short doubts."""
    with LiveStack.started(lab, IMPATIENT) as stack:
        yield stack


def with_live_worker(stack: LiveStack) -> Iterator[LiveStack]:
    """The portal for one test; afterwards its worker lives again, whatever the test did to it."""
    yield stack
    if "worker" not in stack.processes or stack.processes["worker"].poll() is not None:
        stack.processes.pop("worker", None)
        stack.start("worker")
