"""P13 for FirecREST: requests of every kind mixed, by many clients of one person."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.figures import Bound, Figure, say
from bench.firecrest_client import FirecrestConnection
from tests.firecrest.portal import Portal

SCRIPT = b"#!/bin/sh\n#SBATCH --partition=closed\n#SBATCH --output=/dev/null\ntrue\n"


def mixed(
    portal: Portal, folder: Path, clients: list[FirecrestConnection], requests: int
) -> Figure:
    """``requests`` calls shared among the clients; every one must go well."""
    content = os.urandom(20_000)
    file = str(portal.write("alice", folder / "mixed", content))

    def submit(client: FirecrestConnection, turn: str) -> None:
        client.cancel(client.submit(SCRIPT))

    kinds: list[Callable[[FirecrestConnection, str], object]] = [
        lambda client, turn: client.get("ls", str(folder)),
        lambda client, turn: client.get("stat", file),
        lambda client, turn: client.get("checksum", file),
        lambda client, turn: client.get("download", file),
        lambda client, turn: client.get("head", file, bytes="0"),
        lambda client, turn: client.upload(str(folder), f"up-{turn}", content),
        lambda client, turn: client.asked("/compute/jobs"),
        lambda client, turn: client.get("file", file),
        lambda client, turn: client.asked("/compute/acct"),
        submit,
    ]
    faults: list[str] = []
    times: list[float] = []

    def work(number: int) -> None:
        share = len(range(number, requests, len(clients)))
        for turn in range(share):
            begun = time.perf_counter()
            try:
                kinds[(number * 7 + turn) % len(kinds)](clients[number], f"{number}-{turn}")
            except Exception as error:  # counted, whatever it is
                faults.append(str(error))
            times.append((time.perf_counter() - begun) * 1000)

    begun = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(work, range(len(clients))))
    took = time.perf_counter() - begun
    for fault in sorted(set(faults))[:10]:
        say(f"fault: {fault}")
    facts: dict[str, float | str] = {
        "requests": len(times),
        "clients": len(clients),
        "p50_ms": sorted(times)[len(times) // 2],
        "p95_ms": sorted(times)[len(times) * 95 // 100],
        "per_s": len(times) / took,
        "put_off": sum(client.put_off for client in clients),
    }
    return Figure(
        "P13", "firecrest-mixed", "", [], bounds=[Bound("errors", len(faults), 0)], facts=facts
    )
