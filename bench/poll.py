"""P8: one poll tick of many open runs against one bare `squeue` of the same jobs.

    .venv/bin/python -m bench.poll [--jobs 5000] [--changed 0 50 500] [--rounds 7]

The tick is `polling.poll_account`, called in this process on the lab's MariaDB, over SSH, on real jobs that
Slurm holds: everything from the lease to the last UPDATE. Its processor time is that of this whole process,
paramiko's threads included. "reason": so many jobs have another reason than before (`scontrol hold` and
`uhold` change it for real). "state": their result markers lie there too, so that as many runs move to
finishing, with an event each. The bare command is `squeue -h -r -t all -u USER` of this machine, without SSH.
Commands are counted where they leave (exec requests on SSH channels), queue queries by slurmctld (sdiag).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import paramiko

from bench import portal
from bench.figures import Bound, Figure, Pair, Report, Target, say, timed
from bench.held import HeldJobs
from tests.lab.lab import Lab

TARGET = Target(2.0)
ALL_CHANGED = Target(4.0)
CPU_MS = 60.0


class Execs:
    """Counts the exec requests that leave this process."""

    def __init__(self) -> None:
        self.count = 0
        original = paramiko.Channel.exec_command

        def counted(channel: paramiko.Channel, command: Any) -> None:
            self.count += 1
            original(channel, command)

        paramiko.Channel.exec_command = counted  # type: ignore[method-assign]  # a bench may look inside


class Bench:
    """Ticks and bare commands in turn, on one set of held jobs."""

    def __init__(self, lab: Lab, held: HeldJobs, execs: Execs) -> None:
        self.lab = lab
        self.held = held
        self.execs = execs
        self.environment = lab.layout.environment()

    def bare(self) -> None:
        """The bare command; its output is read, not kept on a terminal."""
        argv = ["squeue", "-h", "-r", "-t", "all", "-u", self.held.user]
        said = subprocess.run(argv, env=self.environment, capture_output=True, check=True).stdout
        listed = said.count(b"\n")
        if listed < len(self.held.job_ids):
            raise RuntimeError(f"squeue lists {listed} of {len(self.held.job_ids)} jobs")

    def tick(self) -> None:
        """One whole look at the account."""
        from pipeline_management.services import polling

        if not polling.poll_account(self.held.account_id):
            raise RuntimeError("somebody else polls this account")

    def figure(
        self, name: str, rounds: int, prepare: Callable[[], object], check: Callable[[], object],
        target: Target, cpu_ms: float | None,
    ) -> Figure:  # fmt: skip
        """``rounds`` pairs; ``prepare`` makes the changes before each tick, ``check`` looks after it."""
        pairs, cpu, execs, queries = [], [], [], []
        for _ in range(rounds):
            prepare()
            raw = timed(self.bare)
            asked = portal.scheduler_queries(self.lab)["queries"]
            sent, used = self.execs.count, time.process_time()
            centro = timed(self.tick)
            cpu.append((time.process_time() - used) * 1000)
            execs.append(self.execs.count - sent)
            queries.append(portal.scheduler_queries(self.lab)["queries"] - asked)
            check()
            pairs.append(Pair(raw, centro))
        bounds = [Bound("execs", max(execs), 1), Bound("queue_queries", max(queries), 1)]
        if cpu_ms is not None:
            bounds.insert(0, Bound("cpu_ms", statistics.median(cpu), cpu_ms))
        facts: dict[str, float | str] = {} if cpu_ms else {"cpu_ms": statistics.median(cpu)}
        return Figure("P8", name, "ms", pairs, target, bounds, facts)


def measure(lab: Lab, options: argparse.Namespace) -> Report:
    """All figures of this bench."""
    report = Report(f"Poll tick of {options.jobs} open runs (bench/poll.py)")
    execs = Execs()
    opened = portal.ssh_connections(lab)
    say(f"submitting {options.jobs} held jobs")
    held = HeldJobs.submit(lab, options.jobs)
    logins = portal.ssh_connections(lab) - opened  # the seeding's own
    bench = Bench(lab, held, execs)
    bench.tick()  # opens the connection; all runs are new to the queue
    opened = portal.ssh_connections(lab) - opened - logins
    for changed in options.changed:
        report.add(bench.figure(
            f"reason-{changed}", options.rounds, lambda n=changed: held.toggle_reasons(n),  # type: ignore[misc]
            held.expect_known, TARGET, CPU_MS,
        ))  # fmt: skip
    for changed in [number for number in options.changed if number]:
        held.write_results(changed)
        report.add(bench.figure(
            f"state-{changed}", options.rounds, lambda n=changed: held.rewind(n),  # type: ignore[misc]
            lambda n=changed: held.expect_finishing(n), TARGET, CPU_MS,  # type: ignore[misc]
        ))  # fmt: skip
        held.forget_results()
    report.add(bench.figure(
        "reason-all", min(3, options.rounds), held.forget_reasons, held.expect_known, ALL_CHANGED, None
    ))
    report.add(Figure("L1", "connections", "", [], bounds=[Bound("ssh_connections", opened, 1)]))
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5000, help="open runs (default 5000)")
    parser.add_argument("--changed", type=int, nargs="+", default=[0, 50, 500], metavar="N")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    if max(options.changed) > options.jobs // 2:
        parser.error(f"--changed {max(options.changed)}: at most half of --jobs {options.jobs}")
    with portal.lab() as lab, portal.prepared(lab) as stack:
        portal.enter(stack)
        try:
            report = measure(lab, options)
        finally:
            from django.db import connection

            connection.close()
            portal.clear_queue(lab)
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the portal's daemon threads (lease renewer, paramiko) have nothing left to do
