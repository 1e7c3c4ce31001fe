"""P10: large files between a system and the store, beside `scp` and a plain `curl` from the same store.

    .venv/bin/python -m bench.transfer [--size 1024] [--rounds 2] [--large 6 300 3072] [--page 300] [--only page]

The portal's real processes on the lab's sshd and an S3 server that checks signatures. Routes: a file of ``--size``
MiB on each of both ways (the system's own curl; through Centro's SSH connection), up and down; the movement between
store and system is timed, with the comparison of checksums that belongs to it. `scp` moves the same file to and from
the same account right before, and `curl` fetches it from the store. Clients: files of ``--large`` MiB by the
real pyfirecrest up and down with both stores, SHA-256 equal at both ends. Page: a file of ``--page`` MiB sent by
Chromium with a pause in the middle, with both stores. Memory is each process's highest
resident size ever (VmHWM), which must stay below 200 MB.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import portal as servers
from bench import transfer_page
from bench.figures import Bound, Figure, Pair, Report, Target, say, timed
from bench.firecrest_client import Multiplexed
from tests.firecrest.portal import CLUSTER, Portal, running
from tests.lab.lab import Lab
from tests.lab.s3 import ACCESS_KEY, SECRET_KEY

MIB = 1024 * 1024
P10 = Target(1.0, at_least=True)
MOST_MB = 200.0
PATIENCE = 1800.0
ROUTES = ("direct", "through")
STORES = ("local", "s3")


def settings_of(lab: Lab, store: str, route: str = "auto") -> dict[str, str]:
    """The staging settings of a portal."""
    chosen = {"kind": store, "route": route}
    if store == "s3":
        lab.s3.start()
        chosen |= {
            "endpoint": lab.s3.url, "bucket": "bench", "access_key": ACCESS_KEY, "secret_key": SECRET_KEY,
        }  # fmt: skip
    return {f"CENTRO_STAGING_{name.upper()}": value for name, value in chosen.items()}


def random_file(path: Path, mebibytes: int) -> str:
    """Bytes that nothing can compress; the SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(mebibytes):
            piece = os.urandom(MIB)
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Desk:
    """One person's transfers by the real client, and what they cost."""

    def __init__(self, portal: Portal, folder: Path) -> None:
        self.portal, self.folder = portal, folder
        self.client: Any = portal.client("alice")

    def up(self, source: Path) -> str:
        """The task of an upload that has arrived on the system."""
        transfer = self.client.external_upload(CLUSTER, str(source), str(self.folder))
        transfer.finish_upload()
        self._wait(transfer, "114")
        return str(transfer.task_id)

    def down(self, path: Path) -> Any:
        """A download that is ready."""
        transfer = self.client.external_download(CLUSTER, str(path))
        self._wait(transfer, "117")
        return transfer

    def seconds(self, task_id: str) -> float:
        """How long a worker was at it."""
        rows = self.portal.stack.sql(
            "SELECT TIMESTAMPDIFF(MICROSECOND, started_at, finished_at) FROM "
            f"pipeline_management_transfer WHERE api_task_id = '{task_id}'"
        )
        return int(rows[-1][0]) / 1e6

    @staticmethod
    def _wait(transfer: Any, status: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while transfer.status != status:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the transfer is still {transfer.status}")
            time.sleep(0.1)

    def memory(self) -> dict[str, float]:
        """The highest resident size of every process of the portal, in MB, by name and number."""
        found = {}
        for name, process in self.portal.stack.processes.items():
            for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
                try:
                    if os.getsid(pid) != process.pid:
                        continue
                    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                except OSError:
                    continue
                peak = next((line for line in lines if line.startswith("VmHWM:")), None)
                if peak is not None:
                    found[f"{name}-{pid}"] = int(peak.split()[1]) / 1000
        return found


def memory_figure(name: str, desk: Desk) -> Figure:
    peaks = desk.memory()
    say(f"{name}: VmHWM in MB: " + ", ".join(f"{n} {mb:.0f}" for n, mb in sorted(peaks.items())))
    bounds = [Bound("largest_mb", max(peaks.values()), MOST_MB)]
    return Figure("P10", name, "MB", [], bounds=bounds, facts={"processes": len(peaks)})


def rate(mebibytes: int, seconds: float) -> float:
    """MB/s."""
    return mebibytes * MIB / 1e6 / seconds


def routes(lab: Lab, options: argparse.Namespace, work: Path) -> Iterator[Figure]:
    """Both ways against `scp`, in turn; then what `curl` alone gets from the store."""
    size, source, back = options.size, work / "one.bin", work / "back.bin"
    expected = random_file(source, size)
    for route in ROUTES:
        say(f"route {route}: starting a portal")
        with (
            running(lab, **settings_of(lab, "s3", route)) as portal,
            portal.folder("alice") as folder,
            Multiplexed(lab, portal.unix_user("alice"), 1) as ssh,
        ):
            desk, ups, downs, fetched = Desk(portal, folder), [], [], []
            for _ in range(options.rounds):
                put = timed(lambda f=folder: ssh.put(source, f"{f}/scp.bin")) / 1000
                ups.append(Pair(rate(size, put), rate(size, desk.seconds(desk.up(source)))))
                moved = folder / source.name
                if sha256_of(moved) != expected:
                    raise RuntimeError("the upload differs")
                got = timed(lambda f=folder: ssh.fetch(f"{f}/scp.bin", back)) / 1000
                ready = desk.down(moved)
                downs.append(Pair(rate(size, got), rate(size, desk.seconds(ready.task_id))))
                link = ready.object_storage_link
                took = timed(
                    lambda u=link: subprocess.run(["curl", "-fsS", "-o", back, u], check=True)
                )
                if sha256_of(back) != expected:
                    raise RuntimeError("the download differs")
                fetched.append(rate(size, took / 1000))
            facts: dict[str, float | str] = {"mib": size, "curl_MBps": max(fetched)}
            yield Figure("P10", f"up-{route}", "MBps", ups, P10, facts=facts)
            yield Figure("P10", f"down-{route}", "MBps", downs, P10, facts=facts)
            yield memory_figure(f"memory-{route}", desk)


def clients(lab: Lab, options: argparse.Namespace, work: Path) -> Iterator[Figure]:
    """The real client with both stores and files of each size; the whole way is timed."""
    back = work / "large-back.bin"
    sources = {size: work / f"large-{size}.bin" for size in options.large}
    expected = {size: random_file(source, size) for size, source in sources.items()}
    for store in STORES:
        say(f"store {store}: starting a portal")
        with running(lab, **settings_of(lab, store)) as portal, portal.folder("alice") as folder:
            desk = Desk(portal, folder)
            for size, source in sources.items():
                up = timed(lambda d=desk, s=source: d.up(s)) / 1000
                moved = folder / source.name
                same_up = sha256_of(moved) == expected[size] and len(list(folder.iterdir())) == 1
                begun = time.perf_counter()
                desk.down(moved).finish_download(str(back))
                down = time.perf_counter() - begun
                same_down = sha256_of(back) == expected[size]
                moved.unlink()
                wrong = Bound("different", float(2 - same_up - same_down), 0.0)
                facts: dict[str, float | str] = {
                    "up_MBps": rate(size, up), "down_MBps": rate(size, down), "sha256": expected[size][:12],
                }  # fmt: skip
                name = f"pyfirecrest-{store}-{size}MiB"
                yield Figure("P10", name, "MBps", [], bounds=[wrong], facts=facts)
            yield memory_figure(f"memory-{store}", desk)


def page(lab: Lab, options: argparse.Namespace, work: Path) -> Iterator[Figure]:
    """The page of transfers with both stores."""
    source = work / "page.bin"
    expected = random_file(source, options.page)
    for store in STORES:
        say(f"page, store {store}: starting a portal")
        with running(lab, **settings_of(lab, store)) as portal, portal.folder("alice") as folder:
            seen = transfer_page.upload(portal, source, folder)
            same = sha256_of(folder / source.name) == expected and len(list(folder.iterdir())) == 1
            bounds = [
                Bound("different", float(not same), 0.0),
                Bound("moved_in_pause", float(seen.pop("moved_in_pause")), 0.01),
                Bound("reloaded", float(seen.pop("reloaded")), 0.0),
            ]
            facts = {
                "mib": options.page,
                "MBps": rate(options.page, float(seen.pop("seconds"))),
                **seen,
            }
            yield Figure("P10", f"page-{store}", "MBps", [], bounds=bounds, facts=facts)
            yield memory_figure(f"memory-page-{store}", Desk(portal, folder))


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; 1 with --strict when a target is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1024, help="MiB of a file of the routes")
    parser.add_argument(
        "--large", type=int, nargs="+", default=[6, 300, 3072], help="MiB of the client's files"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--page", type=int, default=300, help="MiB of the page's file")
    parts = {"routes": routes, "clients": clients, "page": page}
    parser.add_argument("--only", nargs="+", choices=tuple(parts), default=list(parts))
    parser.add_argument("--strict", action="store_true", help="exit code 1 when a target is missed")
    options = parser.parse_args(arguments)
    report = Report("Large files (bench/transfer.py)")
    with servers.lab() as lab, tempfile.TemporaryDirectory(prefix="centro-transfer-") as folder:
        for name, part in parts.items():
            if name in options.only:
                for figure in part(lab, options, Path(folder)):
                    report.add(figure)
    report.print()
    return 1 if options.strict and report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
