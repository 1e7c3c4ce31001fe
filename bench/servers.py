"""Which web server: requests per second, latency and memory of the candidates on this machine.

    .venv/bin/python bench/servers.py [--database URL] [--rounds 3] [--seconds 4] [--clients 16]

Needs wrk (`apt-get install wrk`) and, beside Centro's own packages, gunicorn, uvicorn and a2wsgi
(`pip install gunicorn 'uvicorn[standard]' a2wsgi`). The database is a fresh SQLite file, or the MariaDB of
`--database mysql://…` (the test lab's, for one); of that the number of open connections under load is shown
too. All servers run two processes of eight threads, on loopback, one after the other in each round.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROCESSES, THREADS = 2, 8
POST = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"name": "NA12878", "samples": ["a_R1.fastq.gz", "a_R2.fastq.gz", "b_R1.fastq.gz"]}'
"""
GRANIAN = (
    f"-m granian --no-ws --log-level error --host 127.0.0.1 --port {{port}} --workers {PROCESSES}"
)
SERVERS = {
    "gunicorn gthread": f"-m gunicorn --worker-class gthread --workers {PROCESSES} --threads {THREADS} "
    "--log-level error --bind 127.0.0.1:{port} server_site:application",
    "granian wsgi": f"{GRANIAN} --interface wsgi --blocking-threads {THREADS} server_site:application",
    "granian asgi + centro.bridge": f"{GRANIAN} --interface asginl --loop uvloop server_site:ours",
    "granian asgi + a2wsgi": f"{GRANIAN} --interface asgi server_site:bridged",
    "uvicorn asgi + a2wsgi": f"-m uvicorn --workers {PROCESSES} --log-level error --no-access-log "
    "--host 127.0.0.1 --port {port} server_site:bridged",
}


@dataclass
class Figures:
    """What was measured of one server and one path, one entry per round."""

    rate: list[float] = field(default_factory=list)
    median_ms: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    errors: int = 0


def main() -> int:
    """Measure all servers and print the table; 1 when a needed program is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--database", help="mysql://user:password@host:port/name; default: SQLite")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--only", nargs="+", choices=list(SERVERS), default=list(SERVERS))
    options = parser.parse_args()
    if not shutil.which("wrk"):
        print("wrk is missing: apt-get install wrk", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="server-bench-") as directory:
        os.environ["SERVER_BENCH_DATABASE"] = (
            options.database or f"sqlite:///{Path(directory) / 'bench.sqlite3'}"
        )
        (Path(directory) / "post.lua").write_text(POST)
        results = measure_all(options, Path(directory))
    print_table(results, options)
    return 0


def measure_all(options: argparse.Namespace, directory: Path) -> dict[tuple[str, str], Figures]:
    """Every server and path in each round, so that a busy minute of the machine hits all alike."""
    sys.path.insert(0, str(HERE))
    import server_site

    server_site.create_table()
    results = {(name, view): Figures() for name in options.only for view in ("plain", "insert")}
    for number in range(options.rounds):
        for name in options.only:
            command = SERVERS[name]
            with running(command) as (pid, port):
                for view in ("plain", "insert"):
                    figures = results[name, view]
                    wrk(f"http://127.0.0.1:{port}/{view}", 1, options.clients, directory, view)
                    measure(figures, pid, port, view, options, directory)
            print(f"round {number + 1} {name} done, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return results


def measure(
    figures: Figures, pid: int, port: int, view: str, options: argparse.Namespace, directory: Path
) -> None:
    """One timed load on one path; rows are counted, so that a lost insert shows as an error."""
    import server_site

    before = server_site.rows()
    found = wrk(
        f"http://127.0.0.1:{port}/{view}", options.seconds, options.clients, directory, view
    )
    figures.rate.append(found["rate"])
    figures.median_ms.append(found["50"])
    figures.p99_ms.append(found["99"])
    figures.errors += int(found["errors"])
    figures.memory_mb.append(memory_of_tree(pid))
    if view == "insert":
        lost = found["requests"] - (server_site.rows() - before)
        figures.errors += max(0, int(lost))
        figures.connections.append(open_connections())


@contextmanager
def running(command: str) -> Iterator[tuple[int, int]]:
    """Start a server on a free port and stop its whole process group afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = f"{HERE}{os.pathsep}{HERE.parent}"
    environment = os.environ | {"PYTHONPATH": path, "SERVER_BENCH_THREADS": str(THREADS)}
    if "bridged" in command:
        environment["SERVER_BENCH_BRIDGE"] = "1"
    process = subprocess.Popen(
        [sys.executable, *command.format(port=port).split()],
        env=environment,
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield process.pid, port
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the server answers; RuntimeError after 20 s or when it ends."""
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/plain", timeout=1):
                time.sleep(0.5)  # the second process may still be starting
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    raise RuntimeError(f"{process.args} does not answer")


def wrk(url: str, seconds: int, clients: int, directory: Path, view: str) -> dict[str, float]:
    """Run wrk; milliseconds of the 50th and 99th percentile, requests per second, errors."""
    script = ["--script", str(directory / "post.lua")] if view == "insert" else []
    text = subprocess.run(
        [
            "wrk",
            "--threads",
            "1",
            "--connections",
            str(clients),
            "--duration",
            f"{seconds}s",
            "--latency",
        ]
        + [*script, url],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {
        key: _milliseconds(value) for key, value in re.findall(r"^ +(50|99)% +(\S+)", text, re.M)
    }
    found["rate"] = float(re.findall(r"Requests/sec: +(\S+)", text)[0])
    found["requests"] = float(re.findall(r"(\d+) requests in", text)[0])
    bad = [int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", text)]
    bad += [
        int(n)
        for line in re.findall(r"Socket errors: (.*)", text)
        for n in re.findall(r"\d+", line)
    ]
    return found | {"errors": float(sum(bad))}


def _milliseconds(text: str) -> float:
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]  # wrk's form
    return float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def memory_of_tree(root: int) -> float:
    """Proportional memory (PSS) of a process and all its descendants, in MB."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    total, family = 0, {root}
    for pid in sorted(parents):
        if parents[pid] in family:
            family.add(pid)
    for pid in family:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        total += int(re.findall(r"^Pss: +(\d+)", text, re.M)[0])
    return total / 1024


def open_connections() -> int:
    """Connections to MariaDB besides the bench's own; 0 for SQLite."""
    from django.db import connection

    if connection.vendor != "mysql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE user = %s",
            [connection.settings_dict["USER"]],
        )
        return int(cursor.fetchone()[0]) - 1


def print_table(results: dict[tuple[str, str], Figures], options: argparse.Namespace) -> None:
    """Medians over the rounds as a Markdown table, then the same as one JSON line."""
    vendor = "MariaDB" if options.database else "SQLite"
    print(
        f"c={options.clients}, {PROCESSES} processes x {THREADS} threads, medians of "
        f"{options.rounds} rounds of {options.seconds} s, {os.cpu_count()} cores, database {vendor}\n"
    )
    print(
        "| server | plain r/s | p50 / p99 ms | insert r/s | p50 / p99 ms | memory MB | connections | errors |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in options.only:
        plain, insert = results[name, "plain"], results[name, "insert"]
        print(
            f"| {name} | {median(plain.rate):.0f} | {median(plain.median_ms):.1f} / {median(plain.p99_ms):.1f} "
            f"| {median(insert.rate):.0f} | {median(insert.median_ms):.1f} / {median(insert.p99_ms):.1f} "
            f"| {median(insert.memory_mb):.0f} | {max(insert.connections)} | {plain.errors + insert.errors} |"
        )
    print(
        json.dumps({f"{name} {view}": vars(figures) for (name, view), figures in results.items()})
    )


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


if __name__ == "__main__":
    raise SystemExit(main())
