"""The lab's one error."""

from __future__ import annotations


class LabError(RuntimeError):
    """A lab server could not be installed, started or stopped; the text says which and why."""
