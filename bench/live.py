"""Following runs live: how soon an event is on the screen and at every watcher, and what watchers cost.

    .venv/bin/python -m bench.live [--watchers 500] [--runs 50] [--events 20] [--only p12 l2 l3]

P12: from the POST of an event until real Chromium shows it on the run's page. L2: the same event at many
websockets of one run. L3: many runs watched at once, one websocket each. Times are of one clock on this
machine, and the watchers (one Python process) share its cores with the portal. Memory is that of the
web server's processes (PSS), per watcher.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.client import connect

from bench import portal
from bench.figures import Bound, Figure, Report
from bench.servers import memory_of_tree
from tests.lab.lab import Lab
from tests.lab.sitefile import PASSWORDS
from tests.stack import LiveStack

P12_MS = 300
CHROMIUM = "/usr/bin/chromium"
OBSERVE = """() => {
  window.shown = {};
  new MutationObserver(() => {
    const text = document.getElementById("run-live").textContent.match(/step-\\d+/);
    if (text && !(text[0] in window.shown)) window.shown[text[0]] = Date.now();
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


class Reporter:
    """The jobs of some runs, as far as the portal knows: posts their events."""

    def __init__(self, stack: LiveStack, runs: int) -> None:
        self.stack = stack
        self.runs = [stack.submit(portal.CONFIGURATION) for _ in range(runs)]
        code = (
            "import json; from pipeline_management.models import Run; "
            "from pipeline_management.services.reports.tokens import token_for; "
            "print(json.dumps({str(r.pk): token_for(r) for r in Run.objects.all()}))"
        )
        self.tokens: dict[str, str] = json.loads(stack.manage("shell", "-c", code).splitlines()[-1])
        self._seq = 0

    def post(self, run_id: str) -> tuple[str, float]:
        """One progress event; its text and when the POST began (seconds of the epoch)."""
        self._seq += 1
        text = f"step-{self._seq}"
        data = {"percent": self._seq % 100, "text": text}
        event = {
            "sender": "bench",
            "seq": self._seq,
            "type": "progress",
            "at": time.time(),
            "data": data,
        }
        begun = time.time()
        answer = self.stack.request(
            "POST", f"/api/v1/runs/{run_id}/events/", None, event,
            {"Authorization": f"Bearer {self.tokens[run_id]}"},
        )  # fmt: skip
        if answer.status not in (200, 201, 202):
            raise RuntimeError(f"events: {answer.status} {answer.body[:300]!r}")
        return text, begun


def on_screen(stack: LiveStack, reporter: Reporter, events: int) -> Figure:
    """P12."""
    from playwright.sync_api import sync_playwright

    run_id = reporter.runs[0]
    posted: dict[str, float] = {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(base_url=stack.base_url)
        page.goto(f"/accounts/login/?next=/runs/{run_id}/")
        page.locator("#id_username").fill("alice")
        page.locator("#id_password").fill(PASSWORDS["alice"])
        page.keyboard.press("Enter")
        page.wait_for_selector("#run-live")
        page.wait_for_timeout(2000)
        page.evaluate(OBSERVE)
        for _ in range(events):
            text, begun = reporter.post(run_id)
            posted[text] = begun
            page.wait_for_timeout(700)
        page.wait_for_timeout(3000)
        shown: dict[str, float] = page.evaluate("window.shown")
        chromium.close()
    delays = sorted(shown[text] - 1000 * begun for text, begun in posted.items() if text in shown)
    return _figure("P12", "event-to-screen", delays, events, {}, P12_MS)


async def watched(
    stack: LiveStack, reporter: Reporter, runs: list[str], watchers: int, events: int, token: str
) -> tuple[list[float], float]:
    """Delays in ms of every event at every watcher, and MB of the web server per watcher."""
    received: list[tuple[str, float]] = []
    web = stack.processes["web"].pid
    before = memory_of_tree(web)
    async with AsyncExitStack() as open_:
        tasks = []
        for number in range(watchers):
            address = f"ws://127.0.0.1:{stack.port}/ws/runs/{runs[number % len(runs)]}/"
            headers = {"Authorization": f"Bearer {token}"}
            socket = await open_.enter_async_context(
                connect(
                    address,
                    additional_headers=headers,
                    compression=None,
                    ping_interval=None,
                    open_timeout=60,
                )
            )
            tasks.append(asyncio.create_task(_listen(socket, received)))
        await asyncio.sleep(2)
        memory = (memory_of_tree(web) - before) / watchers
        posted = {}
        for number in range(events):
            text, begun = await asyncio.to_thread(reporter.post, runs[number % len(runs)])
            posted[text] = begun
            await asyncio.sleep(0.5)
        await asyncio.sleep(3)
        for task in tasks:
            task.cancel()
    return sorted(1000 * (at - posted[text]) for text, at in received if text in posted), memory


async def _listen(socket: Any, received: list[tuple[str, float]]) -> None:
    async for message in socket:
        at = time.time()
        told = json.loads(message)
        if told["type"] == "event" and told["event"]["type"] == "progress":
            received.append((told["event"]["data"]["text"], at))


def _figure(
    id_: str,
    name: str,
    delays: list[float],
    expected: int,
    facts: dict[str, float | str],
    limit: float | None = None,
) -> Figure:
    bounds = [Bound("lost_or_doubled", abs(expected - len(delays)), 0)]
    if not delays:
        return Figure(id_, name, "ms", [], None, bounds, facts)
    median = statistics.median(delays)
    if limit is not None:
        bounds.append(Bound("median_ms", median, limit))
    spread: dict[str, float | str] = {
        "median": median, "p99": delays[int(len(delays) * 0.99)], "largest": delays[-1], "events": expected,
    }  # fmt: skip
    return Figure(id_, name, "ms", [], None, bounds, spread | facts)


def measure(lab: Lab, options: argparse.Namespace) -> Report:
    """The figures asked for."""
    report = Report("Live runs (bench/live.py)")
    try:
        with portal.running(lab, extra_env={"CENTRO_WEBSOCKETS_PER_PERSON": "5000"}) as stack:
            reporter = Reporter(stack, options.runs)
            token = stack.request("POST", "/api/v1/tokens/", "alice", {"name": "bench"}).json()[
                "token"
            ]
            if "p12" in options.only:
                report.add(on_screen(stack, reporter, options.events))
            one, many = reporter.runs[:1], reporter.runs
            plans = {
                "l2": ("watchers-of-one-run", one, options.watchers),
                "l3": ("runs-watched", many, len(many)),
            }
            for key, (name, runs, watchers) in plans.items():
                if key in options.only:
                    each = options.watchers if key == "l2" else 1
                    delays, memory = asyncio.run(
                        watched(stack, reporter, runs, watchers, options.events, token)
                    )
                    facts: dict[str, float | str] = {"watchers": watchers, "mb_per_watcher": memory}
                    report.add(_figure(key.upper(), name, delays, options.events * each, facts))
    finally:
        portal.clear_queue(lab)
    return report


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--watchers", type=int, default=500)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--events", type=int, default=20)
    figures = ["p12", "l2", "l3"]
    parser.add_argument("--only", nargs="+", choices=figures, default=figures)
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    with portal.lab() as lab:
        report = measure(lab, options)
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
