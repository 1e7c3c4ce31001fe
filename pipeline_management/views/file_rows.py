"""What the pages show of a directory: rows, sorted and filtered, a page at a time; and the way to it."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.http import QueryDict
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import gettext as _

from hpc.files.browsing import Seen
from pipeline_management.file_names import quoted, visible
from pipeline_management.services.previews.kinds import type_of

PAGE = 200
_KEYS: dict[str, Callable[[Seen], Any]] = {
    "name": lambda entry: (entry.name.casefold(), entry.name),
    "size": lambda entry: entry.size,
    "modified": lambda entry: entry.modified,
}
_ICONS = {
    "image": "picture",
    "table": "table",
    "html": "report",
    "pdf": "report",
    "notebook": "report",
}

Href = Callable[[str], str]
"""From the name of an entry to its address."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry as a page shows it; every text is safe to print in one line."""

    name: str
    href: str
    icon: str
    kind: str
    size: str
    bytes: int
    modified: datetime | None
    owner: str
    mode: str
    link: str
    broken: bool
    is_directory: bool


@dataclass(frozen=True, slots=True)
class View:
    """How a directory is looked at, as the address says: ``sort`` may begin with "-"; what cannot be read is as
    if nothing was said."""

    sort: str
    wanted: str
    hidden: bool
    page: str
    more: tuple[tuple[str, str], ...] = ()
    """What else the address has to say."""

    @classmethod
    def of(cls, query: QueryDict, more: Mapping[str, str] | None = None) -> View:
        """From ``?sort=&q=&hidden=&page=``."""
        sort = query.get("sort", "name")
        if sort.removeprefix("-") not in _KEYS:
            sort = "name"
        return cls(
            sort,
            query.get("q", "").strip()[:200],
            "hidden" in query,
            query.get("page", ""),
            tuple((more or {}).items()),
        )

    def query(self, **other: str) -> str:
        """The same view, but for what ``other`` says; beginning with "?"."""
        values = (
            dict(self.more)
            | {
                "sort": "" if self.sort == "name" else self.sort,
                "q": self.wanted,
                "hidden": "1" if self.hidden else "",
            }
            | other
        )
        return "?" + urlencode({name: value for name, value in values.items() if value})

    def sorting(self, key: str) -> str:
        """The address of a column's head: by this column, or the other way round."""
        return self.query(sort=f"-{key}" if self.sort == key else key)


def shown(entries: Sequence[Seen], view: View) -> tuple[Page[Seen], int]:
    """The entries on the page that is looked at, and how many are hidden because of their dot."""
    rest = [entry for entry in entries if view.hidden or not entry.name.startswith(".")]
    hidden = len(entries) - len(rest)
    if view.wanted:
        rest = [entry for entry in rest if _fits(entry.name, view.wanted)]
    key = view.sort.removeprefix("-")
    rest.sort(key=_KEYS["name"])
    rest.sort(key=_KEYS[key], reverse=view.sort.startswith("-"))
    if key == "name":
        rest.sort(key=lambda entry: not entry.is_directory)
    return Paginator(rest, PAGE).get_page(view.page), hidden


def _fits(name: str, wanted: str) -> bool:
    low = wanted.casefold()
    if any(char in low for char in "*?["):
        return fnmatch.fnmatchcase(name.casefold(), low)
    return low in visible(name).casefold()


def row(entry: Seen, href: str) -> Row:
    """One entry as a page shows it."""
    return Row(
        name=visible(entry.name),
        href=href,
        icon=icon_of(entry),
        kind=kind_of(entry),
        size="–" if entry.is_directory else str(filesizeformat(entry.size)),
        bytes=entry.size,
        modified=moment_of(entry.modified),
        owner=visible(f"{entry.user}:{entry.group}"),
        mode=entry.kind + entry.permissions,
        link=visible(entry.link_target),
        broken=entry.is_broken,
        is_directory=entry.is_directory,
    )


def moment_of(seconds: float) -> datetime | None:
    """An aware time; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def icon_of(entry: Seen) -> str:
    """The name of an entry's picture."""
    if entry.is_directory:
        return "folder"
    if entry.is_broken:
        return "attention"
    return _ICONS.get(type_of(entry.name).kind, "file")


def kind_of(entry: Seen) -> str:
    """What an entry is, in words."""
    words = {
        "d": _("Folder"),
        "-": _("File"),
        "f": _("File"),
        "p": _("Pipe"),
        "s": _("Socket"),
        "b": _("Device"),
        "c": _("Device"),
    }
    if entry.kind != "l":
        return words.get(entry.kind, _("Other"))
    if entry.is_broken:
        return _("Broken link")
    return _("Link to a folder") if entry.is_directory else _("Link")


def address(system: str, path: str) -> str:
    """The address of an absolute path of a system."""
    return reverse("files-system", args=[system]) + quoted(path.lstrip("/"))


def run_address(run_id: object, relative: str, place: int = 0) -> str:
    """The address of a path below the run's directory, or below its second one (``place`` 1)."""
    base = reverse("run-files", args=[run_id]) + quoted(relative)
    return f"{base}?in=work" if place else base


def crumbs(system: str, path: str) -> list[tuple[str, str]]:
    """Every directory from the root to the path: what it is called and where it is."""
    found = [("/", address(system, "/"))]
    at = ""
    for name in path.strip("/").split("/") if path != "/" else []:
        at = f"{at}/{name}"
        found.append((visible(name), address(system, at)))
    return found


def parent(path: str) -> str:
    """The directory that holds a path."""
    return posixpath.dirname(path.rstrip("/")) or "/"
