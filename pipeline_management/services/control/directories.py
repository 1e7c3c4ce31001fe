"""Who works in which directory: one open run at a time, and only the newest one there can be gone on from."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from pipeline_management.choices import OPEN_STATES
from pipeline_management.errors import Conflict
from pipeline_management.models import Run


def runs_in(directory: str, account_id: int) -> QuerySet[Run]:
    """Every run of the account that works or worked in the directory, the newest first."""
    return Run.objects.filter(
        Q(directory=directory) | Q(work_directory=directory), account_id=account_id
    ).order_by("-created_at", "-pk")


def went_on_from(run: Run) -> Run | None:
    """The run that works where this one worked, if a later one does or did."""
    newest = runs_in(run.works_in, run.account_id).defer("configuration_json", "script").first()
    return newest if newest is not None and newest.pk != run.pk else None


def claim_directory(run: Run) -> str:
    """The directory in which ``run`` worked, for a new run that goes on in it. Call it in the transaction that
    writes the new run. Raises ``Conflict`` where another run is ahead.

    The row of the run to which the directory belongs is the lock.
    """
    directory = run.works_in
    list(Run.objects.select_for_update().filter(directory=directory).values_list("pk", flat=True))
    later = went_on_from(run)
    if later is not None:
        raise Conflict(f"The run {later.pk} has gone on in its directory already; resume that one.")
    if Run.objects.filter(pk=run.pk, state__in=OPEN_STATES).exists():
        raise Conflict("The run is not over yet.")
    return directory
