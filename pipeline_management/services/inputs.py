"""Which strings of a configuration name input files and samples. Pure functions, bounded for hostile documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MAX_PATHS = 20_000
"""Paths that are kept of one configuration."""
MAX_PATH = 1000
"""Characters of a path: a longer string is a text that begins with a slash."""
MAX_NODES = 500_000
_FILE_KEY = re.compile(r"(?i)(path|paths|file|files|filename|fastqs?|bams?|crams?|vcfs?|beds?)$")
_SAMPLE_KEY = re.compile(
    r"(?i)(sample|specimen|patient|subject|library)(_?(name|id|key|merge_?key))?s?$"
)
_FILE_FORMATS = frozenset({"path", "file-path", "file", "directory-path", "uri-path"})
_FILE_NAME = re.compile(r"[^\s/][^/\n]*\.[A-Za-z0-9]{1,8}")

Place = tuple[str, Any, Any]


def input_paths(document: Any, schema: Any = None) -> list[str]:
    """The paths that a configuration names, in its order and each once; at most ``MAX_PATHS``.

    A path is a string that is absolute ("/scratch/a.fastq.gz"), or whose schema has the format "path",
    "file-path" or "file", or whose key ends in path, file, fastq and the like and that looks like a file:
    it has a slash or an ending. Web addresses are not paths.
    """
    found: dict[str, None] = {}
    for key, value, node in _strings(document, schema):
        if len(found) == MAX_PATHS:
            break
        if _is_path(key, value, node):
            found.setdefault(value)
    return list(found)


def sample_names(document: Any) -> list[str]:
    """The values of keys such as ``sample``, ``sampleName`` or ``patientId``, each once."""
    found: dict[str, None] = {}
    for key, value, _node in _strings(document, None):
        if len(found) == MAX_PATHS:
            break
        if _SAMPLE_KEY.search(key) and 0 < len(value) <= MAX_PATH:
            found.setdefault(value)
    return list(found)


def base_name(path: str) -> str:
    """The last part of a path, without slashes at its end."""
    return path.rstrip("/").rpartition("/")[2]


def _is_path(key: str, value: str, node: Any) -> bool:
    if not 0 < len(value) <= MAX_PATH or not value.isprintable() or "://" in value:
        return False
    if value.startswith("/"):
        return bool(base_name(value))
    if isinstance(node, dict) and node.get("format") in _FILE_FORMATS:
        return bool(base_name(value))
    return bool(_FILE_KEY.search(key)) and ("/" in value or bool(_FILE_NAME.fullmatch(value)))


def _strings(document: Any, schema: Any) -> Iterator[tuple[str, str, Any]]:
    """Every string in the document's order with its key (an entry of a list has the list's) and its schema."""
    root = schema if isinstance(schema, dict) else {}
    waiting: list[Place] = [("", document, root)]
    for _step in range(MAX_NODES):
        if not waiting:
            return
        key, value, node = waiting.pop()
        node = _resolved(node, root)
        if isinstance(value, str):
            yield key, value, node
        elif isinstance(value, dict):
            known = node.get("properties")
            children = known if isinstance(known, dict) else {}
            waiting += [(str(k), v, children.get(k)) for k, v in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(key, entry, node.get("items")) for entry in reversed(value)]


def _resolved(node: Any, root: dict[str, Any]) -> dict[str, Any]:
    """The schema with a reference into its own document followed; {} for what is no schema."""
    for _step in range(8):
        if not isinstance(node, dict):
            return {}
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return node
        node = root
        for part in reference[2:].split("/"):
            word = part.replace("~1", "/").replace("~0", "~")
            node = node.get(word) if isinstance(node, dict) else None
    return {}
