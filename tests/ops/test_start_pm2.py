"""The same four processes under PM2, which comes from npm into a temporary folder."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from tests.lab.errors import LabError
from tests.lab.process import wait_until
from tests.ops.installation import Installation, readiness
from tests.stack import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("start")]
NAMES = {"redis", "server", "worker", "beat"}


def test_pm2_runs_all_four_processes(installation: Installation) -> None:
    port = free_port()
    settings = {
        "CENTRO_VAR": str(installation.folder / "pm2-state"),
        "CENTRO_PORT": str(port),
        "PM2_HOME": str(installation.folder / "pm2-home"),
    }
    code, text = installation.call("./start.sh", "--setup", seconds=600, **settings)
    assert code == 0, text
    prefix = installation.folder / "from-npm"
    installation.call(
        "bash", "-c", f"mkdir -p {prefix} && echo '{{\"private\": true}}' > {prefix}/package.json"
    )
    npm = shutil.which("npm")
    assert npm is not None, "npm is missing: run `python -m tests.lab packages` as root"
    code, text = installation.call(
        npm,
        "install",
        "--prefix",
        str(prefix),
        "--no-audit",
        "--no-fund",
        "pm2",
        seconds=300,
        npm_config_cache=str(installation.folder / "npm-cache"),
    )
    assert code == 0, text
    pm2 = str(prefix / "node_modules" / ".bin" / "pm2")

    def listed() -> dict[str, dict[str, Any]]:
        code, text = installation.call(pm2, "jlist", **settings)
        assert code == 0, text
        line = next(line for line in reversed(text.splitlines()) if line.startswith(("[{", "[]")))
        shown = json.loads(line)
        return {entry["name"]: entry["pm2_env"] for entry in shown}

    try:
        code, text = installation.call(pm2, "start", "ecosystem.config.js", **settings)
        assert code == 0, text
        try:
            wait_until(lambda: readiness(f"http://127.0.0.1:{port}") == 200, 120, "not ready")
        except LabError:
            pytest.fail(installation.call(pm2, "logs", "--nostream", **settings)[1])
        found = listed()
        assert set(found) == NAMES
        assert {name: env["status"] for name, env in found.items()} == dict.fromkeys(
            NAMES, "online"
        )
        assert {name: env["restart_time"] for name, env in found.items()} == dict.fromkeys(NAMES, 0)
        code, text = installation.call(pm2, "delete", "all", **settings)
        assert code == 0, text
    finally:
        installation.call(pm2, "kill", **settings)
    place = str(installation.folder)
    wait_until(lambda: not installation.processes(), 30, f"processes are left in {place}")
