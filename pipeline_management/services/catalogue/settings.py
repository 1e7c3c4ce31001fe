"""What of a version may change after it has been used: who may run it, where, and how it is offered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from accounts.models import Lab
from pipeline_management.models import PipelineSystem, PipelineVersion, System
from pipeline_management.services import audit


@transaction.atomic
def change(
    version: PipelineVersion,
    person: User,
    *,
    labs: Collection[Lab],
    all_labs: bool,
    systems: Sequence[System],
    is_development: bool,
    is_pinned: bool,
    is_hidden: bool,
    address: str | None = None,
) -> list[str]:
    """Bring the version to these settings; returns the names of those that were other before.

    The first of ``systems`` is the default one. At most one version of a pipeline is pinned. Runs that are
    under way go on.
    """
    wanted = {
        "all_labs": all_labs,
        "is_development": is_development,
        "is_pinned": is_pinned,
        "is_hidden": is_hidden,
    }
    changed = [name for name, value in wanted.items() if getattr(version, name) != value]
    for name in changed:
        setattr(version, name, wanted[name])
    if changed:
        version.save(update_fields=changed)
    if "is_pinned" in changed and is_pinned:
        others = PipelineVersion.objects.filter(pipeline=version.pipeline_id, is_pinned=True)
        others.exclude(pk=version.pk).update(is_pinned=False)
    if set(version.labs.values_list("pk", flat=True)) != {lab.pk for lab in labs}:
        version.labs.set(labs)
        changed.append("labs")
    rows = PipelineSystem.objects.filter(version=version).order_by("position")
    if list(rows.values_list("system_id", flat=True)) != [system.pk for system in systems]:
        rows.delete()
        PipelineSystem.objects.bulk_create(
            PipelineSystem(version=version, system=system, position=number)
            for number, system in enumerate(systems)
        )
        changed.append("systems")
    if changed:
        data: dict[str, Any] = {
            **wanted,
            "labs": sorted(lab.slug for lab in labs),
            "systems": [system.name for system in systems],
            "changed": changed,
        }
        audit.record(person, "catalogue.settings", str(version), address=address, data=data)
    return changed
