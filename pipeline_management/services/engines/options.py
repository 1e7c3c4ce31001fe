"""Pieces of the options' schemas that engines share, and checks of what goes into shell text on a system."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from hpc.quoting import shell_words
from pipeline_management.errors import Problem
from pipeline_management.services.schema_sentences import pointer, row, shown, subject

Path = list[str | int]

ABSOLUTE: dict[str, Any] = {
    "type": "string",
    "pattern": r"^/[^\x00-\x1f]*$",
    "maxLength": 500,
    "description": "an absolute path on the system",
}
COMMAND: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_./+-]+$",
    "maxLength": 500,
    "description": "the name of a command, or its path on the system",
}
SHELL_TEXT: dict[str, Any] = {
    "type": "string",
    "maxLength": 10_000,
    "description": "lines of POSIX shell",
}
SCHEDULER_WORD: dict[str, Any] = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_][A-Za-z0-9_.@+=:-]*$",
    "maxLength": 100,
    "description": "a name as the scheduler knows it",
}

ACCOUNT_KEY = "hpcAccount"
_ACCOUNT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+=:-]{0,99}")
_HARMLESS = re.compile(r"[\w .,:/@+=%^-]*")
ALLOWED = "letters, digits, blanks and . , : / @ + = % ^ _ -"


def exports(values: Mapping[str, str]) -> str:
    """Lines of shell that set and export these variables, whatever their values contain."""
    return "".join(f"export {shell_words([f'{name}={value}'])}\n" for name, value in values.items())


def account_problems(document: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with the account that a configuration names; absent and "" mean the pipeline's own."""
    value = document.get(ACCOUNT_KEY)
    if value in (None, "") or (isinstance(value, str) and _ACCOUNT.fullmatch(value)):
        return []
    message = f"{ACCOUNT_KEY} is {shown(value)}; expected a scheduler account: letters, digits and _ . @ + = : -"
    return [Problem("account", f"{message}.", f"/{ACCOUNT_KEY}")]


def with_account(
    resources: Mapping[str, Any], document: Mapping[str, Any], scheduler: str
) -> dict[str, Any]:
    """The resources with the account that the configuration names, where the scheduler knows accounts."""
    wanted = dict(resources)
    account = document.get(ACCOUNT_KEY)
    if account and scheduler != "local":
        wanted["account"] = account
    return wanted


def harmful_text(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Values and keys that would mean something in a shell, in YAML or in a template.

    For engines whose templates paste values into commands without quoting them.
    """
    yield from _harmful(dict(document), [])


def _harmful(value: Any, path: Path) -> Iterator[Problem]:
    if isinstance(value, str):
        if not _HARMLESS.fullmatch(value):
            yield _refused(f"{subject(path)} is {shown(value)}", value, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not _HARMLESS.fullmatch(key):
                yield _refused(f"The key {shown(key)}", key, [*path, key])
            yield from _harmful(item, [*path, key])
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _harmful(item, [*path, number])


def _refused(what: str, text: str, path: Path) -> Problem:
    wrong = next(letter for letter in text if not _HARMLESS.fullmatch(letter))
    name = shown(wrong) if wrong.isprintable() else f"the control character U+{ord(wrong):04X}"
    message = (
        f"{what}, which contains {name}. The pipeline puts values into commands, so only these are "
        f"allowed: {ALLOWED}."
    )
    return Problem("characters", message, pointer(path), row(path))
