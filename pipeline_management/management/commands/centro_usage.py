"""``manage.py centro_usage``: add the usage by day up anew from the runs."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pipeline_management.services.usage import counting, pending, upkeep


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no day, expected YYYY-MM-DD") from error


class Command(BaseCommand):
    help = "Add the usage by day up anew from what is known of each run, and mend what differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--from", dest="first", help="first day (UTC, YYYY-MM-DD); default: the first of all"
        )
        parser.add_argument("--to", dest="last", help="last day; default: the last of all")
        parser.add_argument(
            "--missing",
            action="store_true",
            help="first have accounting asked about runs that ended before usage was kept",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["missing"]:
            made = pending.note_missing()
            self.stdout.write(f"{made} runs are to be asked about; the workers do so now")
        span = upkeep.span()
        if span is None:
            self.stdout.write("no run is counted yet")
            return
        first = _day(options["first"]) if options["first"] else span[0]
        last = _day(options["last"]) if options["last"] else span[1]
        wrong = counting.rebuild(upkeep.days_between(first, last))
        self.stdout.write(f"{first} to {last} (UTC): {wrong} sums mended")
