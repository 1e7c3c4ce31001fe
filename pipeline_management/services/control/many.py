"""Submitting again and labelling many runs at once: one that is refused keeps no other one from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from pipeline_management.choices import RunKind, RunSource
from pipeline_management.errors import DomainError
from pipeline_management.models import Run
from pipeline_management.policy import may_repeat
from pipeline_management.services import marks
from pipeline_management.services.control import again
from pipeline_management.services.control.wishes import Outcome

MOST_AGAIN = 50
"""Runs that one request may submit again: each is checked and rendered anew."""


def why_not_again(run: Run, user: User) -> str:
    """Why the run cannot be submitted again, as far as that shows without checking its configuration."""
    if run.kind != RunKind.PIPELINE:
        return _("A job script of somebody's own is submitted again by whoever has it.")
    if not may_repeat(user, run):
        return _("You may look at this run, but not submit for its lab.")
    return ""


def resubmit(ids: Sequence[UUID], *, user: User, address: str | None = None) -> list[Outcome]:
    """Submit each of the runs again as it was; outcomes in the order of the ids."""

    def one(run: Run) -> None:
        again.resubmit(run=run, user=user, source=RunSource.PAGE, address=address)

    return _each(ids, user, one)


def label(ids: Sequence[UUID], name: str, *, user: User, on: bool) -> list[Outcome]:
    """Stick a label on each of the runs, or take it off; outcomes in the order of the ids."""

    def one(run: Run) -> None:
        marks.label_run(run, user, add=[name] if on else [], remove=[] if on else [name])

    return _each(ids, user, one)


def _each(ids: Sequence[UUID], user: User, work: Callable[[Run], None]) -> list[Outcome]:
    related = ("version__pipeline", "lab", "system", "account__system", "account__credential")
    seen = Run.objects.visible_to(user).filter(pk__in=list(ids)).select_related(*related)
    runs = {run.pk: run for run in seen}
    outcomes = []
    for pk in ids:
        run = runs.get(pk)
        if run is None:
            outcomes.append(
                Outcome(pk, False, _("There is no such run, or it is not yours to see."))
            )
            continue
        try:
            work(run)
        except DomainError as error:
            outcomes.append(Outcome(pk, False, error.message))
        else:
            outcomes.append(Outcome(pk, True))
    return outcomes
