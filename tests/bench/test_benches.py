"""Each bench once, with tiny numbers, on the real servers: what it prints, not how fast it was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^([PLH]\d+) (\S+) (.*) (PASS|MISS|INFO)$", re.M)
ROW = re.compile(r"^\| ([PLH]\d+ \S+) \|", re.M)
Figures = dict[str, dict[str, str]]

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def measured(lab: Lab, *arguments: str) -> Figures:
    """What a bench printed: "P8 reason-0" -> its values. The test fails where the bench does."""
    ours = ("CENTRO_", "DJANGO_", "PYTEST_")
    # the folders of labs tell where what a portal needs is kept, once made
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours) or k == "CENTRO_LAB_DIRS"}
    answer = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=kept | lab.env(), capture_output=True, text=True,
        timeout=280, check=False,
    )  # fmt: skip
    print(answer.stderr[-3000:])  # faults that it met, shown where the test fails
    assert answer.returncode == 0, answer.stderr[-3000:]
    found = {
        f"{number} {name}": dict(word.split("=", 1) for word in values.split())
        for number, name, values, _ in LINE.findall(answer.stdout)
    }
    assert set(found) == set(ROW.findall(answer.stdout))  # the table has them all
    return found


def paired(values: dict[str, str], unit: str, rounds: int) -> None:
    """A figure with a bare command and Centro, both really measured."""
    assert float(values[f"centro_{unit}"]) > 0
    assert float(values[f"raw_{unit}"]) > 0
    assert float(values["ratio"]) > 0
    assert values["rounds"] == str(rounds)


def test_poll(lab: Lab) -> None:
    found = measured(lab, "bench.poll", "--jobs", "20", "--changed", "0", "4", "--rounds", "2")
    assert set(found) == {"P8 reason-0", "P8 reason-4", "P8 state-4", "P8 reason-all", "L1 connections"}
    for name in ("P8 reason-0", "P8 reason-4", "P8 state-4", "P8 reason-all"):
        paired(found[name], "ms", 2)
        assert (found[name]["execs"], found[name]["queue_queries"]) == ("1", "1")
        assert float(found[name]["cpu_ms"]) > 0
    assert found["L1 connections"]["ssh_connections"] == "1"


def test_submit(lab: Lab) -> None:
    found = measured(lab, "bench.submit", "--singles", "2", "--burst", "12", "--rounds", "2")
    assert set(found) == {"P5 new-run", "P6 burst", "L1 connections"}
    paired(found["P5 new-run"], "ms", 2)
    paired(found["P6 burst"], "ms", 2)
    assert found["P6 burst"]["jobs"] == "12"
    assert 1 <= int(found["L1 connections"]["ssh_connections"]) <= 2


def test_web(lab: Lab) -> None:
    found = measured(lab, "bench.web", "--seconds", "3", "--rounds", "1", "--requests", "64")
    assert set(found) == {
        "P7 new-run", "P7 new-run-against-open-view", "P13 mixed", "P14 warm-basic",
        "P14 bad-logins-one-address", "P14 bad-logins-many-addresses",
    }  # fmt: skip
    for name in set(found) - {"P13 mixed"}:
        paired(found[name], "rps", 1)
    assert int(found["P7 new-run"]["runs"]) == int(found["P7 new-run"]["events"]) > 0
    assert found["P13 mixed"]["requests"] == "64"
    assert found["P13 mixed"]["errors"] == "0"


def test_firecrest(lab: Lab) -> None:
    found = measured(
        lab, "bench.firecrest", "--rounds", "1", "--count", "2", "--jobs", "5", "--requests", "64"
    )
    single = {"P1 stat", "P1 ls", "P1 checksum", "P3 ls-1000", "P4 up-100kB", "P4 down-100kB"}
    for name in single | {"P5 submit", "P9 job-list", "P9 job-state"}:
        paired(found[name], "ms", 1)
    for name in ("stat", "ls", "checksum"):
        for clients in (8, 32):
            paired(found[f"P2 {name}-{clients}"], "rps", 1)
    for name in ("ls-1000", "up-100kB", "down-100kB", "submit"):
        for clients in (1, 8, 32):
            assert float(found[f"P0 {name}-{clients}"]["p95_ms"]) > 0
    assert found["P9 job-list"]["jobs"] == "5"
    assert found["P13 firecrest-mixed"]["requests"] == "64"
    assert found["P13 firecrest-mixed"]["errors"] == "0"


def test_transfer(lab: Lab) -> None:
    found = measured(
        lab, "bench.transfer", "--size", "1", "--rounds", "1", "--large", "1", "2", "--only", "routes", "clients"
    )
    for route in ("direct", "through"):
        paired(found[f"P10 up-{route}"], "MBps", 1)
        paired(found[f"P10 down-{route}"], "MBps", 1)
    for store in ("local", "s3"):
        for size in (1, 2):
            values = found[f"P10 pyfirecrest-{store}-{size}MiB"]
            assert float(values["different"]) == 0
            assert float(values["up_MBps"]) > 0
            assert float(values["down_MBps"]) > 0
        assert 0 < float(found[f"P10 memory-{store}"]["largest_mb"]) < 200


def test_history(lab: Lab) -> None:
    found = measured(lab, "bench.history", "--runs", "400", "--events", "800", "--rounds", "2", "--tries", "1",
                     "--buffers", "256")
    by_name = {name.split(" ", 1)[1]: values for name, values in found.items()}
    pages = ("/runs/", "/runs/?state=failed", "/runs/?q=NA77", "/", "/usage/?period=year")
    for name in (f"{who}:{page}" for who in ("admin", "user1") for page in pages):
        assert float(by_name[name]["p95_ms"]) > 0
        assert int(by_name[name]["queries"]) > 0
    for kind in ("csv", "json", "xlsx"):
        assert float(by_name[f"export-{kind}"]["mb"]) > 0
    assert by_name["export-csv"]["rows"] == "40"


def test_a_wrong_number_is_refused(lab: Lab) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bench.poll", "--jobs", "10", "--changed", "9"], cwd=ROOT,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "--changed 9: at most half of --jobs 10" in answer.stderr
