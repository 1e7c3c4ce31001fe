"""`manage.py prepare`: bring database, static files, administrator and site file up to date."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError

from centro.config import Config, load
from centro.config.state import private_write
from pipeline_management.models import System

ADMIN = "admin"


class Command(BaseCommand):
    """One process for all steps, so that a start stays short. Every step may be repeated."""

    help = (
        "Apply migrations, collect static files if they changed, create the first administrator, "
        "and apply the site file (CENTRO_SITE). Safe to repeat; start.sh runs it at every start."
    )

    # They look at code, which the tests have checked, and would take a third of the time of a start.
    requires_system_checks: list[str] = []  # noqa: RUF012 (Django's declaration)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the steps; the first that fails ends the command with one line (CommandError)."""
        config = load()
        self._step("database", lambda: call_command("migrate", interactive=False, verbosity=0))
        self._step("static files", lambda: self._static(config))
        self._step("administrator", lambda: self._administrator(config))
        self._step("site file", lambda: self._site(config))

    def _step(self, name: str, action: Callable[[], object]) -> None:
        try:
            action()
        except (CommandError, DatabaseError, OSError) as error:
            text = " ".join(str(error).split())
            if isinstance(error, DatabaseError):
                text += "; does the database server run, and are the database settings right?"
            raise CommandError(f"{name}: {text}") from error

    def _static(self, config: Config) -> None:
        stamp = config.var / "static.stamp"
        current = _static_digest()
        if stamp.is_file() and stamp.read_text(encoding="ascii") == current:
            return
        self.stdout.write("collecting static files")
        call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        stamp.write_text(current, encoding="ascii")

    def _site(self, config: Config) -> None:
        try:
            call_command("apply", str(config.site))
        except CommandError as error:
            # An update of Centro may change the example in a way that a site with runs cannot take.
            if config.site != Config.model_fields["site"].default or not System.objects.exists():
                raise
            text = " ".join(str(error).split())
            self.stdout.write(f"the example site was left as it is ({text})")

    def _administrator(self, config: Config) -> None:
        kept = config.var / "admin-password"
        if User.objects.filter(is_superuser=True).exists():
            return
        password = config.admin_password or secrets.token_urlsafe(15)
        User.objects.create_superuser(ADMIN, "", password)
        self.stdout.write(f"created the administrator {ADMIN!r}")
        if config.admin_password is None:
            private_write(kept, password + "\n")
        else:
            kept.unlink(missing_ok=True)
        # start.sh shows it once in its closing lines and removes the file.
        private_write(config.run_dir / "first-login", password + "\n")


def _static_digest() -> str:
    """Digest of what collectstatic would collect: our own files by content, wheels by their pins."""
    digest = hashlib.sha256()
    for line in sorted(_static_sources()):
        digest.update(line.encode())
    return digest.hexdigest()


def _static_sources() -> Iterator[str]:
    site_packages = Path(sys.prefix).resolve()
    yield (settings.BASE_DIR / "requirements" / "base.txt").read_text(encoding="utf-8")
    for finder in get_finders():
        for name, storage in finder.list([]):
            path = Path(os.path.realpath(storage.path(name)))
            if site_packages not in path.parents:
                yield f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
