"""A configuration against everything that its pipeline version says of it: the schema and the rules."""

from __future__ import annotations

from typing import Any

from pipeline_management.errors import Problem
from pipeline_management.models import PipelineVersion
from pipeline_management.services.rules.checking import Findings, check_rows
from pipeline_management.services.validation import validate, warnings_of, with_places

_ABOUT_EMPTY = ("minItems", "minLength", "minProperties")


def judge(document: dict[str, Any], version: PipelineVersion, text: str | None) -> Findings:
    """All errors, with their places in ``text`` where that is given, and all warnings, without places.

    Of an empty value the rule's own words are told, if there are any, instead of the schema's.
    """
    rows = check_rows(version.rules, document)
    by_schema = validate(
        document, version.schema, text=text, cache_key=version.content_sha256 or None
    )
    told = {problem.pointer for problem in rows.errors if problem.code == "rule_not_empty"}
    kept = [one for one in by_schema if not (one.pointer in told and one.code in _ABOUT_EMPTY)]
    errors: list[Problem] = [*kept, *with_places(rows.errors, text)]
    worded = {one.pointer for one in rows.warnings if one.code == "rule_not_empty"}
    slips = [
        one
        for one in warnings_of(document, version.schema)
        if not (one.code == "deprecated" and one.pointer in worded)
    ]
    return Findings(errors, [*rows.warnings, *slips])
