"""The wrapper's word about how a script ended, with and without somebody's wish to end it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hpc.protocol.scripts import program


def ended(folder: Path, script: str) -> tuple[int, int]:
    """Run ``script`` as job 7 in ``folder``; returns the wrapper's exit code and the one in its result."""
    (folder / "script.sh").write_text(script)
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", program("wrapper")],
        env={"PATH": "/usr/bin:/bin", "CENTRO_RUN_DIR": str(folder), "CENTRO_JOB_ID": "7"},
        check=False,
    )
    code, _, owner = (folder / "result").read_text().split()
    assert owner == "7"
    return done.returncode, int(code)


@pytest.mark.parametrize("code", [0, 3])
def test_a_script_that_nobody_cancelled_says_itself_how_it_ended(tmp_path: Path, code: int) -> None:
    assert ended(tmp_path, f"exit {code}\n") == (code, code)


@pytest.mark.parametrize("code", [0, 1])
def test_a_cancelled_script_that_is_through_before_the_signal_comes_is_no_success(
    tmp_path: Path, code: int
) -> None:
    (tmp_path / "results.sh").write_text("#!/bin/sh\ntouch archived\n")
    (tmp_path / "results.sh").chmod(0o700)
    assert ended(tmp_path, f": > cancel\nexit {code}\n") == (143, 143)
    assert not (tmp_path / "archived").exists()


def test_the_scheduler_s_signal_counts_though_the_script_ends_with_zero(tmp_path: Path) -> None:
    assert ended(tmp_path, "kill -TERM $PPID\nexit 0\n") == (143, 143)
