"""What engines and script templates are told of the system that a run goes to."""

from __future__ import annotations

from typing import Any

from pipeline_management.models import System, SystemAccount


def system_context(system: System, account: SystemAccount) -> dict[str, Any]:
    """Plain data: the system's name and scheduler, where the scheduler's commands are, and the user name there."""
    return {
        "name": system.name,
        "username": account.username,
        "scheduler": system.scheduler,
        "bin_dir": str(system.scheduler_options.get("bin_dir", "")),
    }
