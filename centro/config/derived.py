"""What follows from the configuration: addresses, paths, URLs in the forms that libraries want."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import quote, urlsplit

from pydantic import model_validator

from centro.config.model import Declarations

# sockaddr_un.sun_path holds 108 bytes on Linux; supervisord adds a suffix while it binds.
LONGEST_SOCKET_PATH = 99


class Config(Declarations):
    """All configuration of one installation, as the rest of Centro reads it."""

    @model_validator(mode="after")
    def _https_has_a_proxy(self) -> Self:
        if self.https and self.trusted_proxies == 0:
            raise ValueError(
                "an https public_url needs trusted_proxies of at least 1: "
                "Centro's web server speaks plain http and a proxy in front ends TLS"
            )
        return self

    @property
    def url(self) -> str:
        """Address people type, without a trailing slash."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 (compared, not bound)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def https(self) -> bool:
        """Whether people reach Centro by TLS."""
        return self.url.startswith("https://")

    @property
    def proxies(self) -> int:
        """How many reverse proxies are believed."""
        return int(self.https) if self.trusted_proxies is None else self.trusted_proxies

    @property
    def hosts(self) -> list[str]:
        """Every name the web server answers to."""
        public = urlsplit(self.url).hostname or "localhost"
        own = ["127.0.0.1", "localhost", "[::1]", socket.gethostname(), public]
        return list(dict.fromkeys([*own, *self.allowed_hosts]))

    @property
    def database_file(self) -> Path:
        """The SQLite file."""
        return self.database.path or self.var / "centro.sqlite3"

    @property
    def run_dir(self) -> Path:
        """Directory of sockets and pid files, short enough for a socket path.

        A deep state directory would exceed the kernel's limit, so then a private directory
        under the system's temporary directory stands in; its name depends on the state directory only.
        """
        inside = self.var / "run"
        if len(os.fsencode(inside / "supervisor.sock.12345678")) <= LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.var)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"centro-{os.getuid()}-{digest}"

    @property
    def embedded_redis(self) -> bool:
        """Whether Centro runs its own Valkey."""
        return self.redis_url is None

    @property
    def cache_url(self) -> str:
        """The Redis URL in redis-py's form."""
        return self.redis_url or f"unix://{quote(str(self.run_dir / 'valkey.sock'))}?db=0"

    @property
    def broker_url(self) -> str:
        """The same Redis in Celery's form (kombu writes sockets as redis+socket://)."""
        parts = urlsplit(self.cache_url)
        if parts.scheme != "unix":
            return self.cache_url
        number = parts.query.removeprefix("db=") or "0"
        return f"redis+socket://{parts.path}?virtual_host={number}"
