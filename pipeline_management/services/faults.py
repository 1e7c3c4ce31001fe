"""Fault points of test builds: ``CENTRO_TEST_FAULT=P1b`` kills the process where ``point("P1b")`` stands.

Each point fires once per ``CENTRO_TEST_FAULT_DIR``. Without the variable a point is one dictionary look-up.
"""

from __future__ import annotations

import os
import signal


def point(name: str) -> None:
    """Die here by SIGKILL if this point is armed and has not fired yet."""
    armed = os.environ.get("CENTRO_TEST_FAULT")
    if not armed or name not in armed.split(","):
        return
    marker = os.path.join(os.environ["CENTRO_TEST_FAULT_DIR"], name)
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
