"""What the form of a pipeline version offers besides its schema: labs and systems of the person."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from pipeline_management.models import PipelineVersion
from pipeline_management.policy import submit_labs
from pipeline_management.services import system_access

MOST = 500
"""Entries of one list; who has more names the one he means in the JSON."""


def form_choices(user: User, version: PipelineVersion) -> dict[str, Any]:
    """``labs`` and ``systems`` as lists of ``{"value", "label"}``, in the order in which they are offered.

    Labs are those in whose name the person may submit this version, systems those on which it runs and the
    person has an account; the first one is what Centro takes where the configuration names none.
    """
    return {"labs": _labs(user, version), "systems": _systems(user, version)}


def _labs(user: User, version: PipelineVersion) -> list[dict[str, str]]:
    labs = submit_labs(user)
    if not version.all_labs:
        labs = labs.filter(pk__in=version.labs.values("pk"))
    rows = labs.order_by("name").values_list("slug", "name")[:MOST]
    return [
        {"value": slug, "label": name if name == slug else f"{name} ({slug})"}
        for slug, name in rows
    ]


def _systems(user: User, version: PipelineVersion) -> list[dict[str, str]]:
    names = (
        system_access.candidates(user)
        .filter(system__pipeline_systems__version=version)
        .order_by("system__pipeline_systems__position", "system__name")
        .values_list("system__name", flat=True)
    )
    return [{"value": name, "label": name} for name in list(dict.fromkeys(names))[:MOST]]
