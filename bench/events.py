"""10,000 events of one job while web server, worker and Redis are killed once each: none lost, none doubled.

    .venv/bin/python -m bench.events [--events 10000] [--by-program 400] [--seconds 60]

A run on the lab's Slurm reports through four processes: one that writes to the file and posts in batches as a
pipeline's own head would, and three that call `centro-event` for each event. Meanwhile each of the portal's parts
gets SIGKILL once and comes back after three seconds. Counted are the events in the database against those that
the processes say they sent, and those that are there twice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import yaml

from bench import portal
from bench.figures import Bound, Figure, Report, say
from tests.lab.lab import Lab
from tests.stack import LiveStack

CALLERS = 3
BATCH = 20
AWAY = 3.0
"""Seconds that a killed part stays away."""

_HEAD = """
import fcntl, json, os, sys, time, urllib.request
events, seconds = int(sys.argv[1]), float(sys.argv[2])
folder, url = os.environ["CENTRO_RUN_DIR"], os.environ["CENTRO_EVENTS_URL"]
token = open(os.environ["CENTRO_TOKEN_FILE"]).read().strip()
begun, sent, posted = time.time(), 0, 0
while sent < events:
    lines = b""
    for seq in range(sent + 1, min(sent + BATCH, events) + 1):
        name = "step%d" % (seq % 200)
        data = {"name": name, "state": "running" if seq % 2 else "complete"}
        event = {"sender": "head", "seq": seq, "type": "task", "at": time.time(), "data": data}
        lines += json.dumps(event).encode() + b"\\n"
    with open(folder + "/.events.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with open(folder + "/events.ndjson", "ab") as file:
            file.write(lines)
    request = urllib.request.Request(url, lines, {"Authorization": "Bearer " + token})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            posted += answer.status == 200
    except OSError:
        pass
    sent = min(sent + BATCH, events)
    time.sleep(max(0, begun + seconds * sent / events - time.time()))
print("head", sent, "requests", posted)
"""
_SCRIPT = (
    "python3 - {{ config.head }} {{ config.seconds }} <<'END_OF_HEAD' &\n"
    + _HEAD.replace("BATCH", str(BATCH))
    + "END_OF_HEAD\n"
    "for caller in " + " ".join(str(n) for n in range(1, CALLERS + 1)) + "; do\n"
    "  (n=0; while [ $n -lt {{ config.calls }} ]; do n=$((n + 1)); centro-event message \"$caller: $n\"; done) &\n"
    "done\n"
    "wait\n"
)  # fmt: skip
PIPELINE: dict[str, Any] = {
    "name": "talkative", "version": "1.0", "engine": "shell", "systems": ["cluster"], "labs": ["*"],
    "schema": {"type": "object"}, "script": _SCRIPT,
    "resources": {"queue": "part01", "walltime": "00:30:00", "cpus": 1, "memory_mb": 200},
}  # fmt: skip


def stored(stack: LiveStack, run_id: str) -> Counter[tuple[str, str]]:
    """How often each event of the run's job is in the database, by its sender and text or number."""
    rows = stack.sql(
        "SELECT sender, IF(sender = 'head', sender_seq, data) FROM pipeline_management_runevent"
        f" WHERE sender <> '' AND REPLACE(run_id, '-', '') = '{run_id.replace('-', '')}'"
    )
    return Counter((row[0] if row[0] == "head" else "job", row[1]) for row in rows)


def kills(lab: Lab, stack: LiveStack) -> list[tuple[str, Callable[[], None]]]:
    """Each part with what kills it and brings it back."""

    def of_portal(name: str) -> Callable[[], None]:
        def work() -> None:
            stack.kill(name)
            time.sleep(AWAY)
            stack.start(name)

        return work

    def redis() -> None:
        lab.valkey.kill()
        time.sleep(AWAY)
        lab.valkey.start()

    return [("web", of_portal("web")), ("worker", of_portal("worker")), ("redis", redis)]


def measure(lab: Lab, stack: LiveStack, options: argparse.Namespace) -> Report:
    """The one figure."""
    report = Report(f"{options.events} events with three kills (bench/events.py)")
    calls = options.by_program // CALLERS
    head = options.events - calls * CALLERS
    configuration = {
        "pipeline": "talkative", "head": head, "seconds": options.seconds, "calls": calls,
    }  # fmt: skip
    begun = time.monotonic()
    run_id = stack.submit(configuration)
    stack.wait_state(run_id, "running", seconds=90)
    for part, kill in kills(lab, stack):
        time.sleep(options.seconds / 5)
        seen = sum(stored(stack, run_id).values())
        say(f"killing {part} with {seen} events in the database")
        kill()
    stack.wait_ready()
    run = stack.wait_state(run_id, seconds=600)
    expected = {("head", str(number)) for number in range(1, head + 1)}
    expected |= {
        ("job", f'{{"text": "{caller}: {number}"}}')
        for caller in range(1, CALLERS + 1)
        for number in range(1, calls + 1)
    }
    found = stored(stack, run_id)
    lost = len(expected - set(found))
    doubled = sum(found.values()) - len(found)
    foreign = len(set(found) - expected)
    bounds = [Bound("lost", lost, 0), Bound("doubled", doubled, 0), Bound("unknown", foreign, 0)]
    facts: dict[str, float | str] = {
        "events": len(expected),
        "state": run["state"],
        "tasks": run["tasks_total"],
        "seconds": time.monotonic() - begun,
    }
    report.add(Figure("E1", "events-kept", "", [], bounds=bounds, facts=facts))
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 when an event was lost or doubled."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--events", type=int, default=10_000, help="all together (default 10000)")
    parser.add_argument("--by-program", type=int, default=399, help="of them by centro-event")
    parser.add_argument("--seconds", type=float, default=60, help="how long the head sends")
    options = parser.parse_args(arguments)
    if not 0 <= options.by_program <= options.events:
        parser.error(f"--by-program {options.by_program}: expected 0 to {options.events}")
    with portal.lab() as lab:
        site = yaml.safe_load(lab.layout.site_file.read_text())
        site["pipelines"].append(PIPELINE)
        stack = LiveStack(lab, {"CENTRO_LEASE_SECONDS": "3", "CENTRO_SETTLE_SECONDS": "4"})
        try:
            path = stack.var / "bench-site.yaml"
            path.touch(mode=0o600)
            path.write_text(yaml.safe_dump(site))
            stack.env["CENTRO_SITE"] = str(path)
            stack.set_up()
            for name in ("web", "worker", "beat"):
                stack.start(name)
            stack.wait_ready()
            report = measure(lab, stack, options)
        finally:
            stack.close()
    report.print()
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
