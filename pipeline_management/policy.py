"""What a person may do to runs; what he may see is ``visible_to`` of the query sets."""

from __future__ import annotations

from django.db.models import QuerySet

from accounts.models import Lab
from accounts.policy import Viewer, is_administrator, scope_of
from pipeline_management.choices import RunKind
from pipeline_management.models import Run

__all__ = [
    "is_administrator",
    "may_annotate",
    "may_cancel",
    "may_control",
    "may_repeat",
    "may_submit",
    "submit_labs",
]


def submit_labs(user: Viewer) -> QuerySet[Lab]:
    """The labs in whose name the person may submit: all of them for administrators."""
    scope = scope_of(user)
    return Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.submits)


def may_submit(user: Viewer) -> bool:
    """Whether there is any lab in whose name the person may submit."""
    return submit_labs(user).exists()


def may_cancel(user: Viewer, run: Run) -> bool:
    """Whether the person may end the run; see ``may_control``."""
    return may_control(user, run)


def may_annotate(user: Viewer, run: Run) -> bool:
    """Whether the person may label the run and write notes on it; see ``may_control``."""
    return may_control(user, run)


def may_repeat(user: Viewer, run: Run) -> bool:
    """Whoever may submit for the run's lab may submit again what he sees; job scripts only by FirecREST."""
    scope = scope_of(user)
    allowed = scope.everything or run.lab_id in scope.submits
    return run.kind == RunKind.PIPELINE and allowed


def may_control(user: Viewer, run: Run) -> bool:
    """Managers of the run's lab and administrators may cancel, hold and release any run, submitters their own."""
    scope = scope_of(user)
    if scope.everything or run.lab_id in scope.manages:
        return True
    return run.submitter_id == scope.user_id and (run.lab_id is None or run.lab_id in scope.submits)
