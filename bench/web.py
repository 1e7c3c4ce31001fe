"""P7, P13, P14: what the web server takes in, and whether it keeps its manners under load.

    .venv/bin/python -m bench.web [--seconds 3] [--rounds 5] [--requests 1000] [--only p7 p13 p14]

The portal's own web server on the lab's MariaDB and Valkey. Load comes from wrk (16 connections, one thread);
P13 from 32 Python clients.

P7: accepted `POST /api/v1/new-run/` a second, as basic auth with a warm cache, against an empty REST framework
view in the same process (`bench/empty/`: the project's middleware, log-in and permission, then nothing). The
worker does not run: only taking in is measured (validation, rendering, one run, one event and one audit row).
P7 open: the empty view that asks nobody who he is, for comparison.

P14: the empty view by warm basic auth against the same by token; then by token with and without 20 wrong
passwords a second, from one address (throttled soon) and from a new address each time (every one is hashed).

P13: 1,000 mixed requests (run output over SSH, run pages, states, lists, events, new runs, cancellations) by
32 clients of one person, all processes running, against sshd's own MaxSessions of 10. An output that came from
anywhere but the system counts as an error.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bench import portal, wrk
from bench.client import KeepAlive, basic
from bench.figures import Bound, Figure, Pair, Report, Target
from bench.mixed import mixed
from tests.lab.lab import Lab
from tests.stack import SCRIPTS, LiveStack

ACCEPT = Target(0.5, at_least=True)
WARM = Target(0.6, at_least=True)
UNDISTURBED = Target(0.7, at_least=True)
BAD_PER_SECOND = 20
BENCH_SETTINGS = {"DJANGO_SETTINGS_MODULE": "bench.web_settings"}


def interleaved(rounds: int, raw: Callable[[], float], centro: Callable[[], float]) -> list[Pair]:
    """A B A B: a busy second of the machine hits both."""
    return [Pair(raw(), centro()) for _ in range(rounds)]


def accepting(stack: LiveStack, options: argparse.Namespace) -> Iterator[Figure]:
    """P7, against both empty views."""
    who = basic("alice")
    url, seconds, data = stack.base_url, options.seconds, portal.CONFIGURATION

    def post() -> float:
        return wrk.rate(f"{url}/api/v1/new-run/", who, seconds, data)

    def empty() -> float:
        return wrk.rate(f"{url}/bench/empty/", who, seconds, data)

    def everybody() -> float:
        return wrk.rate(f"{url}/bench/open/", None, seconds, data)

    post()  # password cache, renderers, prepared paths
    before = _rows(stack)
    pairs = interleaved(options.rounds, empty, post)
    runs, events = (after - number for after, number in zip(_rows(stack), before, strict=True))
    facts: dict[str, float | str] = {"auth": "basic-warm", "runs": runs, "events": events}
    yield Figure("P7", "new-run", "rps", pairs, ACCEPT, [Bound("runs_without_event", runs - events, 0)], facts)
    yield Figure("P7", "new-run-against-open-view", "rps", interleaved(options.rounds, everybody, post))


def _rows(stack: LiveStack) -> list[int]:
    """Runs and events, counted at one moment: an answer may still be on its way."""
    counts = (f"(SELECT COUNT(*) FROM pipeline_management_{table})" for table in ("run", "runevent"))
    return [int(count) for count in stack.sql(f"SELECT {', '.join(counts)}")[0]]


def authenticating(stack: LiveStack, options: argparse.Namespace) -> Iterator[Figure]:
    """P14."""
    url, seconds = f"{stack.base_url}/bench/empty/", options.seconds
    answer = stack.request("POST", "/api/v1/tokens/", "alice", {"name": "bench"})
    if answer.status != 201:
        raise RuntimeError(f"tokens: {answer.status} {answer.body[:300]!r}")
    token = f"Bearer {answer.json()['token']}"

    def by_token() -> float:
        return wrk.rate(url, token, seconds)

    def by_password() -> float:
        return wrk.rate(url, basic("alice"), seconds)

    by_password()
    yield Figure("P14", "warm-basic", "rps", interleaved(options.rounds, by_token, by_password), WARM)
    for name, spread in (("bad-logins-one-address", False), ("bad-logins-many-addresses", True)):
        sent: list[int] = []

        def disturbed(spread: bool = spread, sent: list[int] = sent) -> float:
            with bad_logins(stack, spread, sent):
                return by_token()

        pairs = interleaved(options.rounds, by_token, disturbed)
        facts: dict[str, float | str] = {
            "per_second": BAD_PER_SECOND, "answers_401": sent.count(401), "answers_429": sent.count(429),
            "answers_other": len(sent) - sent.count(401) - sent.count(429),
        }  # fmt: skip
        yield Figure("P14", name, "rps", pairs, UNDISTURBED, facts=facts)


@contextmanager
def bad_logins(stack: LiveStack, spread: bool, statuses: list[int]) -> Iterator[None]:
    """Wrong passwords of changing names, 20 a second by as many clients, until the block ends."""
    over = threading.Event()
    lock = threading.Lock()

    def attack(number: int) -> None:
        client = KeepAlive(stack.port)
        turn = 0
        while not over.wait(1 if turn else number / BAD_PER_SECOND):
            turn += 1
            with lock:
                count = len(statuses)
            headers = {"Authorization": "Basic " + _wrong(number, turn)}
            if spread:
                headers["X-Forwarded-For"] = f"10.{number}.{count // 250 % 250}.{count % 250 + 1}"
            status, _, _ = client.call("GET", "/api/v1/whoami/", headers=headers)
            with lock:
                statuses.append(status)
        client.close()

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(BAD_PER_SECOND)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _wrong(number: int, turn: int) -> str:
    import base64

    return base64.b64encode(f"nobody{number}-{turn}:wrong".encode()).decode()


def measure(lab: Lab, options: argparse.Namespace) -> Report:
    """The figures asked for."""
    report = Report("The web server (bench/web.py)")
    # the bench plays the proxy that tells the addresses of those who log in wrongly
    alone = BENCH_SETTINGS | {"CENTRO_TRUSTED_PROXIES": "1"}
    try:
        if {"p7", "p14"} & set(options.only):
            with portal.running(lab, ("web",), alone) as stack:
                if "p7" in options.only:
                    for figure in accepting(stack, options):
                        report.add(figure)
                if "p14" in options.only:
                    for figure in authenticating(stack, options):
                        report.add(figure)
        if "p13" in options.only:
            with portal.running(lab, tuple(SCRIPTS)) as stack:
                report.add(mixed(stack, options.requests))
    finally:
        portal.clear_queue(lab)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 with --strict when a target is missed, or when wrk is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3, help="length of one load (default 3)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=1000, help="of P13 (default 1000)")
    figures = ["p7", "p13", "p14"]
    parser.add_argument("--only", nargs="+", choices=figures, default=figures)
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    if not wrk.available() and options.only != ["p13"]:
        parser.error("wrk is missing: apt-get install wrk")
    with portal.lab() as lab:
        report = measure(lab, options)
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
