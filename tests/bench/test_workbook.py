"""The bench of long workbooks with a short one: what it prints, not how fast it was."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_short_workbook_is_read_and_measured() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bench.workbook", "--rows", "50", "--rounds", "1"], cwd=ROOT,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-2000:]
    line = re.search(r"^W1 rows-50 (.*) (PASS|MISS)$", answer.stdout, re.M)
    assert line is not None, answer.stdout
    found = dict(word.split("=", 1) for word in line[1].split())
    assert (found["answer"], found["cells"]) == ("read", "157")
    assert float(found["child_mib"]) > 5, "the process that reads was looked at"
    assert set(found) > {"seconds", "limit_seconds", "caller_mib"}
