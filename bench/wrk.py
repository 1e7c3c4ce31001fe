"""Requests per second by wrk: one thread of C, so that the client takes as little of the machine as can be."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

CONNECTIONS = 16


def available() -> bool:
    """Whether wrk is installed."""
    return shutil.which("wrk") is not None


def rate(
    url: str, authorization: str | None, seconds: float, data: Any = None, connections: int = CONNECTIONS
) -> float:
    """Answers per second. RuntimeError when any answer is not 2xx or a connection fails."""
    command = ["wrk", "--threads", "1", "--connections", str(connections), "--timeout", "30s"]
    command += ["--duration", f"{max(1, round(seconds))}s"]
    if authorization:
        command += ["--header", f"Authorization: {authorization}"]
    with tempfile.TemporaryDirectory(prefix="centro-bench-") as folder:
        if data is not None:
            script = Path(folder) / "post.lua"
            body = json.dumps(data).replace("\\", "\\\\").replace("'", "\\'")
            script.write_text(
                f"wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = '{body}'\n"
            )
            command += ["--script", str(script)]
        text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    if bad := re.search(r"(Non-2xx.*|Socket errors.*)", text):
        raise RuntimeError(f"{url}: {bad[1]}")
    found = re.search(r"Requests/sec: +([\d.]+)", text)
    if found is None:
        raise RuntimeError(f"wrk says: {text}")
    return float(found[1])
