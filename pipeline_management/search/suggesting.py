"""What may follow while somebody types a search: keys, and the values that are known and that he may know of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User

from accounts.models import Lab
from accounts.policy import scope_of
from pipeline_management.choices import Reason
from pipeline_management.filters import lab_choices, system_choices
from pipeline_management.models import Pipeline
from pipeline_management.querysets import visible_versions
from pipeline_management.search.keys import ALIASES, KEYS
from pipeline_management.search.language import quoted
from pipeline_management.services.causes import label_of
from pipeline_management.services.marks import label_cloud

MOST = 12
_LAST = re.compile(r'(-?)(?:([A-Za-z_]+):)?("?)([^\s":]*)$')
CAUSES = (
    "OUT_OF_MEMORY", "TIMEOUT", "QUOTA", "NO_SPACE", "NODE_FAIL", "EXIT_1", "FILE_NOT_FOUND", "NO_PERMISSION",
    "COMMAND_NOT_FOUND", "SEGFAULT", "NETWORK", *(reason for reason in Reason.values if reason),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``text`` is the whole search with the suggestion in it, ``shown`` the part that is new, ``help`` what it is."""

    text: str
    shown: str
    help: Any = ""


def suggest(user: User, text: str) -> list[Suggestion]:
    """What may stand at the end of ``text`` instead of its last, unfinished word; at most ``MOST``."""
    found = _LAST.search(text[-200:])
    if found is None:
        return []
    minus, key, _quote, begun = found.groups()
    before = text[: len(text) - len(found.group())]
    if key is None:
        names = [name for name in KEYS if name.startswith(begun.lower())]
        return [
            Suggestion(f"{before}{minus}{name}:", f"{minus}{name}:", KEYS[name].help)
            for name in names
        ]
    name = ALIASES.get(key.lower(), key.lower())
    if name not in KEYS:
        return []
    made = []
    for value, shown in _values(user, name, begun):
        term = f"{minus}{key}:{quoted(value)}"
        made.append(Suggestion(f"{before}{term} ", term, shown))
    return made[:MOST]


def _values(user: User, key: str, begun: str) -> list[tuple[str, str]]:
    if KEYS[key].values:
        return [(v, "") for v in KEYS[key].values if v.startswith(begun.lower())]
    if key == "cause":
        likely = [cause for cause in dict.fromkeys(CAUSES) if cause.startswith(begun.upper())]
        return [(cause, label_of(cause)) for cause in likely]
    if key in ("after", "before"):
        return [(v, "") for v in ("today", "yesterday", "7d", "30d") if v.startswith(begun.lower())]
    source = _KNOWN.get(key)
    return [] if source is None else [(value, "") for value in source(user, begun)]


def _people(user: User, begun: str) -> Iterable[str]:
    scope = scope_of(user)
    people = User.objects.filter(username__startswith=begun)
    if not scope.everything:
        people = people.filter(memberships__lab_id__in=scope.sees)
    names = people.order_by("username").values_list("username", flat=True).distinct()[:MOST]
    return [*(["me"] if "me".startswith(begun) else []), *names]


def _pipelines(user: User, begun: str) -> Iterable[str]:
    rows = Pipeline.objects.visible_to(user).filter(name__startswith=begun)
    return rows.order_by("name").values_list("name", flat=True)[:MOST]


def _versions(user: User, begun: str) -> Iterable[str]:
    rows = visible_versions(user).filter(version__startswith=begun).order_by("-sort_key")
    return list(dict.fromkeys(rows.values_list("version", flat=True)[: 4 * MOST]))


def _labs(user: User, begun: str) -> Iterable[str]:
    rows: Any = lab_choices(user) if user.pk else Lab.objects.none()
    return list(rows.filter(slug__startswith=begun).values_list("slug", flat=True)[:MOST])


def _systems(user: User, begun: str) -> Iterable[str]:
    rows = system_choices(user).filter(name__startswith=begun)
    return rows.order_by("name").values_list("name", flat=True)[:MOST]


_KNOWN: dict[str, Callable[[User, str], Iterable[str]]] = {
    "user": _people,
    "pipeline": _pipelines,
    "version": _versions,
    "lab": _labs,
    "system": _systems,
    "label": label_cloud,
}
