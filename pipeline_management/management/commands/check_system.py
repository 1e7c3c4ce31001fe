"""`manage.py check_system NAME`: each step of the way to a system, one line each."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pipeline_management.models import System, SystemAccount
from pipeline_management.services.site.connection_check import check_account


class Command(BaseCommand):
    """Exit code 1 when a step fails; the last line then says what to do."""

    help = "Try a system step by step: name, connection, log-in, work directory, scheduler."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the system's name")
        parser.add_argument("--user", help="whose account is tried; default the one for everybody")

    def handle(self, *args: Any, **options: Any) -> None:
        account = self._account(options["name"], options["user"])
        self.stdout.write(f"{account.system} as {account.username}")
        for step in check_account(account):
            self.stdout.write(f"{step.outcome:7} {step.name:13} {step.found}")
            if step.outcome == "warning":
                self.stdout.write(f"{'':21} {step.advice}")
            self.stdout.flush()
            if step.outcome == "failed":
                raise CommandError(f"{step.name} failed; {step.advice}")

    def _account(self, name: str, username: str | None) -> SystemAccount:
        if not System.objects.filter(name=name).exists():
            known = ", ".join(System.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"there is no system {name!r}; there are: {known}")
        accounts = SystemAccount.objects.filter(system__name=name).select_related(
            "system", "credential", "user"
        )
        shared = accounts.filter(user__isnull=True).first()
        if username is None:
            found = shared or (accounts.first() if accounts.count() == 1 else None)
        else:
            found = accounts.filter(user__username=username).first() or shared
        if found is None:
            people = ", ".join(a.user.username for a in accounts if a.user) or "nobody"
            raise CommandError(
                f"say whose account with --user; on {name} there are accounts of: {people}"
            )
        return found
