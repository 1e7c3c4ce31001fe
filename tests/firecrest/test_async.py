"""What only the asynchronous client does: many calls at once, merged questions, sessions that end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import io
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import firecrest
import pytest
from firecrest.v1 import AsyncFirecrest

from tests.firecrest.portal import CLUSTER, HASTY, Portal
from tests.firecrest.test_pyfirecrest_jobs import script

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

CLIENTS = 32


@asynccontextmanager
async def session(portal: Portal, person: str = "alice") -> AsyncIterator[AsyncFirecrest]:
    """A client that counts the addresses it asks for, in `client.asked`."""
    client = portal.async_client(person)
    client.asked = Counter()

    async def count(request: Any) -> None:
        client.asked[request.url.path.removeprefix("/firecrest/v1")] += 1

    client._session.event_hooks["request"].append(count)
    yield client
    await client.close_session()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in an event loop and a thread of its own (see `Awaited`)."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work()).result()


def test_many_files_at_once(portal: Portal, folder: Path) -> None:
    contents = {f"file {number}": os.urandom(10_000).hex().encode() for number in range(CLIENTS)}

    async def work() -> None:
        async with session(portal) as client:
            await asyncio.gather(
                *(
                    client.simple_upload(CLUSTER, io.BytesIO(content), str(folder), filename=name)
                    for name, content in contents.items()
                )
            )
            sums = await asyncio.gather(
                *(client.checksum(CLUSTER, str(folder / name)) for name in contents)
            )
            assert sums == [hashlib.sha256(content).hexdigest() for content in contents.values()]
            buffers = [io.BytesIO() for _ in contents]
            await asyncio.gather(
                *(
                    client.simple_download(CLUSTER, str(folder / name), buffer)
                    for name, buffer in zip(contents, buffers, strict=True)
                )
            )
            assert [buffer.getvalue() for buffer in buffers] == list(contents.values())

    run(work)
    assert {path.name for path in folder.iterdir()} == set(contents)


def test_many_jobs_at_once_are_polled_by_few_questions(portal: Portal) -> None:
    async def work() -> None:
        async with session(portal) as client:
            client.merge_get_requests = True
            client.time_between_calls = {
                "compute": 0.3, "reservations": 0, "status": 0, "storage": 0, "tasks": 0.1, "utilities": 0,
            }  # fmt: skip
            jobs = await asyncio.gather(
                *(client.submit(CLUSTER, script_str=script("true")) for _ in range(12))
            )
            numbers = [job["jobid"] for job in jobs]
            assert len(set(numbers)) == 12
            client.asked.clear()
            for _ in range(100):
                rows = await asyncio.gather(*(client.poll(CLUSTER, jobs=[n]) for n in numbers))
                assert [row["jobid"] for found in rows for row in found] == [
                    str(number) for number, found in zip(numbers, rows, strict=True) if found
                ]
                if all(found and found[0]["state"] == "COMPLETED" for found in rows):
                    break
                await asyncio.sleep(0.5)
            else:
                raise AssertionError(rows)
            assert client.asked["/compute/acct"] < 12
            active = await asyncio.gather(*(client.poll_active(CLUSTER, jobs=[n]) for n in numbers))
            assert active == [[]] * 12

    run(work)


def test_a_refusal_harms_no_neighbour(portal: Portal, folder: Path) -> None:
    portal.write("alice", folder / "file", "content")

    async def work() -> None:
        async with session(portal) as client:
            answers = await asyncio.gather(
                *(
                    client.view(CLUSTER, str(folder / ("file" if number % 2 else "missing")))
                    for number in range(CLIENTS)
                ),
                return_exceptions=True,
            )
            assert [answer for answer in answers if isinstance(answer, str)] == ["content"] * 16
            refused = [a for a in answers if isinstance(a, firecrest.HeaderException)]
            assert len(refused) == 16
            assert all("X-Not-Found" in error.responses[-1].headers for error in refused)

    run(work)


def test_a_slow_system_does_not_hold_up_another(portal: Portal, folder: Path) -> None:
    """Thirty commands that run into their time limit on one system, and a quick one on another."""
    with (folder / "large").open("wb") as large:
        for _ in range(100):
            large.write(os.urandom(1 << 20))
    portal.give("alice", folder / "large")

    async def work() -> None:
        async with session(portal) as client:
            await client.whoami(CLUSTER)
            loop = asyncio.get_running_loop()
            slow = [
                asyncio.ensure_future(
                    client.compress(HASTY, str(folder / "large"), str(folder / f"{number}.tgz"))
                )
                for number in range(4)
            ]
            await asyncio.sleep(0.3)
            begun = loop.time()
            await client.stat(CLUSTER, str(folder))
            took = loop.time() - begun
            answers = await asyncio.gather(*slow, return_exceptions=True)
            assert all(isinstance(answer, firecrest.FirecrestException) for answer in answers)
            assert took < 3.0

    run(work)


def test_sessions(portal: Portal) -> None:
    async def work() -> None:
        async with session(portal) as client:
            client.set_api_version("1.16.0")
            await client.filesystems()
            assert client.asked["/status/parameters"] == 0
            assert not client.is_session_closed
            await client.close_session()
            assert client.is_session_closed
            await client.create_new_session()
            assert await client.whoami(CLUSTER) == portal.unix_user("alice")

    run(work)


def test_a_fresh_client_asks_for_the_version_once(portal: Portal, folder: Path) -> None:
    async def work() -> None:
        async with session(portal) as client:
            for _ in range(3):
                await client.list_files(CLUSTER, str(folder))
            assert client.asked["/status/parameters"] == 1

    run(work)
