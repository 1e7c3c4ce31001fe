"""Patterns of file paths: ``results/*.html``, ``**/multiqc_report.html``.

``*`` and ``?`` stay within one directory, ``[…]`` is one character of a set, ``**`` as a whole part of the path
stands for any number of directories, none included. A pattern is relative and never leads upwards.
"""

from __future__ import annotations

import fnmatch

DEEPEST = 12
"""Directories that are looked into below each other, whatever a pattern says."""
LONGEST = 200


def check_glob(pattern: str) -> str:
    """The pattern. Raises ``ValueError`` that says what was expected."""
    parts = pattern.split("/")
    if not pattern or len(pattern) > LONGEST or not pattern.isprintable():
        raise ValueError(f"expected a pattern of 1 to {LONGEST} printable characters")
    if pattern.startswith("/") or "" in parts or "." in parts or ".." in parts:
        raise ValueError(f"expected a path below the run's directory, found {pattern!r}")
    if any("**" in part and part != "**" for part in parts) or parts[-1] == "**":
        raise ValueError(
            f"expected ** as a whole directory before a file's name, found {pattern!r}"
        )
    if len(parts) > DEEPEST:
        raise ValueError(f"expected at most {DEEPEST} directories, found {pattern!r}")
    return pattern


def glob_depth(pattern: str) -> int:
    """How deep a file that fits can lie; a file in the directory itself lies at depth 1."""
    return DEEPEST if "**" in pattern.split("/") else pattern.count("/") + 1


def find_pattern(pattern: str) -> str:
    """For ``-path`` of find(1), whose stars cross directories: fits whatever ``matches`` does, and some more."""
    return "./" + pattern.replace("**/", "*")


def matches(path: str, pattern: str) -> bool:
    """Whether a path, relative and without ".", fits the pattern."""
    return _fits(tuple(path.split("/")), tuple(pattern.split("/")))


def _fits(names: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    """Each part against a name; ** against any number of them. The set are ends of ``parts`` still to be met."""
    open_ends = {0}
    for name in names:
        reached = set()
        for at in _past_stars(open_ends, parts):
            if at < len(parts) and parts[at] == "**":
                reached.add(at)
            elif at < len(parts) and fnmatch.fnmatchcase(name, parts[at]):
                reached.add(at + 1)
        open_ends = reached
    return len(parts) in open_ends


def _past_stars(ends: set[int], parts: tuple[str, ...]) -> set[int]:
    """The places, and those behind a ** that stands there for no directory at all."""
    found = set()
    for at in ends:
        found.add(at)
        while at < len(parts) and parts[at] == "**":
            at += 1
            found.add(at)
    return found
