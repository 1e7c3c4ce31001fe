"""``manage.py centro_audit``: does the record of every run agree with itself?"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from pipeline_management.models import Run
from pipeline_management.services.history import first_fault


class Command(BaseCommand):
    help = "Replay the events of every run and compare the outcome with its row; exit 1 on a contradiction."

    def handle(self, *args: Any, **options: Any) -> None:
        checked = faults = 0
        for run in Run.objects.defer("configuration_json", "script").iterator(chunk_size=500):
            checked += 1
            fault = first_fault(run)
            if fault:
                faults += 1
                self.stdout.write(f"{run.pk}: {fault}")
        self.stdout.write(f"{checked} runs checked, {faults} contradictions")
        if faults:
            raise CommandError("the record contradicts itself")
