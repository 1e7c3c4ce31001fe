"""Apply a site file: read, check everything, then write in one transaction."""

from __future__ import annotations

from pathlib import Path

from django.db import transaction

from pipeline_management.services import audit
from pipeline_management.services.site.changes import Changes
from pipeline_management.services.site.parsing import parse_site
from pipeline_management.services.site.plan import make_plan
from pipeline_management.services.site.pruning import prune
from pipeline_management.services.site.reading import SiteError, read_site
from pipeline_management.services.site.writing import write_plan

__all__ = ["SiteError", "apply_site"]


def apply_site(path: Path, *, dry_run: bool = False, remove: bool = False) -> Changes:
    """Create and update what the file names; with ``remove`` take away what it does not name.

    Returns what was done (or with ``dry_run`` would be). Raises ``SiteError`` with all faults, before
    anything is written. A second application changes nothing.
    """
    source = read_site(path.resolve())
    site = parse_site(source)
    source.raise_faults()
    if site is None:
        raise SiteError(source.faults)
    changes = Changes()
    with transaction.atomic():
        plan = make_plan(source, site)
        write_plan(plan, changes)
        if remove:
            prune(site, changes)
        if changes.made and not dry_run:
            summary = {"summary": changes.summary, "pruned": remove}
            audit.record(None, "site.apply", str(path.resolve())[-200:], data=summary)
        if dry_run:
            transaction.set_rollback(True)
    return changes
