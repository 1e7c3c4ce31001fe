"""How long a run may take and what it may cost, by the past runs of its pipeline; and the project's last run.

Only times and core hours are used of past runs, of all labs, and never of fewer than ``FEWEST``.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Length

from pipeline_management.choices import RunState
from pipeline_management.models import PipelineVersion, Run
from pipeline_management.services.intake import PreparedRun

FEWEST = 3
"""Past runs without which there is no estimate."""
_NEWEST = 300
_USED = 100
_VERSIONS = 5
_LONGEST_READ = 200_000
_SIMILAR = 2.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """``runs`` past runs that succeeded; with ``by_rows`` only those with about as many rows (half to double) as this
    configuration's ``rows`` (entries of its longest list, None without a list). Seconds; None is unknown."""

    runs: int
    rows: int | None
    by_rows: bool = False
    median_seconds: float | None = None
    p90_seconds: float | None = None
    wait_seconds: float | None = None
    core_hours: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Past:
    seconds: float
    wait: float | None
    core_seconds: float | None
    rows: int | None


def rows_of(document: Any) -> int | None:
    """The entries of the longest list at the top of a configuration or one level below; None without any."""
    if not isinstance(document, dict):
        return None
    inner = [
        value for part in document.values() if isinstance(part, dict) for value in part.values()
    ]
    lengths = [len(value) for value in (*document.values(), *inner) if isinstance(value, list)]
    return max(lengths, default=None)


def estimate_for(version: PipelineVersion, document: dict[str, Any]) -> Estimate:
    """By the newest runs of the version, then of its pipeline's newest versions, that succeeded.

    Reads at most some hundred rows by index, whatever the history.
    """
    rows = rows_of(document)
    past = _past_runs(version)
    similar = [one for one in past if _is_similar(one.rows, rows)]
    by_rows = rows is not None and len(similar) >= FEWEST
    used = similar if by_rows else past
    if len(used) < FEWEST:
        return Estimate(len(used), rows)
    seconds = sorted(one.seconds for one in used)
    cores = [one.core_seconds for one in used if one.core_seconds is not None]
    waits = [one.wait for one in used if one.wait is not None]
    return Estimate(
        runs=len(used),
        rows=rows,
        by_rows=by_rows,
        median_seconds=round(statistics.median(seconds), 1),
        p90_seconds=round(_ninth_of_ten(seconds), 1),
        wait_seconds=round(statistics.median(waits), 1) if waits else None,
        core_hours=round(statistics.median(cores) / 3600, 2) if len(cores) >= FEWEST else None,
    )


def _is_similar(theirs: int | None, ours: int | None) -> bool:
    if not theirs or not ours:
        return theirs == ours
    return 1 / _SIMILAR <= theirs / ours <= _SIMILAR


def _ninth_of_ten(ordered: Sequence[float]) -> float:
    """The value that nine of ten do not pass (nearest rank)."""
    return ordered[-(-9 * len(ordered) // 10) - 1]


def _past_runs(version: PipelineVersion) -> list[_Past]:
    others = PipelineVersion.objects.filter(pipeline_id=version.pipeline_id).exclude(pk=version.pk)
    newest = others.order_by("-sort_key").values_list("pk", flat=True)[: _VERSIONS - 1]
    found: list[tuple[Any, ...]] = []
    for version_id in (version.pk, *newest):
        found += _succeeded(version_id)
        if len(found) >= _USED:
            break
    found = found[:_USED]
    rows = _rows_of_runs(row[0] for row in found)
    return [
        _Past(
            seconds=float(elapsed if elapsed is not None else _between(started, ended) or 0.0),
            wait=float(wait) if wait is not None else _between(submitted, started),
            core_seconds=cores,
            rows=rows.get(pk),
        )
        for pk, submitted, started, ended, elapsed, wait, cores in found
    ]


def _succeeded(version_id: int) -> list[tuple[Any, ...]]:
    newest = Run.objects.filter(version_id=version_id).order_by("-created_at")
    rows = newest.values_list(
        "pk", "submitted_at", "started_at", "ended_at", "usage__elapsed_seconds",
        "usage__wait_seconds", "usage__core_seconds", "state",
    )[:_NEWEST]  # fmt: skip
    return [
        row[:-1]
        for row in rows
        if row[-1] == RunState.SUCCEEDED and row[2] is not None and row[3] is not None
    ]


def _between(begin: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


def _rows_of_runs(run_ids: Iterable[Any]) -> dict[Any, int | None]:
    """Rows of each run's configuration; long ones are not read."""
    short = Run.objects.filter(pk__in=list(run_ids)).annotate(size=Length("configuration_json"))
    texts = short.filter(size__lte=_LONGEST_READ).values_list("pk", "configuration_json")
    return {pk: rows_of(json.loads(text)) for pk, text in texts.iterator(chunk_size=20)}


def last_of_project(user: User, prepared: PreparedRun) -> Run | None:
    """The newest run of the same pipeline, lab and name (the configuration's ``project``, ``name`` or ``title``)
    that the person may see; None where the configuration has no name."""
    if not prepared.name:
        return None
    runs = Run.objects.visible_to(user).filter(
        lab=prepared.lab,
        name=prepared.name,
        version__pipeline_id=prepared.version.pipeline_id,
    )
    found: Run | None = (
        runs.order_by("-created_at").select_related("version__pipeline").defer("script").first()
    )
    return found
