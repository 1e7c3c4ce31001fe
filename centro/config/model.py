"""What can be configured: names, types, defaults, limits and their explanation.

The reference page `docs/configuration.md` is generated from these declarations
(`python -m centro.config docs`), so every field carries a description.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from cryptography.fernet import Fernet
from pydantic import Field, field_validator

from centro.config.sections import Database, Email, Oidc, Section, Staging

ROOT = Path(__file__).resolve().parents[2]
REDIS_SCHEMES = ("redis", "rediss", "unix")
Seconds = Annotated[int, Field(ge=1, le=86_400)]


class Declarations(Section):
    """All that can be set for one installation; `derived.Config` adds what follows from it."""

    secret_key: str = Field(
        min_length=50,
        description="signs sessions and links; at least 50 characters, generated at the first start",
        json_schema_extra={"secret": True},
    )
    encryption_keys: list[str] = Field(
        min_length=1,
        description="Fernet keys for the credentials in the database: the first encrypts, all decrypt",
        json_schema_extra={"secret": True},
    )
    database: Database = Field(Database(), description="where rows are kept")
    redis_url: str | None = Field(
        None,
        description="Redis or Valkey: `redis://[:password@]host:port/db`, `rediss://…` or `unix:///path?db=0`; "
        "without it Centro runs its own Valkey on a socket in the state directory",
        json_schema_extra={"secret": True},
    )
    var: Path = Field(
        ROOT / "var",
        description="state directory: database, sockets, logs; default `var` beside the code",
    )
    host: str = Field("127.0.0.1", min_length=1, description="address the web server listens on")
    port: int = Field(8000, ge=1, le=65_535, description="port the web server listens on")
    public_url: str | None = Field(
        None,
        description="address people type, without a path; https turns on secure cookies and HSTS; "
        "default `http://<host>:<port>`",
    )
    allowed_hosts: list[Annotated[str, Field(min_length=1)]] = Field(
        [],
        description="host names the web server answers to, besides loopback, the host of `public_url` "
        "and this machine's name",
    )
    trusted_proxies: int | None = Field(
        None,
        ge=0,
        le=5,
        description="reverse proxies in front, whose X-Forwarded-For and X-Forwarded-Proto are believed; "
        "default 1 with an https `public_url`, else 0",
    )
    debug: bool = Field(
        False, description="Django's debug pages; never on a machine that others reach"
    )
    time_zone: str = Field(
        "UTC", description="zone in which pages show times, e.g. `Europe/Zurich`"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least severe log line"
    )
    email: Email = Field(Email(), description="outgoing mail")
    oidc: Oidc = Field(Oidc(), description="an OpenID Connect issuer, such as Keycloak")
    staging: Staging = Field(
        Staging(), description="where large files stay on their way between people and systems"
    )
    oauth_token_seconds: int = Field(
        3600, ge=60, le=86_400, description="how long an access token of `/o/token/` is valid"
    )
    admin_password: str | None = Field(
        None,
        min_length=8,
        description="password that `start.sh` gives to the first administrator `admin`; "
        "without it one is generated, shown once and kept in `admin-password` of the state directory",
        json_schema_extra={"secret": True},
    )
    site: Path = Field(
        ROOT / "deploy" / "example-site.yaml",
        description="site file that `start.sh` applies at every start",
    )
    web_processes: int = Field(2, ge=1, le=64, description="web server processes")
    web_threads: int = Field(8, ge=1, le=256, description="threads per web server process")
    websockets_per_person: int = Field(
        50, ge=1, le=10_000, description="websockets that one person may hold per web server process"
    )
    websocket_heartbeat: int = Field(
        25,
        ge=1,
        le=30,
        description="seconds between two heartbeats of a websocket; at each its holder's rights are looked at again",
    )
    worker_threads: int = Field(16, ge=2, le=256, description="threads of the Celery worker")
    metrics_addresses: list[str] = Field(
        ["127.0.0.1", "::1"], description="client addresses that may read `/metrics`"
    )
    lease_seconds: Seconds = Field(
        20, description="how long one worker owns a run before another may take over"
    )
    settle_seconds: Seconds = Field(
        60,
        description="how long after a submission without an answer the cluster is given before it is asked again",
    )
    nfs_grace_seconds: Seconds = Field(
        10,
        description="how long a result file may stay invisible on a network file system after the job ended",
    )
    phantom_seconds: Seconds = Field(
        900,
        description="how long a job that no source knows any more is looked for before people are told",
    )
    submit_batch: int = Field(
        10, ge=1, le=200, description="runs submitted over one connection in one go"
    )

    log_error_patterns: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        [
            r"(^|[^[:alnum:]_]|\[[0-9;]*m)(ERROR|FATAL|CRITICAL|PANIC)([^[:alnum:]_]|$)",
            r"(^|[^[:alnum:]_]|\[[0-9;]*m)([A-Z][A-Za-z]*)?([Ee]rror|Exception):",
            r"^Traceback \(most recent call last\)",
            r"[Ss]egmentation fault|[Cc]ore dumped|[Oo]ut of memory|oom[-_]kill",
            r"command not found|No such file or directory|Permission denied|No space left on device",
            r"^::error|DUE TO TIME LIMIT|Exceeded job memory limit",
        ],
        description="regular expressions (POSIX extended, as `grep -E` reads them) by which the page of a run "
        "finds the lines of its output that look like an error; none turns that off",
    )
    webhook_allow_private: bool = Field(
        False,
        description="lets labs' webhooks call private, loopback and link-local addresses, and plain http; "
        "whoever manages a lab can then reach what this machine reaches",
    )

    @field_validator("secret_key")
    @classmethod
    def _not_a_sample(cls, value: str) -> str:
        if value.startswith("django-insecure-") or len(set(value)) < 5:
            raise ValueError(
                "is a sample value, not a secret; let `python -m centro.config init` make one"
            )
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _fernet(cls, value: list[str]) -> list[str]:
        for number, key in enumerate(value, start=1):
            try:
                Fernet(key)
            except ValueError as error:
                raise ValueError(
                    f"key {number} is not a Fernet key (44 characters of base64)"
                ) from error
        return value

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in REDIS_SCHEMES:
            raise ValueError("must start with redis://, rediss:// or unix://")
        if parts.scheme == "unix" and (parts.netloc or not parts.path.startswith("/")):
            raise ValueError("a Unix socket is written unix:///absolute/path")
        if parts.scheme != "unix" and not parts.hostname:
            raise ValueError("names no host; expected e.g. redis://127.0.0.1:6379/0")
        _ = parts.port  # raises ValueError "Port out of range" by itself
        return value

    @field_validator("metrics_addresses")
    @classmethod
    def _addresses(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                ip_address(text)
            except ValueError as error:
                raise ValueError(f"{text!r} is not an IP address") from error
        return value

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError("expected http://host[:port] or https://host[:port], without a path")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("is not a zone of the tz database; expected e.g. UTC or Europe/Zurich")
        return value
