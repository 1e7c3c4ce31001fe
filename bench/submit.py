"""P5, P6: from an accepted request to a job id, against bare `sbatch`.

    .venv/bin/python -m bench.submit [--singles 20] [--burst 500] [--rounds 5]

The portal's real processes (web server, worker, beat) on the lab's MariaDB, Valkey, sshd and Slurm. Jobs go to
a partition that is down, so that they wait and cost nothing.

P5, one at a time: the clock starts when the client has the 201 of `POST /api/v1/new-run/` in hand and stops
when the run's job id is committed. It is read by a connection of its own that asks for that one row, by its
primary key, every 2 ms: so up to 2 ms and the question itself are counted against Centro, and nothing that
the worker does is touched. `post_ms` is the request itself, not part of the figure. The limit is one exec of
`sbatch` with the script on standard input over a warm paramiko connection with TCP_NODELAY.

P6, a burst: the clock runs from the first POST (16 clients) until no run is without a job id, asked every
20 ms. The limit is one exec that loops over as many `sbatch`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import MySQLdb

from bench import portal
from bench.client import KeepAlive, basic
from bench.figures import Bound, Figure, Pair, Report, Target, say, timed
from bench.rawssh import RawConnection
from tests.lab.lab import Lab
from tests.stack import LiveStack

SINGLE = Target(2.0, extra=25.0)
BURST = Target(2.0)
CLIENTS = 16
SCRIPT = b"#!/bin/sh\necho NA12878\n"
SBATCH = "sbatch --parsable --partition=closed --chdir=/tmp --output=/dev/null"


class Database:
    """The portal's database as a watcher sees it: committed rows only, one small question at a time."""

    def __init__(self, stack: LiveStack) -> None:
        parts = urlsplit(stack.env["CENTRO_DATABASE_URL"])
        self._connection = MySQLdb.connect(
            host=parts.hostname, port=parts.port, user=parts.username, password=parts.password,
            database=stack.database, autocommit=True,
        )  # fmt: skip
        self._cursor = self._connection.cursor()

    def one(self, statement: str, *values: object) -> tuple[object, ...] | None:
        """The first row of a query."""
        self._cursor.execute(statement, values)
        row: tuple[object, ...] | None = self._cursor.fetchone()
        return row

    def wait_for_job(self, run_id: str, seconds: float = 60.0) -> None:
        """Until the run's job id is committed; RuntimeError when the time is over or the run failed."""
        self._until(
            "SELECT job_id <> '', reason_text FROM pipeline_management_run "
            "WHERE id = %s AND (job_id <> '' OR reason_text <> '')", run_id, seconds, 0.002,
        )  # fmt: skip

    def wait_for_all(self, number: int, seconds: float = 300.0) -> None:
        """Until ``number`` runs have a job id."""
        self._until(
            "SELECT MAX(reason_text) = '', MAX(reason_text) FROM pipeline_management_run "
            "WHERE job_id <> '' OR reason_text <> '' HAVING COUNT(*) >= %s", number, seconds, 0.02,
        )  # fmt: skip

    def _until(self, statement: str, value: object, seconds: float, pause: float) -> None:
        deadline = time.monotonic() + seconds
        while (row := self.one(statement, value)) is None:
            if time.monotonic() > deadline:
                raise RuntimeError(f"no job id within {seconds:.0f} s")
            time.sleep(pause)
        if not row[0]:
            raise RuntimeError(f"a run was not submitted: {row[1]}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def singles(
    stack: LiveStack, database: Database, raw: RawConnection, options: argparse.Namespace
) -> Figure:
    """P5: ``--singles`` of each in turn, in ``--rounds`` rounds; a pair is the medians of one round."""
    client = KeepAlive(stack.port, basic("alice"))
    for _ in range(5):  # password cache, connections, prepared paths
        database.wait_for_job(client.new_run(portal.CONFIGURATION))
        raw.run(SBATCH, SCRIPT)
    pairs, posts = [], []
    for _ in range(options.rounds):
        bare, whole = [], []
        for _ in range(options.singles):
            bare.append(timed(lambda: raw.run(SBATCH, SCRIPT)))
            begun = time.perf_counter()
            run_id = client.new_run(portal.CONFIGURATION)
            accepted = time.perf_counter()
            database.wait_for_job(run_id)
            whole.append((time.perf_counter() - accepted) * 1000)
            posts.append((accepted - begun) * 1000)
        pairs.append(Pair(statistics.median(bare), statistics.median(whole)))
        portal.empty(stack)
    client.close()
    facts: dict[str, float | str] = {"post_ms": statistics.median(posts)}
    return Figure("P5", "new-run", "ms", pairs, SINGLE, facts=facts)


def burst(
    stack: LiveStack, database: Database, raw: RawConnection, options: argparse.Namespace
) -> Figure:
    """P6: all at once, ``--rounds`` times."""
    loop = f"cat > /tmp/centro-bench.$$; for i in $(seq {options.burst}); do {SBATCH} /tmp/centro-bench.$$; done; "
    loop += "rm /tmp/centro-bench.$$"
    pairs, accepted, submits = [], [], []
    for _ in range(options.rounds):
        bare = timed(lambda: raw.run(loop, SCRIPT))
        portal.empty(stack)
        before = portal.scheduler_queries(stack.lab)["submits"]
        begun = time.perf_counter()
        with posting(stack, options.burst) as posted:
            database.wait_for_all(options.burst)
            whole = (time.perf_counter() - begun) * 1000
            accepted.append(posted())
        submits.append(portal.scheduler_queries(stack.lab)["submits"] - before)
        pairs.append(Pair(bare, whole))
        say(f"burst: {bare:.0f} ms bare, {whole:.0f} ms Centro")
        portal.empty(stack)
    bounds = [Bound("jobs", max(submits), options.burst)]
    facts: dict[str, float | str] = {"runs": options.burst, "accepted_ms": statistics.median(accepted)}
    return Figure("P6", "burst", "ms", pairs, BURST, bounds, facts)


@contextmanager
def posting(stack: LiveStack, number: int) -> Iterator[object]:
    """Post ``number`` runs by 16 clients; gives a function that waits for the last 201 and says after
    how many milliseconds it came."""
    clients = [KeepAlive(stack.port, basic("alice")) for _ in range(CLIENTS)]

    def post(client: KeepAlive, some: int) -> float:
        for _ in range(some):
            client.new_run(portal.CONFIGURATION)
        return time.perf_counter()

    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = [len(range(i, number, CLIENTS)) for i in range(CLIENTS)]
        ends = [pool.submit(post, client, some) for client, some in zip(clients, shares, strict=True)]
        yield lambda: (max(end.result() for end in ends) - begun) * 1000
    for client in clients:
        client.close()


def measure(lab: Lab, options: argparse.Namespace) -> Report:
    """Both figures, and how many connections the portal opened for them."""
    report = Report("From a request to a job id (bench/submit.py)")
    user = lab.layout.settings.users[0]
    with portal.running(lab) as stack, RawConnection(lab, user) as raw:
        database = Database(stack)
        opened = portal.ssh_connections(lab)
        try:
            report.add(singles(stack, database, raw, options))
            report.add(burst(stack, database, raw, options))
        finally:
            database.close()
            portal.clear_queue(lab)
        opened = portal.ssh_connections(lab) - opened
        report.add(Figure("L1", "connections", "", [], bounds=[Bound("ssh_connections", opened, 2)]))
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--singles", type=int, default=20, help="single submissions a round (default 20)")
    parser.add_argument("--burst", type=int, default=500, help="runs posted at once (default 500)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    with portal.lab() as lab:
        report = measure(lab, options)
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
