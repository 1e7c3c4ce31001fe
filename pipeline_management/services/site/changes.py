"""What applying a site file did, object by object, and the one way in which it writes an object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)

ACTIONS = ("created", "updated", "removed", "kept", "unchanged")


@dataclass(frozen=True, slots=True)
class Change:
    """One object: what happened to it and, in words, in what respect."""

    action: str
    kind: str
    name: str
    details: str = ""

    def __str__(self) -> str:
        return f"{self.action:9} {self.kind} {self.name}" + (
            f": {self.details}" if self.details else ""
        )


@dataclass
class Changes:
    """All objects that a site file names, and those that pruning met."""

    entries: list[Change] = field(default_factory=list)

    def note(self, action: str, kind: str, name: str, details: str = "") -> None:
        """Add one object."""
        self.entries.append(Change(action, kind, name, details))

    def amend(self, kind: str, name: str, details: str) -> None:
        """Say that the object noted last differs in one more respect; a new one needs no details."""
        last = self.entries[-1]
        if last.action != "created":
            told = f"{last.details}, {details}" if last.details else details
            self.entries[-1] = Change("updated", kind, name, told)

    @property
    def made(self) -> list[Change]:
        """Those that are not "unchanged" or "kept"."""
        return [entry for entry in self.entries if entry.action not in ("unchanged", "kept")]

    @property
    def summary(self) -> str:
        """The counts, for the last line."""
        counts = Counter(entry.action for entry in self.entries)
        return ", ".join(f"{counts[action]} {action}" for action in ACTIONS if counts[action])

    def put(
        self, model: type[M], kind: str, name: str, identity: dict[str, Any], values: dict[str, Any]
    ) -> M:
        """The object with that identity brought to those values; written only where something differs."""
        manager: models.Manager[M] = model._default_manager
        found = manager.filter(**identity).first()
        if found is None:
            created = model(**identity, **values)
            created.save(force_insert=True)
            self.note("created", kind, name)
            return created
        differing = [key for key, value in values.items() if getattr(found, key) != value]
        for key in differing:
            setattr(found, key, values[key])
        if differing:
            auto = [f.name for f in model._meta.fields if getattr(f, "auto_now", False)]
            found.save(update_fields=[*differing, *auto])
        self.note("updated" if differing else "unchanged", kind, name, ", ".join(differing))
        return found
