"""Reads the environment and secrets.json and merges them into one validated `Config`."""

from __future__ import annotations

import json
import os
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from centro.config.derived import Config
from centro.config.model import ROOT
from centro.config.sections import Database, Email, Oidc, Section, Staging

PREFIX = "CENTRO_"
SECRETS_VARIABLE = "CENTRO_SECRETS"
DATABASE_VARIABLE = "CENTRO_DATABASE_URL"
MAIL_VARIABLE = "CENTRO_MAIL_URL"
SENDER_VARIABLE = "CENTRO_MAIL_FROM"
# Read by the start scripts before Python runs, so not part of `Config`.
SCRIPT_VARIABLES = {
    SECRETS_VARIABLE: "path of the secrets file; default `secrets.json` beside the code",
    "CENTRO_VENV": "virtual environment that the start scripts make and use; default `.venv` beside the code",
}
# Belong to the test lab, not to an installation.
FOREIGN_PREFIXES = ("CENTRO_LAB_", "CENTRO_TEST_")
SECTIONS: dict[str, type[Section]] = {"email": Email, "oidc": Oidc, "staging": Staging}
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class ConfigError(ValueError):
    """The configuration cannot be used; one line per fault."""


def secrets_path(environ: Mapping[str, str]) -> Path:
    """Where secrets.json is expected."""
    return Path(environ.get(SECRETS_VARIABLE) or ROOT / "secrets.json").absolute()


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read and validate the configuration.

    Takes the environment (default: the process's own). Raises `ConfigError` with one line per fault,
    each naming the variable or key and what was expected.
    """
    environ = os.environ if environ is None else environ
    path = secrets_path(environ)
    values = _read_secrets(path)
    sources: dict[str, str] = {}
    faults = _merge_environment(environ, values, sources)
    if faults:
        raise ConfigError("\n".join(faults))
    try:
        config = Config.model_validate_json(json.dumps(values))
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(error, sources, path))) from error
    update = {
        name: Path.cwd() / getattr(config, name)
        for name in ("var", "site")
        if not getattr(config, name).is_absolute()
    }
    return config.model_copy(update=update)


def _read_secrets(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); see {SECRETS_VARIABLE}") from error
    try:
        values = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{path}: is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected a JSON object {{…}}")
    return values


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"key '{key}' is given twice")
        values[key] = value
    return values


def environment_names() -> Iterator[tuple[str, tuple[str, ...], FieldInfo]]:
    """Every variable of the environment with the path of keys that it sets."""
    for name, field in Config.model_fields.items():
        if name == "database":
            continue
        if name in SECTIONS:
            for sub, subfield in SECTIONS[name].model_fields.items():
                yield f"{PREFIX}{name}_{sub}".upper(), (name, sub), subfield
        else:
            yield f"{PREFIX}{name}".upper(), (name,), field


def _merge_environment(
    environ: Mapping[str, str], values: dict[str, Any], sources: dict[str, str]
) -> list[str]:
    known = {variable: (keys, field) for variable, keys, field in environment_names()}
    known[SENDER_VARIABLE] = (("email", "sender"), Email.model_fields["sender"])
    faults = []
    for variable in sorted(environ):
        text = environ[variable].strip()
        if not variable.startswith(PREFIX) or variable.startswith(FOREIGN_PREFIXES):
            continue
        if variable in SCRIPT_VARIABLES or (variable != DATABASE_VARIABLE and not text):
            continue
        try:
            if variable == DATABASE_VARIABLE:
                if text:
                    values["database"], sources["database"] = _database_from_url(text), variable
                continue
            if variable == MAIL_VARIABLE:
                _merge_mail_url(text, environ, values, sources)
                continue
            if variable not in known:
                faults.append(f"{variable}: is not a setting of Centro{_nearest(variable, known)}")
                continue
            keys, field = known[variable]
            target = values
            for key in keys[:-1]:
                target = target.setdefault(key, {})
            target[keys[-1]] = _from_text(text, field.annotation)
            sources[".".join(keys)] = variable
        except ValueError as error:
            faults.append(f"{variable}: {error}")
    return faults


def _nearest(wrong: str, known: Mapping[str, object]) -> str:
    import difflib

    close = difflib.get_close_matches(
        wrong, [*known, *SCRIPT_VARIABLES, DATABASE_VARIABLE, MAIL_VARIABLE], n=1, cutoff=0.8
    )
    return f"; did you mean {close[0]}?" if close else "; docs/configuration.md lists all"


def _from_text(text: str, annotation: Any) -> Any:
    """Turn an environment variable's text into the JSON value that the declaration expects."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _from_text(text, arguments[0])
    if origin in (typing.Union, types.UnionType):
        return _from_text(text, next(a for a in arguments if a is not type(None)))
    if origin is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if origin is Literal:
        return text
    if annotation is bool:
        if text.lower() not in (*TRUE, *FALSE):
            raise ValueError(f"expected one of {', '.join((*TRUE, *FALSE))}, not {text!r}")
        return text.lower() in TRUE
    if annotation is int:
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"expected a whole number, not {text!r}") from None
    return text


def _database_from_url(text: str) -> dict[str, Any]:
    shape = "expected mysql://user:password@host:port/name or sqlite:////absolute/path"
    parts = urlsplit(text)
    if parts.query or parts.fragment:
        raise ValueError(f"{shape}; no options after the path")
    if parts.scheme == "sqlite":
        if parts.netloc or not parts.path.startswith("//"):
            raise ValueError(shape)
        return {"engine": "sqlite", "path": unquote(parts.path.removeprefix("/"))}
    if parts.scheme not in ("mysql", "mariadb"):
        raise ValueError(shape)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("the port must be a number from 1 to 65535") from None
    fields = {
        "name": unquote(parts.path.strip("/")),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "host": unquote(parts.hostname or ""),
        "port": port,
    }
    return {"engine": "mysql"} | {key: value for key, value in fields.items() if value}


def _merge_mail_url(
    text: str, environ: Mapping[str, str], values: dict[str, Any], sources: dict[str, str]
) -> None:
    """Set the mail server's part of ``email``; sender and admins have variables of their own."""
    for other in ("CENTRO_EMAIL_HOST", "CENTRO_EMAIL_USER", "CENTRO_EMAIL_PASSWORD"):
        if environ.get(other, "").strip():
            raise ValueError(f"says the same as {other}; give one of them")
    section = values.setdefault("email", {})
    for key, value in _mail_from_url(text).items():
        section[key] = value
        sources[f"email.{key}"] = MAIL_VARIABLE


def _mail_from_url(text: str) -> dict[str, Any]:
    shape = "expected smtp://user:password@host:port, smtps://… or smtp+starttls://…"
    parts = urlsplit(text)
    kinds = {"smtp": ("none", 25), "smtps": ("tls", 465), "smtp+starttls": ("starttls", 587)}
    if parts.scheme not in kinds or not parts.hostname or parts.path.strip("/") or parts.fragment:
        raise ValueError(shape)
    if parts.query not in ("", "starttls", "starttls=true", "starttls=1"):
        raise ValueError(f"{shape}; the only option is ?starttls=true")
    security, port = kinds["smtp+starttls" if parts.query else parts.scheme]
    if parts.query and parts.scheme == "smtps":
        raise ValueError("smtps:// begins with TLS; ?starttls=true belongs to smtp://")
    try:
        port = parts.port or port
    except ValueError:
        raise ValueError("the port must be a number from 1 to 65535") from None
    if bool(parts.username) != bool(parts.password):
        raise ValueError(f"{shape}; user and password belong together")
    login = {
        "user": unquote(parts.username or "") or None,
        "password": unquote(parts.password or "") or None,
    }
    return {"host": parts.hostname, "port": port, "security": security} | login


def _explain(error: ValidationError, sources: Mapping[str, str], path: Path) -> Iterator[str]:
    """One line per fault, naming the source and never repeating a secret value."""
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        keys = [str(part) for part in fault["loc"]]
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = f"is not a setting of Centro; known here: {', '.join(_siblings(keys))}"
        elif fault["type"] == "missing":
            message = "is missing; `python -m centro.config init` generates it"
        elif fault["type"] == "string_pattern_mismatch":
            message = "expected a mail address, name@host"
        yield f"{_source(keys, sources, path)}: {message[:1].lower() + message[1:]}"


def _source(keys: list[str], variables: Mapping[str, str], path: Path) -> str:
    """The variable that set the value at this place (with what is below it), or file and key."""
    for end in range(len(keys), 0, -1):
        variable = variables.get(".".join(keys[:end]))
        if variable:
            rest = ".".join(keys[end:])
            return f"{variable} ({rest})" if rest else variable
    return f"{path}: {'.'.join(keys)}" if keys else str(path)


def _siblings(keys: list[str]) -> list[str]:
    sections: dict[str, type[Section]] = {**SECTIONS, "database": Database}
    model = sections.get(keys[0], Config) if len(keys) > 1 else Config
    return sorted(model.model_fields)
