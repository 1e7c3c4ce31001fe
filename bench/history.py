"""Pages over a long history: list, every filter and search, run page, dashboard, usage and exports.

    .venv/bin/python -m bench.history [--runs 1000000] [--events 20000000] [--rounds 20] [--tries 8] [--keep]
                                    [--buffers MIB]

Makes a database of its own on the lab's MariaDB (it is dropped at the end unless ``--keep``; ``--database`` uses
one that was kept) and fills it: H0. That MariaDB gets buffers as a server with a long history has them. Then asks
each page ``--rounds`` times in this process, as a manager and as an administrator: p50 and p95 in milliseconds, the
number of queries, and how much of the processors a hypervisor took meanwhile (where it was much, the page is
measured again; see ``bench.stolen``). None may be over 150 ms at p95; an export streams, so of it the time to its
first bytes, rows a second and the memory are told.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench import history_buffers, stolen
from bench.figures import Bound, Figure, Report, say, timed

P95_MS = 150
SEARCHES = (
    "NA77", "trio", "trio quota", "input:NA77", "sample:NA7", "input:GIAB_NA77_R1.fastq.gz", "user:user3",
    "state:failed", "state:lost", "state:failed user:user3 pipeline:pipe2", "pipeline:pipe1", "pipeline:pipe1@1.0",
    "version:1.0", "lab:lab-3", "system:system1", "label:cohort", "label:rare", "-label:cohort trio", "is:mine",
    "is:starred", "is:attention", "is:open", "is:noted", "cause:QUOTA", "cause:EXIT_9", "after:30d", "before:2024-06",
    "after:2024-05 before:2024-06 state:failed", "job:4711", "source:page", "exit", "nothinglikethis",
    "lab:lab-3 trio state:failed", "-state:succeeded", "source:firecrest",
)  # fmt: skip
LISTS = (
    "", "page=2", "page=90", "size=100", "submitter=me", "state=failed", "state=running", "pipeline=pipe2",
    "system=system1", "lab=lab-1", "submitter=user3", "created_after=2025-01-01&created_before=2025-02-01",
    "attention=on", "text=trio", "text=NA77", "sort=created", "sort=-created", "sort=name", "sort=submitter",
    "sort=pipeline", "sort=system", "sort=-ended", "sort=name&text=trio", "group=cause",
)  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="bench.history", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument(
        "--tries",
        type=int,
        default=8,
        help="most measurements of a page while others take the processor",
    )
    parser.add_argument("--database", help="a database that an earlier run of this bench has kept")
    parser.add_argument("--keep", action="store_true", help="do not drop the database")
    parser.add_argument(
        "--buffers", type=int, help="MiB that MariaDB may keep; default a quarter of the memory"
    )
    parser.add_argument("--only", help="only addresses with this in them")
    parser.add_argument("--strict", action="store_true", help="a missed target is an error")
    options = parser.parse_args(arguments)
    if "CENTRO_LAB_DATABASE_URL" not in os.environ:
        parser.error('a lab must be up: eval "$(.venv/bin/python -m tests.lab up)"')
    buffers = history_buffers.give(options.buffers)
    with tempfile.TemporaryDirectory(prefix="centro-history-") as folder:
        name = options.database or f"test_centro_history_{os.getpid()}"
        _choose(Path(folder), name)
        import django

        django.setup()
        from bench import history_rows

        try:
            report = Report(
                f"History of {options.runs} runs and {options.events} events, MariaDB with {buffers} MiB of buffers"
            )
            if not options.database:
                seconds = history_rows.make(name, options.runs, options.events)
                report.add(
                    Figure(
                        "H0", "generate", "ms", [], facts={"seconds": seconds, "runs": options.runs}
                    )
                )
            measure(report, options)
        finally:
            if not options.keep and not options.database:
                history_rows.drop(name)
    report.print()
    return 1 if options.strict and report.missed else 0


def _choose(folder: Path, database: str) -> None:
    """Point this process's Django at the database, with secrets of its own."""
    key = base64.urlsafe_b64encode(os.urandom(32)).decode()
    file = folder / "secrets.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps({"secret_key": secrets.token_urlsafe(50), "encryption_keys": [key]}))
    url = os.environ["CENTRO_LAB_DATABASE_URL"]
    os.environ.update(
        DJANGO_SETTINGS_MODULE="centro.settings",
        CENTRO_SECRETS=str(file),
        CENTRO_VAR=str(folder / "var"),
        CENTRO_DATABASE_URL=f"{url.rpartition('/')[0]}/{database}",
        CENTRO_REDIS_URL="redis://127.0.0.1:1/0",
        CENTRO_ALLOWED_HOSTS="testserver",
    )


def measure(report: Report, options: argparse.Namespace) -> None:
    """Every address as a manager of one lab; the list and a search also as an administrator, who sees all runs."""
    from django.contrib.auth.models import User
    from django.test import Client

    clients = {}
    for person in ("user1", "admin"):
        clients[person] = Client()
        clients[person].force_login(User.objects.get(username=person))
    report.add(_machine(options.tries))
    for person, client in clients.items():
        for number, address in enumerate(_addresses(), 1):
            if options.only and options.only not in address:
                continue
            report.add(_page(f"H{number}", f"{person}:{address}", client, address, options))
    if not options.only:
        for kind in ("csv", "json", "xlsx"):
            report.add(_export(clients["admin"], kind))


def _machine(tries: int) -> Figure:
    """How fast the machine is at this hour: the same work in Python and in MariaDB, to compare tables by."""
    from django.db import connection

    def count() -> None:
        total = 0
        for number in range(1_000_000):
            total += number

    def add_up() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT SUM(seq MOD 7) FROM seq_1_to_1000000")

    facts: dict[str, float | str] = {}
    for name, work in (("python", count), ("sql", add_up)):
        times, _taken = stolen.undisturbed(
            lambda work=work: [timed(work) for _ in range(7)], tries=tries
        )
        facts[f"{name}_ms"] = statistics.median(times)
    return Figure("H0", "machine", "ms", [], facts=facts)


def _addresses() -> list[str]:
    from bench.history_rows import a_failed_run

    run = a_failed_run()
    made = [f"/runs/?{query}" if query else "/runs/" for query in LISTS]
    made += [f"/runs/?q={quote(text)}" for text in SEARCHES]
    parts = ("", "tasks/", "events/", "configuration/", "usage/")
    made += [f"/runs/{run}/{part}" for part in parts]
    made += [f"/usage/?period={period}" for period in ("month", "last-month", "quarter", "year")]
    made += [
        f"/usage/?period=custom&first=2024-02-10&last=2026-11-05&group={group}"
        for group in ("pipeline", "month")
    ]
    return [
        *made,
        "/",
        "/pipelines/",
        "/systems/",
        "/runs/suggestions/?q=user:us",
        "/api/v1/runs/?state=failed",
    ]


def _page(number: str, name: str, client: Any, address: str, options: argparse.Namespace) -> Figure:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def ask() -> Any:
        answer = client.get(address)
        if answer.status_code != 200:
            raise RuntimeError(f"{address}: {answer.status_code}")
        return answer

    ask()
    with CaptureQueriesContext(connection) as capture:
        ask()
    queries = list(capture.captured_queries)  # the log is emptied by the next request
    times, taken = stolen.undisturbed(
        lambda: sorted(timed(ask) for _ in range(options.rounds)), tries=options.tries
    )
    slowest = max(queries, key=lambda query: float(query["time"]), default=None)
    p95 = times[min(len(times) - 1, round(0.95 * (len(times) - 1)))]
    if p95 > P95_MS and slowest is not None:
        say(f"{name}: {slowest['time']} s: {slowest['sql'][:1500]}")
    facts: dict[str, float | str] = {
        "p50_ms": statistics.median(times), "queries": len(queries), "stolen_percent": 100 * taken,
    }  # fmt: skip
    return Figure(
        number, name.replace(" ", "+"), "ms", [], bounds=[Bound("p95_ms", p95, P95_MS)], facts=facts
    )


def _export(client: Any, kind: str) -> Figure:
    """All runs up to 100,000 of one month and lab, as they stream."""
    begun = time.perf_counter()
    answer = client.get(f"/runs/export/?format={kind}&q=before:2026-12+lab:lab-1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first, size, pieces = 0.0, 0, 0
    for piece in answer.streaming_content:
        first = first or time.perf_counter() - begun
        size += len(piece)
        pieces += 1
    seconds = time.perf_counter() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    facts: dict[str, float | str] = {"first_ms": first * 1000, "seconds": seconds, "mb": size / 1e6}
    if kind == "csv":
        facts["rows"] = pieces - 1  # but for the line with the names
    return Figure(
        "H90", f"export-{kind}", "ms", [], bounds=[Bound("grown_mib", grown, 64)], facts=facts
    )


if __name__ == "__main__":
    sys.exit(main())
