"""P13: many clients of one person at once, against an sshd with its stock MaxSessions of ten."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import time
import urllib.parse
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench import portal
from bench.client import KeepAlive, basic
from bench.figures import Bound, Figure
from tests.lab.sitefile import PASSWORDS
from tests.stack import LiveStack

CLIENTS = 32
TALKERS = 8
# of twenty requests; "log" goes over SSH each time, new-run and cancel do so in the worker
MIX = ("log",) * 6 + ("page",) * 4 + ("run",) * 3 + ("list",) * 2 + ("events",) + ("new",) * 2 + ("cancel",) * 2


@dataclass(slots=True)
class Tally:
    """What came back, by kind of request."""

    times: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, milliseconds: float, fault: str | None) -> None:
        """Count one answer."""
        with self.lock:
            self.times.setdefault(kind, []).append(milliseconds)
            if fault:
                self.faults.append(f"{kind}: {fault}")


class Client:
    """One client: some requests after another on a kept connection, each judged."""

    def __init__(self, stack: LiveStack, number: int, talkers: list[str], session: str) -> None:
        self.http = KeepAlive(stack.port, basic("alice"))
        self.pages = KeepAlive(stack.port)
        self.number = number
        self.talkers = talkers
        self.session = session
        self.own: list[str] = []

    def work(self, count: int, tally: Tally) -> None:
        """``count`` requests of the mix, beginning somewhere else than the other clients."""
        for turn in range(count):
            kind = MIX[(self.number * 7 + turn) % len(MIX)]
            begun = time.perf_counter()
            try:
                fault = getattr(self, f"_{kind}")(self.talkers[(self.number + turn) % len(self.talkers)])
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                fault = f"{type(error).__name__}: {error}"
            tally.note(kind, (time.perf_counter() - begun) * 1000, fault)
        self.http.close()
        self.pages.close()

    def _log(self, run: str) -> str | None:
        status, _, body = self.http.call("GET", f"/api/v1/runs/{run}/log/?stream=stdout&format=json")
        if status != 200:
            return _said(status, body)
        log = json.loads(body)
        # an answer from the kept tail would hide that the system was not reached
        if log["source"] != "system" or "line" not in log["text"]:
            return f"source {log['source']}, note {log['note']}"
        return None

    def _page(self, run: str) -> str | None:
        status, _, body = self.pages.call("GET", f"/runs/{run}/", headers={"Cookie": self.session})
        return None if status == 200 and run.encode() in body else _said(status, body)

    def _run(self, run: str) -> str | None:
        return self._get(f"/api/v1/runs/{run}/")

    def _list(self, _: str) -> str | None:
        return self._get("/api/v1/runs/?page_size=20")

    def _events(self, run: str) -> str | None:
        return self._get(f"/api/v1/runs/{run}/events/")

    def _get(self, path: str) -> str | None:
        status, _, body = self.http.call("GET", path)
        return None if status == 200 else _said(status, body)

    def _new(self, _: str) -> str | None:
        status, _headers, body = self.http.call("POST", "/api/v1/new-run/", portal.CONFIGURATION)
        if status != 201:
            return _said(status, body)
        self.own.append(json.loads(body)["id"])
        return None

    def _cancel(self, _: str) -> str | None:
        if not self.own and (fault := self._new("")):
            return fault
        status, _headers, body = self.http.call("POST", f"/api/v1/runs/{self.own.pop()}/cancel/", {})
        return None if status in (200, 202) else _said(status, body)


def _said(status: int, body: bytes) -> str:
    return f"{status} {body[:200].decode(errors='replace')}"


def session_of(stack: LiveStack, user: str) -> str:
    """A browser's session: the Cookie header after logging in by the page."""
    client = KeepAlive(stack.port)
    status, headers, body = client.call("GET", "/accounts/login/")
    cookie = re.search(r"csrftoken=([^;]+)", headers.get("Set-Cookie", ""))
    field = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', body)
    if status != 200 or cookie is None or field is None:
        raise RuntimeError(f"the log-in page: {status}")
    form = {"csrfmiddlewaretoken": field[1].decode(), "username": user, "password": PASSWORDS[user]}
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=30)
    connection.request(
        "POST", "/accounts/login/", body=urllib.parse.urlencode(form),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Cookie": f"csrftoken={cookie[1]}",
                 "Referer": f"{stack.base_url}/accounts/login/"},
    )  # fmt: skip
    answer = connection.getresponse()
    found = re.search(r"sessionid=([^;]+)", " ".join(answer.headers.get_all("Set-Cookie") or ()))
    connection.close()
    client.close()
    if found is None:
        raise RuntimeError(f"the log-in was answered with {answer.status}")
    return f"sessionid={found[1]}"


def mixed(stack: LiveStack, requests: int) -> Figure:
    """P13: ``requests`` by 32 clients of alice while eight of her jobs run and print."""
    connections = portal.ssh_connections(stack.lab)
    talkers = [stack.submit({"pipeline": "talking"}) for _ in range(TALKERS)]
    for run in talkers:
        stack.wait_state(run, "running", seconds=120)
    session = session_of(stack, "alice")
    clients = [Client(stack, number, talkers, session) for number in range(CLIENTS)]
    tally = Tally()
    begun = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        shares = [len(range(number, requests, CLIENTS)) for number in range(CLIENTS)]
        for end in [pool.submit(c.work, n, tally) for c, n in zip(clients, shares, strict=True)]:
            end.result()
    seconds = time.perf_counter() - begun
    facts: dict[str, float | str] = {"requests": sum(map(len, tally.times.values())), "seconds": seconds}
    for kind, times in sorted(tally.times.items()):
        facts[f"{kind}_p95_ms"] = sorted(times)[int(len(times) * 0.95)]
    for fault, count in Counter(tally.faults).most_common(5):
        facts[f"fault_{count}x"] = re.sub(r"\s+", "_", fault)[:120]
    facts["ssh_connections"] = portal.ssh_connections(stack.lab) - connections
    for run in talkers:
        with contextlib.suppress(OSError):
            stack.request("POST", f"/api/v1/runs/{run}/cancel/", "alice", {})
    return Figure("P13", "mixed", "", [], bounds=[Bound("errors", len(tally.faults), 0)], facts=facts)
