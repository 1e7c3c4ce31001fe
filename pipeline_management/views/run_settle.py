"""An administrator's last word on a run of which nothing can be learnt any more."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.choices import RunState
from pipeline_management.errors import Conflict, InvalidRequest
from pipeline_management.policy import is_administrator
from pipeline_management.services.control import settling
from pipeline_management.views.access import PageRequest, page, visible_run


@page("GET", "HEAD", "POST")
def settle(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """GET: ask for the outcome and the reason. POST: end the run. 403 for all but administrators, 409 where the
    truth about the run can be learnt, 400 with the form again where something in it is missing."""
    run = visible_run(request, pk)
    if not is_administrator(request.user):
        reason = settling.why_not(run, request.user)
        return render(request, "403.html", {"reason": reason}, status=403)
    context: dict[str, Any] = {
        "run": run,
        "outcomes": [(outcome.value, outcome.label) for outcome in settling.OUTCOMES],
        "outcome": request.POST.get("outcome", ""),
        "reason": request.POST.get("reason", ""),
        "can_cancel": settling.can_cancel(run),
        "cancel_job": request.method != "POST" or "cancel_job" in request.POST,
        "command": settling.command_to_cancel(run),
        "shortest": settling.SHORTEST,
        "longest": settling.LONGEST,
    }
    try:
        if request.method != "POST":
            refused = settling.why_not(run, request.user)
            status = 409 if refused else 200
            return render(
                request, "runs/settle.html", {**context, "refused": refused}, status=status
            )
        run = settling.settle(
            run=run,
            user=request.user,
            outcome=context["outcome"],
            reason=context["reason"],
            cancel_job=context["cancel_job"],
            address=request.META.get("REMOTE_ADDR"),
        )
    except InvalidRequest as error:
        refused = settling.why_not(run, request.user)
        faults = {} if refused else {problem.code: problem.message for problem in error.problems}
        shown = {**context, "refused": refused, "faults": faults}
        return render(request, "runs/settle.html", shown, status=409 if refused else 400)
    except Conflict as error:
        return render(
            request, "runs/settle.html", {**context, "refused": error.message}, status=409
        )
    outcome = str(RunState(run.state).label).lower()
    messages.success(request, _("The run is marked as %(outcome)s.") % {"outcome": outcome})
    return redirect("run-detail", pk=run.pk)
