"""The portal's own processes with OAuth clients and several systems, for real FirecREST clients."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import inspect
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from firecrest import ClientCredentialsAuth
from firecrest.v1 import AsyncFirecrest, Firecrest

from tests.lab.lab import Lab
from tests.lab.layout import free_ports
from tests.stack import LiveStack

MOUNT = "/firecrest/v1"
CLUSTER = "cluster"
HASTY = "hasty"  # the same machine with a limit of one second
DOWN = "down"  # nobody listens there
FOREIGN = "foreign"  # only bob has an account
FULL, SMALL = (CLUSTER, HASTY, DOWN), (CLUSTER,)
SYSTEMS = {"alice": FULL, "bob": (CLUSTER, FOREIGN), "carol": SMALL}
HOMES = {"alice": 0, "bob": 1, "carol": 3}


def secret_of(person: str) -> str:
    """The client secret of a person's only OAuth client, `<person>-client`."""
    return f"{person}-secret-of-the-lab-0123456789"


class Awaited:
    """AsyncFirecrest behind blocking calls, so that one test judges both clients.

    Its event loop lives in a thread: where tests of pages ran before in this process, the
    browser's own loop counts as running in the main thread for good.
    """

    def __init__(self, client: AsyncFirecrest) -> None:
        self.client = client
        self._runner = asyncio.Runner()
        self._thread = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.client, name)
        if not callable(attribute):
            return attribute

        def blocking(*arguments: Any, **named: Any) -> Any:
            found = attribute(*arguments, **named)
            return self._run(found) if inspect.isawaitable(found) else found

        return blocking

    def wait(self, found: Any) -> Any:
        """What an awaitable of one of the client's objects gives; anything else as it is."""
        return self._run(found) if inspect.isawaitable(found) else found

    def close(self) -> None:
        """End the session and the event loop."""
        self._run(self.client.close_session())
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    def _run(self, awaitable: Any) -> Any:
        return self._thread.submit(self._runner.run, _result(awaitable)).result()


async def _result(awaitable: Any) -> Any:
    return await awaitable


class Portal:
    """A running portal as FirecREST's users see it."""

    def __init__(self, stack: LiveStack) -> None:
        self.stack = stack
        self.lab = stack.lab
        self.url = stack.base_url + MOUNT
        self.token_url = stack.base_url + "/o/token/"

    def unix_user(self, person: str) -> str:
        """Whom a person is on every system."""
        users = self.lab.layout.settings.users
        return users[HOMES[person] % len(users)]

    def home(self, person: str) -> Path:
        """The person's home folder, the same path here and on every system."""
        user = self.unix_user(person)
        return Path(os.path.expanduser(f"~{user}"))

    def authorization(self, person: str, method: str = "client_secret_post") -> Any:
        """A source of tokens, as the client makes it."""
        return ClientCredentialsAuth(
            f"{person}-client", secret_of(person), self.token_url, client_auth_method=method
        )

    def token(self, person: str) -> str:
        """A fresh access token."""
        return str(self.authorization(person).get_access_token())

    def client(self, person: str) -> Firecrest:
        """The blocking client."""
        client = Firecrest(self.url, self.authorization(person))
        client.timeout = 60
        client.num_retries_rate_limit = 5
        client.polling_sleep_times = [0.05] * 600
        return client

    def async_client(self, person: str) -> AsyncFirecrest:
        """The asynchronous client, to be closed by whoever asked for it."""
        client = AsyncFirecrest(self.url, self.authorization(person))
        client.timeout = 60
        client.num_retries_rate_limit = 5
        client.time_between_calls = {
            name: 0.02 if name == "tasks" else 0.0 for name in client.time_between_calls
        }
        return client

    def judged(self, person: str, kind: str) -> Iterator[Any]:
        """The client of that kind behind blocking calls, for a fixture."""
        if kind == "Firecrest":
            yield self.client(person)
            return
        client = Awaited(self.async_client(person))
        yield client
        client.close()

    @contextlib.contextmanager
    def folder(self, person: str) -> Iterator[Path]:
        """A fresh folder of the person's in the home, removed afterwards with all that is in it."""
        path = self.home(person) / f"firecrest-test-{uuid.uuid4().hex[:12]}"
        path.mkdir()
        self.give(person, path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def give(self, person: str, *paths: Path) -> None:
        """Make the person the owner of what a test has made."""
        if os.geteuid() == 0:
            for path in paths:
                shutil.chown(path, self.unix_user(person), self.unix_user(person))

    def write(self, person: str, path: Path, content: bytes | str = b"") -> Path:
        """Make a file of the person's."""
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.give(person, path)
        return path


def site_of(lab: Lab) -> dict[str, Any]:
    """The lab's site with more systems, and an OAuth client for everyone with an account."""
    site: dict[str, Any] = yaml.safe_load(lab.layout.site_file.read_text())
    cluster = site["systems"][0]
    cluster["limits"] |= {"command_timeout": 5}
    site["systems"] += [
        cluster | {"name": HASTY, "limits": cluster["limits"] | {"command_timeout": 1}},
        cluster | {"name": DOWN, "port": free_ports()["sshd"]},
        cluster | {"name": FOREIGN},
    ]
    for user in site["users"]:
        account = next(iter(user.get("accounts", ())), None)
        if account is not None:
            systems = SYSTEMS.get(user["username"], SMALL)
            user["accounts"] = [account | {"system": name} for name in systems]
    site["labs"][0]["members"]["carol"] = "submitter"
    site["oauth_clients"] = [
        {
            "client_id": f"{person}-client",
            "client_secret": secret_of(person),
            "user": person,
            "scopes": ["firecrest"],
        }
        for person in SYSTEMS
    ]
    return json.loads(json.dumps(site))  # without shared parts, which YAML would write as aliases


@contextlib.contextmanager
def running(lab: Lab, **extra_env: str) -> Iterator[Portal]:
    """A portal with this site; stopped at the end."""
    stack = LiveStack(lab, extra_env)
    try:
        site_file = stack.var / "firecrest-site.yaml"
        site_file.touch(mode=0o600)
        site_file.write_text(yaml.safe_dump(site_of(lab)))
        stack.env["CENTRO_SITE"] = str(site_file)
        stack.set_up()
        for name in ("web", "worker", "beat"):
            stack.start(name)
        stack.wait_ready()
        yield Portal(stack)
    finally:
        stack.close()
