"""The programs that lead the engines' runs, on this machine, with small programs in place of the engines."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hpc.engines import head

ENGINE = """#!/usr/bin/python3
# A shell could not do this: in the background it is made deaf to INT.
import os, pathlib, signal, sys, time
def say(word):
    with open(os.environ["LOG"], "a") as log: log.write(word + "\\n")
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda got, _: (say(signal.Signals(got).name), os._exit(130)))
say(sys.argv[1])
if sys.argv[1] == "init":
    project = pathlib.Path(sys.argv[2], "jetstream"); project.mkdir(parents=True, exist_ok=True)
    (project / "project.yaml").touch(); sys.exit(0)
pathlib.Path(os.environ["CENTRO_RUN_DIR"], "engine.begun").touch()
if os.environ.get("SLOW"): time.sleep(30)
sys.exit(int(os.environ.get("CODE", "0")))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory of a run with its head and a command ``engine``."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/engine").write_text(ENGINE)
    (tmp_path / "bin/engine").chmod(0o755)
    (tmp_path / "run/engine").mkdir(parents=True)
    (tmp_path / "run/stderr").touch()
    return tmp_path


def start(folder: Path, name: str, **more: str) -> subprocess.Popen[str]:
    (folder / "run/engine/head.sh").write_bytes(head(name))
    environment = {
        "PATH": f"{folder}/bin:/usr/bin:/bin",
        "LOG": str(folder / "log"),
        "CENTRO_RUN_ID": "1", "CENTRO_RUN_DIR": str(folder / "run"), "CENTRO_CONFIG": "config.json",
        "CENTRO_RESUME": "0", "CENTRO_RETRIEVE": "0", "CENTRO_STAGE_IN": "", "CENTRO_ARCHIVE": "",
        "JETSTREAM_COMMAND": "engine", "JETSTREAM_PIPELINE": "p@1", "JETSTREAM_BACKEND": "local",
        "SNAKEMAKE_COMMAND": "engine", "SNAKEMAKE_SNAKEFILE": "Snakefile", "SNAKEMAKE_MODE": "job",
    }  # fmt: skip
    return subprocess.Popen(
        ["/bin/sh", str(folder / "run/engine/head.sh")], env=environment | more, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and errors."""
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("name", ["jetstream", "snakemake"])
def test_what_engines_say_is_the_exit_code(folder: Path, name: str) -> None:
    assert ended(start(folder, name)) == (0, "")
    assert ended(start(folder, name, CODE="1"))[0] == 1


@pytest.mark.parametrize(("name", "word"), [("jetstream", "SIGTERM"), ("snakemake", "SIGINT")])
def test_each_engine_is_ended_by_its_own_signal(folder: Path, name: str, word: str) -> None:
    process = start(folder, name, SLOW="1")
    end = time.monotonic() + 60
    while not (folder / "run/engine.begun").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 130
    assert (folder / "log").read_text().splitlines()[-1] == word


@pytest.mark.parametrize("name", ["jetstream", "snakemake"])
def test_one_head_at_a_time(folder: Path, name: str) -> None:
    lock = os.open(folder / "run/.project.lock", os.O_CREAT | os.O_WRONLY)
    try:
        subprocess.run(["flock", "-n", str(lock)], pass_fds=[lock], check=True)
        code, errors = ended(start(folder, name))
    finally:
        os.close(lock)
    assert code == 75 and "another run works in" in errors


@pytest.mark.parametrize(
    ("answer", "code", "expected"),
    [
        ("qstat: Unknown Job Id 7.pbs01", 153, 0),
        (
            "qstat: 7.pbs01 Job has finished, use -x or -H to obtain historical job information",
            35,
            0,
        ),
        ("7.pbs01 name test1 00:00:01 R workq", 0, 75),
        ("Connection refused", 255, 75),
    ],
)
def test_on_pbs_a_lock_is_removed_when_its_job_is_over(
    folder: Path, answer: str, code: int, expected: int
) -> None:
    """A killed head on another node leaves Jetstream's lock behind; the answers of qstat are recorded ones."""
    (folder / "bin/qstat").write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit {code}\n")
    (folder / "bin/qstat").chmod(0o755)
    # without Slurm's commands, whatever this machine has
    for program in (
        "sh",
        "mkdir",
        "tr",
        "sed",
        "head",
        "uname",
        "hostname",
        "rm",
        "flock",
        "sleep",
        "tail",
        "cat",
    ):
        (folder / "bin" / program).symlink_to(Path("/usr/bin") / program)
    lock = folder / "run/project/jetstream/pid.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("{hostname: elsewhere, pid: 12}")
    (folder / "run/head.job").write_text("7.pbs01\n")
    process = start(folder, "jetstream", PATH=str(folder / "bin"), PBS_JOBID="8.pbs01")
    said, errors = ended(process)
    assert (said, lock.exists()) == (expected, expected == 75), errors
