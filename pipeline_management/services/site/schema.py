"""What a site file may say: names, types, limits. Checked before anything is written."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from hpc.files.globs import check_glob
from hpc.schedulers.registry import scheduler_for
from hpc.transports.hostkeys import parse_host_key
from pipeline_management.models.pipeline import ALIASES
from pipeline_management.services.jobspec import parse_walltime


def _form(pattern: str, expected: str) -> AfterValidator:
    """Text of a form, which is told in words where it does not fit."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}, found {value!r}")
        return value

    return AfterValidator(check)


def _line_of_text(value: str) -> str:
    if not value.isprintable():
        raise ValueError("expected one line without control characters")
    return value


def _host_key(value: str) -> str:
    parse_host_key(value)
    return " ".join(value.split()[:2])


def _username(value: str) -> str:
    try:
        UnicodeUsernameValidator()(value)
    except ValidationError as error:
        raise ValueError("expected letters, digits and @ . + - _ only") from error
    return value


def _email(value: str) -> str:
    try:
        if value:
            validate_email(value)
    except ValidationError as error:
        raise ValueError("expected an e-mail address") from error
    return value


def _workdir(value: str) -> str:
    path = value.rstrip("/")
    if not path or ".." in path.split("/") or not value.isprintable():
        raise ValueError("expected a directory other than /, without .. and control characters")
    if re.search(r"[{}]", path.replace("{username}", "")):
        raise ValueError("expected {username} as the only placeholder")
    return path


def _walltime(value: str) -> str:
    parse_walltime(value)
    return value


MAX_DOCUMENTATION = 200_000
"""Characters of a version's documentation."""
Text = Annotated[str, AfterValidator(_line_of_text)]
Glob = Annotated[str, AfterValidator(check_glob)]
Slug = Annotated[
    str,
    Field(max_length=64),
    _form(
        r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", "lower-case letters, digits, dot, dash and underscore"
    ),
]
ClusterUser = Annotated[
    str, Field(max_length=64), _form(r"^[A-Za-z_][A-Za-z0-9_.@-]*\$?$", "a user name of the system")
]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
SchedulerWord = Annotated[
    str,
    Field(max_length=100),
    _form(r"^[A-Za-z0-9_][A-Za-z0-9_.,@+=:-]*$", "a name as the scheduler knows it"),
]


class Part(BaseModel):
    """Base of all parts: exact types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class CredentialPart(Part):
    """A secret that logs in; exactly one of the three ways to give the key."""

    kind: Literal["key", "ca", "service"] = "key"
    username: ClusterUser | None = None
    private_key: str | None = None
    private_key_file: str | None = None
    private_key_env: str | None = None
    passphrase: str | None = None
    passphrase_file: str | None = None
    passphrase_env: str | None = None

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        given = [
            name
            for name in ("private_key", "private_key_file", "private_key_env")
            if getattr(self, name) is not None
        ]
        if self.kind == "service" and given:
            raise ValueError(f"kind service uses the system's own credential: remove {given[0]}")
        if self.kind != "service" and len(given) != 1:
            raise ValueError(
                "expected exactly one of private_key_file, private_key_env, private_key"
            )
        return self


class Limits(Part):
    """Limits of one system."""

    max_connections: Annotated[int, Field(ge=1, le=20)] | None = None
    max_file_size_mb: Annotated[int, Field(ge=1, le=64)] | None = None
    command_timeout: Annotated[float, Field(gt=0, le=600)] | None = None
    window_mib: Annotated[int, Field(ge=1, le=8)] | None = None


class Filesystem(Part):
    """A directory tree of a system that people use."""

    name: Annotated[Text, Field(min_length=1, max_length=64)]
    path: Annotated[Text, _form(r"/.*", "an absolute path")]
    description: Annotated[Text, Field(max_length=200)] = ""


class SystemPart(Part):
    """A system."""

    name: Slug
    description: Annotated[Text, Field(max_length=200)] = ""
    enabled: bool | None = None
    transport: Literal["ssh", "local"]
    host: (
        Annotated[
            str,
            Field(max_length=255),
            _form(r"^[A-Za-z0-9][A-Za-z0-9._:%-]*$", "a host name or an address"),
        ]
        | None
    ) = None
    port: Annotated[int, Field(ge=1, le=65535)] = 22
    host_keys: list[Annotated[str, AfterValidator(_host_key)]] = []
    scheduler: Literal["slurm", "pbs", "local"]
    scheduler_options: dict[str, str | int] = {}
    workdir: Annotated[str, Field(max_length=500), AfterValidator(_workdir)]
    filesystems: list[Filesystem] = []
    poll_interval: Annotated[int, Field(ge=1, le=3600)] = 10
    limits: Limits = Limits()
    transfer_queue: SchedulerWord | None = None
    events: Literal["both", "file"] = "both"
    credential: CredentialPart | None = None

    @model_validator(mode="after")
    def _fits_transport(self) -> Self:
        if self.transport == "local":
            extra = [name for name in ("host", "host_keys", "credential") if getattr(self, name)]
            if extra:
                raise ValueError(f"transport local is this machine: remove {extra[0]}")
        elif not self.host:
            raise ValueError("transport ssh needs host")
        elif not self.host_keys:
            raise ValueError(
                "transport ssh needs host_keys: the lines of `ssh-keyscan` on a trusted network, "
                "without the host name in front"
            )
        elif not self.workdir.startswith("/"):
            raise ValueError("workdir must be absolute where the transport is ssh")
        if self.credential and self.credential.kind == "service":
            raise ValueError("credential.kind is service; expected key or ca for a system")
        if self.credential and self.credential.kind == "key" and not self.credential.username:
            raise ValueError(
                "credential.username is missing: the user name that the key logs in as"
            )
        scheduler_for(self.scheduler, {k: str(v) for k, v in self.scheduler_options.items()})
        return self


class AccountPart(Part):
    """A person's account on a system."""

    system: str
    username: ClusterUser
    credential: CredentialPart

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.credential.username is not None:
            raise ValueError("credential.username belongs to systems; here username says it")
        return self


class UserPart(Part):
    """A person."""

    username: Annotated[str, Field(min_length=1, max_length=150), AfterValidator(_username)]
    password: Annotated[str, Field(min_length=1)] | None = None
    password_file: str | None = None
    password_env: str | None = None
    email: Annotated[str, AfterValidator(_email)] | None = None
    staff: bool | None = None
    accounts: list[AccountPart] = []

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        ways = ("password", "password_file", "password_env")
        if sum(getattr(self, name) is not None for name in ways) > 1:
            raise ValueError("expected one of password, password_file, password_env")
        return self


class LabPart(Part):
    """A lab."""

    name: Annotated[Text, Field(min_length=1, max_length=100)]
    slug: Slug
    members: dict[str, Literal["viewer", "submitter", "manager"]] = {}
    visibility: Literal["lab", "own"] = "lab"


class Resources(Part):
    """What a pipeline's job asks of the scheduler; what is absent is left to the scheduler."""

    queue: SchedulerWord | None = None
    walltime: Annotated[str, AfterValidator(_walltime)] | None = None
    cpus: Count | None = None
    memory_mb: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    account: SchedulerWord | None = None
    nodes: Count | None = None
    tasks: Count | None = None
    gpus: Count | None = None
    qos: SchedulerWord | None = None


class OutputsPart(Part):
    """Which files a run leaves: patterns below its directories (``hpc.files.globs``)."""

    reports: Annotated[list[Glob], Field(max_length=20)] = []
    outputs: Annotated[list[Glob], Field(max_length=20)] = []


class PipelinePart(Part):
    """One version of a pipeline."""

    name: Annotated[
        str,
        Field(max_length=64),
        _form(
            r"^[A-Za-z_][A-Za-z0-9_.-]*$",
            "a letter, then letters, digits, dot, dash and underscore",
        ),
    ]
    version: Annotated[
        str,
        Field(max_length=64),
        _form(r"^[A-Za-z0-9][A-Za-z0-9_.+!-]*$", "letters, digits and . _ + ! -"),
    ]
    title: Annotated[Text, Field(max_length=200)] | None = None
    description: str | None = None
    development: bool = False
    engine: Literal["shell", "jetstream", "snakemake"] = "shell"
    engine_options: dict[str, Any] = {}
    systems: Annotated[list[str], Field(min_length=1)]
    labs: Annotated[list[str], Field(min_length=1)]
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    schema_file: str | None = None
    script: str | None = None
    script_file: str | None = None
    example: dict[str, Any] | None = None
    example_file: str | None = None
    rules: list[dict[str, Any]] = []
    outputs: OutputsPart = OutputsPart()
    documentation: Annotated[str, Field(max_length=MAX_DOCUMENTATION)] | None = None
    documentation_file: str | None = None
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _one_way_each(self) -> Self:
        if self.version in ALIASES:
            raise ValueError(
                f"version {self.version!r} has a meaning of its own: call it otherwise"
            )
        scripts = [name for name in ("script", "script_file") if getattr(self, name) is not None]
        if self.engine == "shell" and len(scripts) != 1:
            raise ValueError("expected exactly one of script and script_file")
        if self.engine != "shell" and scripts:
            raise ValueError(f"the engine {self.engine} makes the job script: remove {scripts[0]}")
        if self.schema_ is not None and self.schema_file is not None:
            raise ValueError("expected one of schema and schema_file")
        if self.example is not None and self.example_file is not None:
            raise ValueError("expected one of example and example_file")
        if self.documentation is not None and self.documentation_file is not None:
            raise ValueError("expected one of documentation and documentation_file")
        if "*" in self.labs and len(self.labs) > 1:
            raise ValueError('labs: "*" means all labs, so it stands alone')
        for name in ("systems", "labs"):
            values = getattr(self, name)
            if len(set(values)) != len(values):
                raise ValueError(f"{name} names something twice")
        return self


class OAuthClientPart(Part):
    """A program that gets access tokens in a person's name."""

    client_id: Annotated[
        str,
        Field(max_length=255),
        _form(r"[A-Za-z0-9][A-Za-z0-9._~@-]*", "letters, digits and . _ ~ @ -"),
    ]
    client_secret: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    client_secret_file: str | None = None
    client_secret_env: str | None = None
    user: str
    scopes: Annotated[list[Literal["firecrest"]], Field(min_length=1, max_length=1)] = ["firecrest"]

    @model_validator(mode="after")
    def _one_secret(self) -> Self:
        ways = ("client_secret", "client_secret_file", "client_secret_env")
        if sum(getattr(self, name) is not None for name in ways) != 1:
            raise ValueError(
                "expected exactly one of client_secret, client_secret_file, client_secret_env"
            )
        return self


class SiteFile(Part):
    """A whole site file."""

    systems: list[SystemPart] = []
    users: list[UserPart] = []
    labs: list[LabPart] = []
    pipelines: list[PipelinePart] = []
    oauth_clients: list[OAuthClientPart] = []
