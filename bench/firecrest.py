"""P1 to P5, P9, P13: FirecREST over HTTP against plain `ssh`, `scp` and `sbatch` of the same machine.

    .venv/bin/python -m bench.firecrest [--rounds 5] [--count 20] [--jobs 1000] [--requests 1000] [--only p1 p9]

The portal's real processes on the lab's sshd and Slurm. Each round does the bare command and Centro directly one
after the other. The bare side of P1 to P4 and P9 is OpenSSH over a master that is logged in already (ControlMaster);
each master carries eight clients, because a stock sshd allows ten sessions on a connection. That of P5 is one exec
of `sbatch` over a warm paramiko connection. Jobs go to a partition that is down, so that they wait and cost nothing.

P1 one client; P2 eight and thirty-two clients, answers a second. Every operation also tells p50 and p95 of Centro
with 1, 8 and 32 clients. P3 a folder of 1,000 entries, P4 100 kB up and down, P5 a submission until its task holds
the job id. P9: 32 clients ask for the whole queue and for single jobs; the questions that slurmctld really got are
its own count (sdiag). P13: all kinds of requests mixed, by 32 clients of one person.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import portal as servers
from bench.figures import Bound, Figure, Pair, Report, Target, say
from bench.firecrest_client import FirecrestConnection, Multiplexed, Refused, times_of
from bench.firecrest_mix import mixed
from bench.rawssh import RawConnection
from tests.firecrest.portal import Portal, running
from tests.lab.lab import Lab

P1, P2, P3, P4 = Target(0.6), Target(2.0, at_least=True), Target(1.2), Target(0.7)
P5, P9 = Target(1.3, extra=12.0), Target(0.2)
SIZE = 100_000
MANY = (1, 8, 32)
SCRIPT = b"#!/bin/sh\n#SBATCH --partition=closed\n#SBATCH --output=/dev/null\ntrue\n"
FIGURES = ("p1", "p2", "p3", "p4", "p5", "p9", "p13")
Work = Callable[[int], object]  # one request by client number so and so


@dataclass(frozen=True)
class Operation:
    """The same thing both ways; ``centro`` and ``raw`` take the client's number."""

    name: str
    centro: Work
    raw: Work


class Bench:
    """Clients of both kinds, and the files that they look at."""

    def __init__(self, portal: Portal, folder: Path, options: argparse.Namespace) -> None:
        self.portal, self.folder, self.options = portal, folder, options
        self.rounds, self.count = options.rounds, options.count
        self.user = portal.unix_user("alice")
        token = portal.token("alice")
        self.clients = [FirecrestConnection(portal, token) for _ in range(max(MANY))]
        self.ssh = Multiplexed(portal.lab, self.user, max(MANY))
        self.local = Path(tempfile.mkdtemp(prefix="centro-bench-"))

    def close(self) -> None:
        """Close all connections."""
        for client in self.clients:
            client.close()
        subprocess.run(["rm", "-rf", str(self.local)], check=True)

    def small(self) -> list[Operation]:
        """stat, ls of ten entries and checksum of a small file."""
        file, ten = f"{self.folder}/file", f"{self.folder}/ten"

        def pair(name: str, path: str, command: str) -> Operation:
            return Operation(
                name,
                lambda n: self.clients[n].get(name, path),
                lambda n: self.ssh.run(f"{command} {path}", n),
            )

        return [
            pair("stat", file, "stat"),
            pair("ls", ten, "ls -l"),
            pair("checksum", file, "sha256sum"),
        ]

    # figures

    def alone(self, figure: str, operation: Operation, target: Target, count: int = 0) -> Figure:
        """Medians of one client's calls, both ways in turn."""
        count = count or self.count
        for work in (operation.centro, operation.raw):
            times_of(work, 3)
        pairs, all_times = [], []
        for _ in range(self.rounds):
            raw = times_of(operation.raw, count)
            ours = times_of(operation.centro, count)
            all_times += ours
            pairs.append(Pair(statistics.median(raw), statistics.median(ours)))
        facts: dict[str, float | str] = {"p95_ms": percentile(all_times, 95)}
        return Figure(figure, operation.name, "ms", pairs, target, facts=facts)

    def crowded(self, operation: Operation, clients: int) -> Figure:
        """Answers a second of many clients, both ways in turn."""
        self.rate(operation.centro, clients, 2)
        pairs, all_times = [], []
        for _ in range(self.rounds):
            raw, _ = self.rate(operation.raw, clients, max(2, self.count // 5))
            ours, times = self.rate(operation.centro, clients, self.count)
            all_times += times
            pairs.append(Pair(raw, ours))
        facts: dict[str, float | str] = {
            "p50_ms": percentile(all_times, 50),
            "p95_ms": percentile(all_times, 95),
        }
        return Figure("P2", f"{operation.name}-{clients}", "rps", pairs, P2, facts=facts)

    @staticmethod
    def rate(work: Work, clients: int, count: int) -> tuple[float, list[float]]:
        """Calls a second when so many clients make ``count`` calls each, and the time of every call."""
        with ThreadPoolExecutor(clients) as pool:
            begun = time.perf_counter()
            found = list(pool.map(lambda number: times_of(work, count, number), range(clients)))
            took = time.perf_counter() - begun
        return clients * count / took, [one for times in found for one in times]

    def told(self, operation: Operation) -> Iterator[Figure]:
        """p50 and p95 of an operation without a target at each number of clients."""
        for clients in MANY:
            times = self.rate(operation.centro, clients, max(2, self.count // 2))[1]
            facts: dict[str, float | str] = {
                "p50_ms": percentile(times, 50),
                "p95_ms": percentile(times, 95),
            }
            yield Figure("P0", f"{operation.name}-{clients}", "ms", [], facts=facts)

    def copies(self) -> list[Operation]:
        """100 kB up and down, against `scp`."""
        content = os.urandom(SIZE)
        local, fetched = self.local / "up", self.local / "down"
        local.write_bytes(content)
        (self.folder / "hundred").write_bytes(content)
        self.portal.give("alice", self.folder / "hundred")
        folder, remote = str(self.folder), f"{self.folder}/hundred"

        def down(number: int) -> None:
            if self.clients[number].get("download", remote) != content:
                raise Refused("the download differs")

        return [
            Operation(
                "up-100kB",
                lambda n: self.clients[n].upload(folder, f"up-{n}", content),
                lambda n: self.ssh.put(local, f"{folder}/put-{n}"),
            ),
            Operation("down-100kB", down, lambda n: self.ssh.fetch(remote, fetched)),
        ]

    def submission(self, raw: RawConnection) -> Operation:
        """A submission until its job id is known."""
        sbatch = "sbatch --parsable --chdir=/tmp"
        return Operation(
            "submit", lambda n: self.clients[n].submit(SCRIPT), lambda n: raw.run(sbatch, SCRIPT)
        )

    def queue(self, jobs: int) -> Iterator[Figure]:
        """P9: the queue and single jobs, asked for by 32 clients."""
        loop = (
            f"for i in $(seq {jobs}); do sbatch --parsable -p closed -o /dev/null --wrap true; done"
        )
        numbers = self.ssh.run(loop).split()
        one = numbers[len(numbers) // 2].decode()
        user = self.user
        kinds = {
            "job-list": (lambda n: self.clients[n].asked("/compute/jobs"), f"squeue -h -u {user}"),
            "job-state": (
                lambda n: self.clients[n].asked("/compute/jobs", jobs=one),
                f"squeue -h -j {one}",
            ),
        }
        for name, (centro, command) in kinds.items():
            pairs, rates, p95 = [], [], []
            self.rate(centro, 4, 1)
            for _ in range(self.rounds):
                bare = statistics.median(times_of(lambda n, c=command: self.ssh.run(c, n), 10))
                before, begun = servers.scheduler_queries(self.portal.lab), time.perf_counter()
                _, times = self.rate(centro, max(MANY), max(2, self.count // 2))
                seconds = time.perf_counter() - begun
                after = servers.scheduler_queries(self.portal.lab)
                rates.append((after["queries"] - before["queries"]) / seconds)
                pairs.append(Pair(bare, percentile(times, 50)))
                p95.append(percentile(times, 95))
            bounds = [Bound("queries_per_s", statistics.median(rates), 1.0)]
            facts: dict[str, float | str] = {"jobs": len(numbers), "p95_ms": statistics.median(p95)}
            yield Figure("P9", name, "ms", pairs, P9, bounds, facts)


def percentile(times: list[float], percent: int) -> float:
    """That percentile, by the nearest rank."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def figures(bench: Bench, wanted: set[str], raw: RawConnection) -> Iterator[Figure]:
    """All that were asked for, one after the other."""
    lab = bench.portal.lab
    many = Operation(
        "ls-1000",
        lambda n: bench.clients[n].get("ls", f"{bench.folder}/thousand"),
        lambda n: bench.ssh.run(f"ls -l {bench.folder}/thousand", n),
    )
    if "p1" in wanted:
        yield from (bench.alone("P1", one, P1) for one in bench.small())
    if "p2" in wanted:
        yield from (bench.crowded(one, n) for one in bench.small() for n in MANY[1:])
    if "p3" in wanted:
        yield bench.alone("P3", many, P3)
        yield from bench.told(many)
    if "p4" in wanted:
        for one in bench.copies():
            yield bench.alone("P4", one, P4)
            yield from bench.told(one)
    if "p5" in wanted:
        submission = bench.submission(raw)
        yield bench.alone("P5", submission, P5)
        yield from bench.told(submission)
        servers.clear_queue(lab)
    if "p9" in wanted:
        yield from bench.queue(bench.options.jobs)
        servers.clear_queue(lab)
    if "p13" in wanted:
        yield mixed(bench.portal, bench.folder, bench.clients, bench.options.requests)
        servers.clear_queue(lab)


@contextlib.contextmanager
def prepared(lab: Lab, options: argparse.Namespace) -> Iterator[Bench]:
    """A portal, folders with ten and a thousand files, and clients of both kinds."""
    with running(lab) as portal, portal.folder("alice") as folder:
        portal.write("alice", folder / "file", os.urandom(1000))
        for name, number in (("ten", 10), ("thousand", 1000)):
            (folder / name).mkdir()
            for index in range(number):
                (folder / name / f"file-{index:04}").touch()
        bench = Bench(portal, folder, options)
        try:
            with bench.ssh:
                yield bench
        finally:
            bench.close()


def measure(lab: Lab, options: argparse.Namespace) -> Report:
    """Everything, and how many connections the portal opened for it."""
    report = Report("FirecREST and plain ssh (bench/firecrest.py)")
    with prepared(lab, options) as bench, RawConnection(lab, bench.user) as raw:
        opened = servers.ssh_connections(lab)
        for figure in figures(bench, set(options.only), raw):
            report.add(figure)
        opened = servers.ssh_connections(lab) - opened
        say("done")
        # two (the system's max_connections) by each of the two web processes and by the worker
        report.add(
            Figure("L1", "connections", "", [], bounds=[Bound("ssh_connections", opened, 6)])
        )
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--count", type=int, default=20, help="calls of a client in a round (default 20)"
    )
    parser.add_argument("--jobs", type=int, default=1000, help="queued jobs of P9 (default 1000)")
    parser.add_argument(
        "--requests", type=int, default=1000, help="mixed requests of P13 (default 1000)"
    )
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=list(FIGURES))
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    with servers.lab() as lab:
        report = measure(lab, options)
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
