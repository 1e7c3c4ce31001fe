"""System checks: what Django cannot know about an installation of Centro."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from centro.config.reader import secrets_path

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def driver_fault() -> str | None:
    """One line that says what to type if MariaDB's driver cannot be loaded, else None.

    Asked by the settings: Django loads the driver with the first model, before any check runs.
    """
    try:
        import_module("MySQLdb")
    except ImportError as error:
        return (
            f"MariaDB is configured but its driver is missing ({error}): type 'apt-get install "
            "build-essential pkg-config python3-dev libmariadb-dev' as root, then ./start.sh"
        )
    return None


@register(Tags.security, deploy=True)
def secrets_are_private(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    """W001: secrets.json must not be readable by others."""
    path = secrets_path(os.environ)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return []
    if mode & 0o077:
        hint = f"chmod 600 {path}"
        return [
            Warning(f"{path} is readable by others (mode {mode:o})", hint=hint, id="centro.W001")
        ]
    return []


@register(Tags.security, deploy=True)
def debug_stays_at_home(app_configs: Any, **_: Any) -> Sequence[CheckMessage]:
    """E001: debug pages show settings and source, so only loopback may see them."""
    from urllib.parse import urlsplit

    host = urlsplit(settings.CENTRO_PUBLIC_URL).hostname or ""
    if settings.DEBUG and host not in LOOPBACK:
        return [Error(f"CENTRO_DEBUG is on while people reach Centro as {host}", id="centro.E001")]
    return []
