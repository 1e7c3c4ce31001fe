"""Pipeline versions: their order, as text that every database sorts alike, and the name of their content."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from packaging.version import InvalidVersion, Version

from pipeline_management.services.documents import canonical_json

_DIGITS = 15
_PARTS = 8
_PHASES = {"a": "a", "b": "b", "rc": "c"}


def sort_key(version: str) -> str:
    """A key of lower-case letters and digits, at most 200, whose order is that of the versions.

    Versions in the sense of PEP 440 (1.2, v1.2.0, 2.0rc1, 1.0.dev3) sort by its rules; all others sort
    before them, their numbers by value ("build-9" before "build-10").
    """
    try:
        parsed = Version(version)
    except InvalidVersion:
        return _natural(version)
    numbers = [*parsed.release, *[0] * (_PARTS - len(parsed.release))]
    if len(numbers) > _PARTS or any(len(str(n)) > _DIGITS for n in (parsed.epoch, *numbers)):
        return _natural(version)
    release = "".join(str(number).zfill(_DIGITS) for number in numbers)
    return f"1{parsed.epoch:04d}{release}{_suffix(parsed)}"[:200]


def _suffix(parsed: Version) -> str:
    """dev alone < a < b < rc < none < post; a dev release before the release that it leads to."""
    if parsed.pre is not None:
        pre = _PHASES[parsed.pre[0]] + str(parsed.pre[1]).zfill(_DIGITS)
    else:
        pre = "0" if parsed.dev is not None and parsed.post is None else "z"
    post = "0" if parsed.post is None else "1" + str(parsed.post).zfill(_DIGITS)
    dev = "z" if parsed.dev is None else "a" + str(parsed.dev).zfill(_DIGITS)
    return pre + post + dev


def _natural(version: str) -> str:
    pieces = re.findall(r"\d+|[a-z]+", version.lower())
    return ("0" + "".join(p.zfill(_DIGITS) if p.isdigit() else p for p in pieces))[:200]


def content_sha256(
    *,
    schema: dict[str, Any],
    script: str,
    resources: dict[str, Any],
    engine: str,
    engine_options: dict[str, Any],
    rules: list[dict[str, Any]] | None = None,
) -> str:
    """Hex SHA-256 of what must not change once a version has runs."""
    content: dict[str, Any] = {
        "schema": schema,
        "script": script,
        "resources": resources,
        "engine": engine,
    }
    # a version without any keeps the name that it had before there were options and rules
    if engine_options:
        content["engine_options"] = engine_options
    if rules:
        content["rules"] = rules
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()
