"""Versions that an administrator uploads: read and checked like a site file, shown, confirmed, written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from pipeline_management.models import CatalogueUpload
from pipeline_management.services import audit
from pipeline_management.services.catalogue.package import Package, open_package, text_or_fault
from pipeline_management.services.site.changes import Change, Changes
from pipeline_management.services.site.parsing import parse_site
from pipeline_management.services.site.plan import Plan, PlannedVersion, make_plan
from pipeline_management.services.site.reading import (
    Fault,
    Location,
    SiteError,
    Source,
    read_yaml,
)
from pipeline_management.services.site.writing import write_plan

MAX_VERSIONS = 20
KEPT = timedelta(days=1)
MAX_KEPT = 5
"""Unconfirmed uploads of one person; the oldest goes first."""
_FIRST: Location = ("pipelines", 0)
_PREFIX = "pipelines[0]"
_USUAL: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("schema", ("schema.json",)),
    ("script", ("script.sh", "script", "script.sh.j2", "script.j2")),
    ("example", ("example.json",)),
    ("documentation", ("README.md", "readme.md", "documentation.md")),
)
"""Files of a zip that need not be named in its YAML."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an upload would do, or every fault in it; nothing is written yet.

    ``unused`` are files of the zip that nothing names.
    """

    versions: list[PlannedVersion] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)

    @property
    def changes_nothing(self) -> bool:
        """Whether all of it is in the catalogue already."""
        return all(change.action in ("unchanged", "kept") for change in self.changes)


class _Upload(Source):
    """A source whose files are those of the upload; no path leads out of it."""

    package: Package
    used: set[str]

    def text_of(self, location: Location, name: str) -> str | None:
        """See ``Source``."""
        path = str(PurePosixPath(name))
        if path not in self.package.files:
            there = ", ".join(sorted(self.package.files)[:20])
            have = f"there is {there}" if there else "it holds no other files"
            self.complain(location, f"the upload has no file {name!r}; {have}")
            return None
        self.used.add(path)
        text, fault = text_or_fault(path, self.package.files[path])
        if fault:
            self.complain(location, fault)
            return None
        return text


def preview(name: str, data: bytes) -> Preview:
    """What the upload would add to the catalogue. Raises nothing: whatever is wrong with it is in ``faults``."""
    try:
        with transaction.atomic():
            plan, changes, unused = _apply(name, data)
            transaction.set_rollback(True)
    except SiteError as error:
        return Preview(faults=[_without_prefix(fault) for fault in error.faults])
    return Preview(plan.versions, changes.entries, [], unused)


def keep(name: str, data: bytes, person: User) -> CatalogueUpload:
    """Keep a checked upload until it is confirmed."""
    upload = CatalogueUpload.objects.create(owner=person, name=name[:200], data=data)
    own = CatalogueUpload.objects.filter(owner=person).order_by("-created_at", "pk")
    old = list(own.values_list("pk", flat=True)[MAX_KEPT:])
    CatalogueUpload.objects.filter(pk__in=old).delete()
    return upload


def publish(
    upload: CatalogueUpload, person: User, address: str | None = None
) -> list[PlannedVersion]:
    """Write the versions of a kept upload, checked again from its bytes; the upload is then gone.

    Raises ``SiteError`` with every fault where the world has changed since it was shown.
    """
    try:
        with transaction.atomic():
            plan, changes, _ = _apply(upload.name, bytes(upload.data))
            CatalogueUpload.objects.filter(pk=upload.pk).delete()
            names = [f"{version.part.name}@{version.part.version}" for version in plan.versions]
            audit.record(
                person,
                "catalogue.upload",
                ", ".join(names),
                address=address,
                data={"file": upload.name, "summary": changes.summary},
            )
    except SiteError as error:
        raise SiteError([_without_prefix(fault) for fault in error.faults]) from error
    return plan.versions


def note_refusal(name: str, faults: list[Fault], person: User, address: str | None = None) -> None:
    """Tell the audit trail of an upload that was refused."""
    data = {"faults": len(faults), "first": str(faults[0])[:300] if faults else ""}
    audit.record(person, "catalogue.refused", name, address=address, data=data)


def delete_old() -> None:
    """Forget uploads that nobody has confirmed for a day."""
    CatalogueUpload.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _apply(name: str, data: bytes) -> tuple[Plan, Changes, list[str]]:
    """Read, check and write all of it, in the caller's transaction."""
    source = _read(name, data)
    site = parse_site(source)
    source.raise_faults()
    if site is None:
        raise SiteError(source.faults)
    plan = make_plan(source, site)
    changes = Changes()
    write_plan(plan, changes)
    return plan, changes, sorted(set(source.package.files) - source.used)


def _read(name: str, data: bytes) -> _Upload:
    """The data of a site file with nothing but pipelines: one as the YAML's only mapping, or a list of them."""
    package = open_package(name, data)
    source = _Upload(Path(package.name), {}, {})
    source.package, source.used = package, set()
    whole = Source(Path(package.name), {}, {})
    read_yaml(whole, package.text)
    if not isinstance(whole.data, dict) or not whole.data:
        raise SiteError(
            [Fault("", f"{package.name} must hold a mapping with name, version, systems, labs …")]
        )
    if "pipelines" not in whole.data:
        source.lines = {(*_FIRST, *place): line for place, line in whole.lines.items()}
        source.data = {"pipelines": [whole.data]}
    else:
        source.lines = whole.lines
        source.data = {"pipelines": whole.data["pipelines"]}
        for key in [key for key in whole.data if key != "pipelines"]:
            source.complain((str(key),), "does not belong into an upload: only pipelines are taken")
        source.raise_faults()
    _check_number(source)
    _name_usual_files(source)
    return source


def _check_number(source: _Upload) -> None:
    pipelines = source.data["pipelines"]
    if isinstance(pipelines, list) and not 1 <= len(pipelines) <= MAX_VERSIONS:
        source.complain(
            ("pipelines",), f"has {len(pipelines)} entries, expected 1 to {MAX_VERSIONS}"
        )
        source.raise_faults()


def _name_usual_files(source: _Upload) -> None:
    """Let schema.json, script.sh, example.json and README.md count where the YAML says nothing else."""
    pipelines: Any = source.data["pipelines"]
    if not isinstance(pipelines, list) or len(pipelines) != 1 or not isinstance(pipelines[0], dict):
        return
    part = pipelines[0]
    for key, names in _USUAL:
        if key in part or f"{key}_file" in part:
            continue
        if key == "script" and part.get("engine", "shell") != "shell":
            continue
        found = next((name for name in names if name in source.package.files), None)
        if found is not None:
            part[f"{key}_file"] = found


def _without_prefix(fault: Fault) -> Fault:
    """Where there is one pipeline only, its places need no number."""
    where = fault.where
    if where == _PREFIX:
        where = ""
    return Fault(where.removeprefix(f"{_PREFIX}."), fault.message, fault.line)
