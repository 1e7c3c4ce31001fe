"""Secrets of a site file: given as they are, by a file, or by an environment variable."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from hpc.errors import AuthenticationFailed
from hpc.transports.credentials import KeyCredential
from pipeline_management.services.site.reading import Location, Source
from pipeline_management.services.site.schema import CredentialPart


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential ready to be stored: ``kind`` is "key" or "ca", ``fingerprint`` that of its public key."""

    kind: str
    text: str = field(repr=False)
    passphrase: str = field(repr=False)
    fingerprint: str


def read_secret(source: Source, location: Location, part: Any, name: str) -> str | None:
    """The secret ``name`` of a part, by whichever of its three keys gives it; faults are noted."""
    plain: str | None = getattr(part, name)
    file_name: str | None = getattr(part, f"{name}_file")
    variable: str | None = getattr(part, f"{name}_env")
    if plain is not None:
        return plain
    if variable is not None:
        value = os.environ.get(variable)
        if not value:
            source.complain(
                (*location, f"{name}_env"), f"the environment variable {variable} is not set"
            )
        return value or None
    if file_name is None:
        return None
    value = source.text_of((*location, f"{name}_file"), file_name)
    if value is not None and name != "private_key":
        value = value.rstrip("\r\n")
    if value == "":
        source.complain((*location, f"{name}_file"), f"{file_name} is empty")
    return value or None


def read_credential(source: Source, location: Location, part: CredentialPart) -> Secret | None:
    """The credential of a part with its key parsed; None for kind service and where there are faults."""
    if part.kind == "service":
        return None
    text = read_secret(source, location, part, "private_key")
    passphrase = read_secret(source, location, part, "passphrase")
    if text is None:
        return None
    try:
        key = KeyCredential("any", text, passphrase).login_key()
    except AuthenticationFailed as error:
        given = next(
            n for n in ("private_key_file", "private_key_env", "private_key") if getattr(part, n)
        )
        source.complain((*location, given), str(error))
        return None
    return Secret(part.kind, text, passphrase or "", key.fingerprint)
