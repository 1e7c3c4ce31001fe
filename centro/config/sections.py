"""The parts of the configuration that have keys of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

LOOPBACK = ("127.0.0.1", "::1", "localhost")
# Only signatures that need a secret of the issuer's to be made. With HS256 everybody who knows the
# public key could sign; "none" is no signature.
Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


class Section(BaseModel):
    """Base of all declarations: exact types, no unknown keys, no changes after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Database(Section):
    """Where rows are kept: one SQLite file, or a MariaDB or MySQL server."""

    engine: Literal["sqlite", "mysql"] = Field(
        "sqlite", description="`sqlite` or `mysql` (MariaDB)"
    )
    path: Path | None = Field(
        None,
        description="SQLite only: the database file; default `centro.sqlite3` in the state directory",
    )
    name: str | None = Field(None, min_length=1, description="MariaDB only: database name")
    user: str | None = Field(None, min_length=1, description="MariaDB only: user")
    password: str | None = Field(
        None, description="MariaDB only: password", json_schema_extra={"secret": True}
    )
    host: str | None = Field(
        None,
        min_length=1,
        description="MariaDB only: host name, or the path of a Unix socket; default `127.0.0.1`",
    )
    port: int | None = Field(None, ge=1, le=65_535, description="MariaDB only: port; default 3306")

    @model_validator(mode="after")
    def _fields_fit_engine(self) -> Self:
        if self.engine == "mysql":
            missing = [key for key in ("name", "user") if not getattr(self, key)]
            if missing:
                raise ValueError(f"engine 'mysql' also needs {' and '.join(missing)}")
            if self.path is not None:
                raise ValueError(
                    "'path' belongs to engine 'sqlite'; remove it or change the engine"
                )
            return self
        extra = [
            k for k in ("name", "user", "password", "host", "port") if getattr(self, k) is not None
        ]
        if extra:
            raise ValueError(
                f"engine 'sqlite' takes only 'path', not {', '.join(extra)}; did you mean engine 'mysql'?"
            )
        return self


class Email(Section):
    """Outgoing mail. Without a host nobody is mailed about runs; mail to ``admins`` goes to the log."""

    host: str | None = Field(
        None,
        min_length=1,
        description="SMTP server; without it nobody is mailed about runs, and mail to `admins` goes to the log",
    )
    port: int = Field(25, ge=1, le=65_535, description="SMTP port")
    user: str | None = Field(
        None, min_length=1, description="SMTP user, if the server asks for one"
    )
    password: str | None = Field(
        None, description="SMTP password", json_schema_extra={"secret": True}
    )
    security: Literal["none", "starttls", "tls"] = Field(
        "none", description="`none`, `starttls` (usually port 587) or `tls` (usually port 465)"
    )
    sender: str = Field(
        "centro@localhost",
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="From address of everything sent",
    )
    admins: list[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]] = Field(
        [], description="who gets a mail when the web server answers 500"
    )


class Oidc(Section):
    """An OpenID Connect issuer, such as Keycloak: people log in there, and `/firecrest/v1/` accepts its tokens."""

    issuer: str | None = Field(
        None,
        description="the `iss` of its tokens, e.g. `https://login.example.org/realms/hpc`; "
        "without it people log in with a password, and only Centro's own tokens are accepted",
    )
    jwks_url: str | None = Field(
        None,
        description="where its public keys are, e.g. "
        "`https://login.example.org/realms/hpc/protocol/openid-connect/certs`",
    )
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = Field(
        ["RS256"], description="signature algorithms that are accepted; never `none` or HS256"
    )
    username_claim: str = Field(
        "preferred_username",
        min_length=1,
        description="the claim that holds the person's Centro user name",
    )
    audience: str | None = Field(
        None,
        min_length=1,
        description="for access tokens at `/firecrest/v1/`: what their `aud` must contain; "
        "without it only Centro's own are accepted",
    )
    client_id: str | None = Field(
        None,
        min_length=1,
        description="for logging in: Centro's own name at the issuer; without it people log in with a password only",
    )
    client_secret: str | None = Field(
        None,
        min_length=1,
        description="for logging in: the secret of that client",
        json_schema_extra={"secret": True},
    )
    authorization_url: str | None = Field(
        None,
        description="for logging in: where people are sent, e.g. "
        "`https://login.example.org/realms/hpc/protocol/openid-connect/auth`",
    )
    token_url: str | None = Field(
        None,
        description="for logging in: where Centro asks who came back, e.g. "
        "`https://login.example.org/realms/hpc/protocol/openid-connect/token`",
    )
    label: str = Field(
        "single sign-on",
        min_length=1,
        max_length=40,
        description="for logging in: what people call it; the button says “Log in with …”",
    )
    first_login: Literal["by-name", "create", "refuse"] = Field(
        "by-name",
        description="whose account somebody gets who logs in for the first time: `by-name`, the one that "
        "`username_claim` names, but never an administrator's; `create`, that one or else a new one without a lab; "
        "`refuse`, none until its owner has connected it",
    )

    @property
    def accepts_tokens(self) -> bool:
        """Whether its access tokens open `/firecrest/v1/`."""
        return self.audience is not None

    @property
    def logs_in(self) -> bool:
        """Whether people may log in there."""
        return self.client_id is not None

    @field_validator("issuer", "jwks_url", "authorization_url", "token_url")
    @classmethod
    def _safe_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("expected an address such as https://login.example.org/realms/hpc")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            raise ValueError(
                "must be https, or whoever is on the way can make tokens; http is for loopback only"
            )
        return value

    @model_validator(mode="after")
    def _all_or_nothing(self) -> Self:
        login = ("client_id", "client_secret", "authorization_url", "token_url")
        self._belong_together(login)
        used = self.accepts_tokens or self.logs_in
        self._belong_together(("issuer", "jwks_url"), needed=used)
        if self.issuer is not None and not used:
            raise ValueError(
                "issuer needs an audience, for access tokens, or a client_id, for logging in"
            )
        return self

    def _belong_together(self, names: tuple[str, ...], *, needed: bool = False) -> None:
        missing = [name for name in names if getattr(self, name) is None]
        if missing and (needed or len(missing) < len(names)):
            together = f"{', '.join(names[:-1])} and {names[-1]}"
            raise ValueError(f"{together} belong together; missing: {missing[0]}")


class Staging(Section):
    """Where large files stay on their way: files of this machine, or an S3 store."""

    kind: Literal["local", "s3"] = Field(
        "local",
        description="`local`: files below the state directory, served by Centro itself; `s3`: a store",
    )
    path: Path | None = Field(
        None,
        description="local only: directory of the files; default `staging` in the state directory",
    )
    endpoint: str | None = Field(
        None,
        description="s3 only: the store's address as Centro reaches it; default Amazon's of the region",
    )
    public_endpoint: str | None = Field(
        None, description="s3 only: the store's address as people reach it; default `endpoint`"
    )
    system_endpoint: str | None = Field(
        None,
        description="the address as systems reach it: of the store, or with `local` of Centro; "
        "default the public one",
    )
    region: str = Field("us-east-1", min_length=1, description="s3 only: region")
    bucket: str = Field(
        "centro",
        pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
        description="s3 only: bucket; made where it is missing and the keys allow that",
    )
    access_key: str | None = Field(None, min_length=1, description="s3 only: access key")
    secret_key: str | None = Field(
        None, min_length=1, description="s3 only: secret key", json_schema_extra={"secret": True}
    )
    addressing: Literal["path", "virtual"] = Field(
        "path",
        description="s3 only: `path` puts the bucket into the path, `virtual` into the host name",
    )
    link_seconds: int = Field(
        604_800, ge=60, le=604_800, description="how long links are valid; a week at most"
    )
    max_size_mb: int = Field(
        5120, ge=1, le=40_000_000, description="largest file of a transfer, in MiB"
    )
    open_transfers: int = Field(
        50, ge=1, le=10_000, description="transfers of one person that may be open at once"
    )
    movers: int = Field(
        4, ge=1, le=64, description="files that one worker process moves at the same time"
    )
    route: Literal["auto", "direct", "through"] = Field(
        "auto",
        description="`auto`: systems with curl that reach an S3 store move files by themselves, the rest goes "
        "through Centro's SSH connection; the others force one way",
    )

    @field_validator("path")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("expected an absolute path")
        return value

    @field_validator("endpoint", "public_endpoint", "system_endpoint")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
            raise ValueError("expected http://host[:port] or https://host[:port], without a path")
        return f"{parts.scheme}://{parts.netloc}"

    @model_validator(mode="after")
    def _fields_fit_kind(self) -> Self:
        if self.kind == "s3":
            missing = [name for name in ("access_key", "secret_key") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"kind 's3' also needs {' and '.join(missing)}")
            return self
        named = ("endpoint", "public_endpoint", "access_key", "secret_key")
        extra = [name for name in named if getattr(self, name) is not None]
        if extra:
            raise ValueError(
                f"kind 'local' does not take {', '.join(extra)}; did you mean kind 's3'?"
            )
        return self
