"""Workbooks with many rows in the real reading path: time, memory of the process that opens them and of the caller.

    .venv/bin/python -m bench.workbook [--rows 20000 100000 1000000] [--rounds 3]

Each workbook has a table of three columns. It is made once, then read by `services.workbook.process.opened`, which is
what the submission page and `POST /api/v1/new-run/` call, in a process whose memory grows by what one web thread
holds. Memory is the highest resident size (VmHWM), the child's looked at every 20 ms; a refusal is told by its
code. It needs no lab and no database.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from openpyxl import Workbook

from bench.figures import Bound, Figure, Report, say

SECONDS = 25.0
"""The most that one upload may hold up a web thread: the limit of the child's life and some room."""
CHILD_MIB = 330.0
CALLER_MIB = 400.0
"""What a web process may grow by while it holds the largest workbook that is read."""

_READ = """
import json, sys, threading, time
from pathlib import Path
from pipeline_management.errors import DomainError
from pipeline_management.services.workbook import process

def peak(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), 0.0)

def watch():
    children = Path(f"/proc/self/task/{threading.main_thread().native_id}/children")
    while not over:
        for pid in children.read_text().split():
            try:
                if b"main.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    child.append(peak(pid))
            except OSError:
                pass  # it has ended meanwhile
        time.sleep(0.02)

data = open(sys.argv[1], "rb").read()
over, child = [], [0.0]
watcher = threading.Thread(target=watch)
watcher.start()
before, begun, code, cells = peak("self"), time.perf_counter(), "read", 0
try:
    cells = process.opened(data).cells
except DomainError as error:
    code = error.problems[0].code if getattr(error, "problems", None) else type(error).__name__
seconds = time.perf_counter() - begun
over.append(True)
watcher.join()
print(json.dumps(
    {"seconds": seconds, "code": code, "cells": cells, "own": peak("self") - before, "child": max(child)}
))
"""


def made(rows: int, folder: Path) -> Path:
    """A workbook with a sheet "Settings" and a table of so many rows."""
    book = Workbook(write_only=True)
    settings = book.create_sheet("Settings")
    settings.append(["Key", "Value"])
    settings.append(["pipeline", "hello"])
    table = book.create_sheet("samples")
    table.append(["sample", "path", "lane"])
    for number in range(rows):
        table.append([f"S{number}", f"/data/S{number}_R1.fastq.gz", number % 8])
    path = folder / f"{rows}.xlsx"
    book.save(path)
    return path


def read(path: Path) -> dict[str, float | str]:
    """One reading, in a process of its own so that its memory is its own."""
    answer = subprocess.run(  # noqa: S603  our own interpreter and text
        [sys.executable, "-c", _READ, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    values: dict[str, float | str] = json.loads(answer.stdout.splitlines()[-1])
    return values


def measure(rows: int, rounds: int, folder: Path) -> Figure:
    """The figure of workbooks of one length: the slowest and the largest of the rounds."""
    path = made(rows, folder)
    size = path.stat().st_size / 10**6
    say(f"{rows} rows: {size:.1f} MB")
    found = [read(path) for _ in range(rounds)]
    path.unlink()
    figure = Figure("W1", f"rows-{rows}", "s", [])
    figure.bounds = [
        Bound("seconds", max(float(one["seconds"]) for one in found), SECONDS),
        Bound("child_mib", max(float(one["child"]) for one in found), CHILD_MIB),
        Bound("caller_mib", max(float(one["own"]) for one in found), CALLER_MIB),
    ]
    figure.facts = {
        "answer": str(found[0]["code"]),
        "cells": float(found[0]["cells"]),
        "file_mb": size,
    }
    return figure


def main() -> int:
    """0 unless a bound is missed with ``--strict``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--strict", action="store_true", help="a missed bound is an error")
    options = parser.parse_args()
    if min(options.rows) < 1 or options.rounds < 1:
        parser.error("--rows and --rounds: expected positive numbers")
    report = Report("Workbooks with many rows")
    with tempfile.TemporaryDirectory(prefix="centro-workbooks-") as folder:
        for rows in options.rows:
            report.add(measure(rows, options.rounds, Path(folder)))
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
