"""What a person may do to runs; what he may see is ``visible_to`` of the query sets."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Lab
from accounts.policy import Viewer, is_administrator, scope_of
from pipeline_management.models import Run

__all__ = ["is_administrator", "may_cancel", "may_submit", "submit_labs"]


def submit_labs(user: Viewer) -> QuerySet[Lab]:
    """The labs in whose name the person may submit: all of them for administrators."""
    scope = scope_of(user)
    return Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.submits)


def may_submit(user: Viewer) -> bool:
    """Whether there is any lab in whose name the person may submit."""
    return submit_labs(user).exists()


def may_cancel(user: Viewer, run: Run) -> bool:
    """Managers of the run's lab and administrators may cancel any run, submitters their own."""
    scope = scope_of(user)
    if scope.everything or run.lab_id in scope.manages:
        return True
    return run.submitter_id == scope.user_id and (run.lab_id is None or run.lab_id in scope.submits)
