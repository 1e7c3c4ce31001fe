"""What a run has to show for itself: the reports and outputs that its version declares, and what its job named.

A version declares patterns of ``hpc.files.globs`` below the run's directories, in a mapping with the lists
"reports" and "outputs".
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpc.files.browsing import Match
from hpc.files.globs import check_glob, matches
from pipeline_management.errors import DomainError, Missing, Problem
from pipeline_management.models import PipelineVersion, Run
from pipeline_management.services.file_places import matching, place_of_run, roots_of

PARTS = ("reports", "outputs")
MOST_PATTERNS = 20
MOST_SHOWN = 200
"""Files of each part that a page shows."""
_MOST_ARTIFACTS = 200


@dataclass(frozen=True, slots=True)
class Found:
    """One file of a run: its path below the directory number ``place`` (``file_places.roots_of``).

    ``size`` and ``modified`` (epoch seconds) are None where nobody has looked; ``label`` is the job's own word.
    """

    path: str
    place: int
    size: int | None = None
    modified: float | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is shown; ``fault`` says why the declared files could not be looked for, ``more`` that there are others."""

    reports: list[Found]
    outputs: list[Found]
    artifacts: list[Found]
    fault: str = ""
    more: bool = False


def check_outputs(declared: Any) -> list[Problem]:
    """Everything wrong with a version's declaration, each with its place in it; [] if it can be used."""
    if not isinstance(declared, Mapping):
        return [Problem("type", "expected a mapping with reports and outputs")]
    problems = []
    for key, patterns in declared.items():
        if key not in PARTS:
            problems.append(Problem("unknown", "expected reports or outputs", f"/{key}"))
        elif not isinstance(patterns, list) or len(patterns) > MOST_PATTERNS:
            problems.append(
                Problem("type", f"expected a list of at most {MOST_PATTERNS} patterns", f"/{key}")
            )
        else:
            problems += _check_patterns(key, patterns)
    return problems


def _check_patterns(key: str, patterns: Sequence[Any]) -> list[Problem]:
    problems = []
    for number, pattern in enumerate(patterns):
        try:
            if not isinstance(pattern, str):
                raise ValueError(f"expected a pattern such as results/*.html, found {pattern!r}")
            check_glob(pattern)
        except ValueError as error:
            problems.append(Problem("pattern", str(error), f"/{key}/{number}"))
    return problems


def patterns_of(version: PipelineVersion | None) -> dict[str, list[str]]:
    """The declared patterns by part; empty lists where there are none."""
    declared = version.outputs if version is not None else {}
    return {part: list(declared.get(part, ())) for part in PARTS}


def artifacts_of(run: Run) -> list[Found]:
    """What the job reported with ``centro-event artifact``, each path once, its last label; the newest first.

    Those outside of the run's directories are left out: the path is the job's word. One query.
    """
    events = run.events.filter(type="artifact").order_by("-seq").values_list("data", flat=True)
    roots = roots_of(run)
    found: dict[tuple[int, str], Found] = {}
    for data in events[:_MOST_ARTIFACTS]:
        path, label = str(data.get("path", "")), str(data.get("label", ""))
        whole = posixpath.normpath(posixpath.join(run.works_in, path))
        for number, root in enumerate(roots):
            if whole.startswith(f"{root}/"):
                relative = whole[len(root) + 1 :]
                found.setdefault((number, relative), Found(relative, number, label=label))
                break
    return list(found.values())


def outputs_of(run: Run) -> Outputs:
    """All three parts; one question to the system for each of the run's directories, none without patterns."""
    patterns = patterns_of(run.version)
    artifacts = artifacts_of(run)
    wanted = patterns["reports"] + patterns["outputs"]
    reports: list[Found] = []
    outputs: list[Found] = []
    fault = ""
    if wanted:
        try:
            for number, seen in _seen(run, wanted):
                found = Found(seen.path, number, seen.size, seen.modified)
                if any(matches(seen.path, pattern) for pattern in patterns["reports"]):
                    reports.append(found)
                elif any(matches(seen.path, pattern) for pattern in patterns["outputs"]):
                    outputs.append(found)
        except DomainError as error:
            fault = error.message
    more = len(reports) > MOST_SHOWN or len(outputs) > MOST_SHOWN
    return Outputs(reports[:MOST_SHOWN], outputs[:MOST_SHOWN], artifacts, fault, more)


def _seen(run: Run, wanted: list[str]) -> list[tuple[int, Match]]:
    """Files that may fit, with the number of their directory; a directory that is not there has none."""
    place = place_of_run(run)
    found: list[tuple[int, Match]] = []
    for number, root in enumerate(place.roots):
        try:
            found += [(number, match) for match in matching(place, root, wanted)]
        except Missing:
            continue
    return found
