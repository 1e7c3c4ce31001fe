"""``manage.py index_inputs``: write down by which words and input files older runs are found."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from pipeline_management.models import Run, RunWord
from pipeline_management.services import words


class Command(BaseCommand):
    help = (
        "Index the names, samples, input files and reasons of runs that no search finds yet, such as those "
        "from before there was an index. With --all every run is indexed anew. May be stopped and begun again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="also those that are indexed")

    def handle(self, *args: Any, **options: Any) -> None:
        done = 0
        for pk in Run.objects.order_by().values_list("pk", flat=True).iterator(chunk_size=2000):
            if not options["all"] and RunWord.objects.filter(run_id=pk).exists():
                continue
            with transaction.atomic():
                words.index_again(Run.objects.select_related("version").get(pk=pk))
            done += 1
        self.stdout.write(f"{done} runs indexed")
