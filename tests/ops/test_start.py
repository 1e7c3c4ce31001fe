"""`git clone`, `./start.sh`, paste the printed line: the first minutes of a new operator."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
from collections.abc import Iterator

import pytest

from tests.lab.process import wait_until
from tests.ops.installation import Installation, Started, readiness, run_state

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("start")]


@pytest.fixture(scope="module")
def first(installation: Installation) -> Iterator[Started]:
    """The first start, with nothing there yet."""
    with Started(installation) as started:
        started.wait_ready(600)
        yield started


def test_the_printed_line_runs_a_pipeline_to_success(
    installation: Installation, first: Started
) -> None:
    assert f"Centro is ready at {installation.url}" in first.output
    line = first.curl_line()
    code, text = installation.call("bash", "-c", line.replace("curl ", "curl -sS ", 1))
    assert code == 0, text
    run_id = json.loads(text)["id"]
    login = re.search(r"--user (?:'[^']*'|\"[^\"]*\"|\S+)", line)
    assert login is not None
    final: dict[str, object] = {}

    def ended() -> bool:
        final.update(run_state(installation, run_id, login.group()))
        return final["state"] in ("succeeded", "failed", "cancelled")

    wait_until(ended, 90, f"run {run_id} did not end: {final}")
    assert final["state"] == "succeeded", final
    code, log = installation.call(
        "bash",
        "-c",
        f"curl -sS {login.group()} {installation.url}/api/v1/runs/{run_id}/log/?stream=stdout",
    )
    assert code == 0
    assert "world" in log


def test_secrets_are_private(installation: Installation, first: Started) -> None:
    for name in ("secrets.json", "var/admin-password"):
        mode = stat.S_IMODE((installation.folder / name).stat().st_mode)
        assert mode == 0o600, f"{name}: {mode:o}"
    assert stat.S_IMODE((installation.folder / "var").stat().st_mode) & 0o077 == 0


def test_started_twice_says_that_it_runs(installation: Installation, first: Started) -> None:
    code, text = installation.call("./start.sh", "--port", str(installation.port))
    assert code != 0
    assert "already runs" in text
    assert readiness(installation.url) == 200


def test_term_stops_everything_and_the_second_start_repeats_nothing(
    installation: Installation, first: Started
) -> None:
    assert first.stop(signal.SIGTERM) == 0
    wait_until(lambda: not installation.processes(), 10, "processes are left")
    with Started(installation) as second:
        print(f"second start: {second.wait_ready(180):.1f} s")
        for step in ("virtual environment", "installing", "collecting", "created", "building"):
            assert step not in second.output, "a second start does it again"
        assert readiness(installation.url) == 200
        assert second.stop(signal.SIGINT) == 0  # Ctrl-C
    wait_until(lambda: not installation.processes(), 10, "processes are left")


def test_a_supervisor_killed_outright_leaves_nothing(
    installation: Installation, first: Started
) -> None:
    with Started(installation) as again:
        again.wait_ready(60)
        again.process.kill()
        again.process.wait(10)
        supervisor = installation.folder / "var" / "run" / "supervisor.pid"
        code, _ = installation.call("bash", "-c", f"kill -KILL $(cat {supervisor})")
        assert code == 0
        wait_until(lambda: not installation.processes(), 60, "processes are left")


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["--port", "PORT_IN_USE"], {}, "in use"),
        (["--port", "no-number"], {}, "CENTRO_PORT"),
        (["--prot", "8000"], {}, "--prot"),
        (["--port"], {}, "needs a value"),
        ([], {"CENTRO_DATABSE_URL": "mysql://x@y/z"}, "CENTRO_DATABSE_URL"),
        ([], {"CENTRO_REDIS_URL": "http://x"}, "redis://"),
        ([], {"CENTRO_SITE": "/nowhere/site.yaml"}, "/nowhere/site.yaml"),
    ],
)
def test_what_fails_says_so_in_one_line(
    installation: Installation,
    first: Started,
    arguments: list[str],
    variables: dict[str, str],
    expected: str,
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = [port if word == "PORT_IN_USE" else word for word in arguments]
        if "--port" not in words and "--prot" not in words:
            words += ["--port", str(installation.port)]
        state = installation.folder / "other"
        code, text = installation.call("./start.sh", *words, CENTRO_VAR=str(state), **variables)
    assert code not in (0, -signal.SIGKILL), text
    complaint = [line for line in text.splitlines() if expected in line]
    assert len(complaint) == 1, text
    assert "Traceback" not in text


def test_help_needs_nothing(installation: Installation) -> None:
    code, text = installation.call("./start.sh", "--help")
    assert code == 0
    assert "--port" in text
