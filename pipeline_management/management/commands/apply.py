"""`manage.py apply FILE`: bring systems, people, labs and pipelines to what a site file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pipeline_management.services.site.applying import SiteError, apply_site


class Command(BaseCommand):
    """All faults of the file are listed at once; nothing is written while there is one."""

    help = "Create and update systems, people, labs and pipelines as a site file says."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the site file (YAML; see docs/site-file.md)")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would change, write nothing"
        )
        parser.add_argument(
            "--prune", action="store_true", help="remove what the file does not name"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            changes = apply_site(
                options["file"], dry_run=options["dry_run"], remove=options["prune"]
            )
        except SiteError as error:
            number = len(error.faults)
            title = (
                f"{options['file']}: {number} fault{'s' if number > 1 else ''}, nothing was changed"
            )
            raise CommandError(f"{title}\n{error}") from error
        for entry in changes.entries:
            if entry.action != "unchanged":
                self.stdout.write(str(entry))
        if not changes.made:
            self.stdout.write("nothing to change")
        else:
            prefix = "would be: " if options["dry_run"] else ""
            self.stdout.write(f"{prefix}{changes.summary}")
