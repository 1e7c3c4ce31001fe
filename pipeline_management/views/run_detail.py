"""One run: its overview, the live part of it, and cancelling it."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.models import Run, System
from pipeline_management.policy import may_cancel
from pipeline_management.services.cancellation import request_cancel
from pipeline_management.services.presentation import resource_facts
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.live import fragment, marked
from pipeline_management.views.output import viewer_context
from pipeline_management.views.run_events import progress_context
from pipeline_management.views.run_head import head_context, state_context

__all__ = ["cancel", "detail", "head_context", "status"]


def _live(request: PageRequest, run: Run) -> dict[str, Any]:
    """What changes on the overview while the run goes on; a few queries, none of them to the system."""
    return {
        **state_context(request, run),
        **progress_context(run),
        "tab": "overview",
        "attempts": list(run.attempts.order_by("number")),
    }


@page()
def detail(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The overview; the output is fetched by the browser afterwards."""
    run = visible_run(request, pk)
    live, _mark = marked(request, "runs/live.html", _live(request, run))
    context = {
        "run": run,
        "live_html": live,
        "token": uuid.uuid4(),
        "successors": run.successors.order_by("-created_at").only(
            "name", "state", "desired", "origin_kind", "created_at"
        )[:20],
        "resources": resource_facts(run.resources),
        **viewer_context(run),
        "may_see_system": System.objects.visible_to(request.user).filter(pk=run.system_id).exists(),
    }
    return render(request, "runs/detail.html", context)


@page()
def status(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """The live part of the run's page; 204 while the page shows it already."""
    return fragment(request, "runs/live.html", _live(request, visible_run(request, pk)))


@page("GET", "HEAD", "POST")
def cancel(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """GET: ask back (without scripts). POST: ask for the run's end. 403 for those who may not."""
    run = visible_run(request, pk)
    if not may_cancel(request.user, run):
        reason = _(
            "Only its submitter, managers of its lab and administrators can cancel this run."
        )
        return render(request, "403.html", {"reason": reason}, status=403)
    if request.method != "POST":
        open_ = RunState(run.state) not in TERMINAL_STATES
        return render(request, "runs/cancel.html", {"run": run, "open": open_})
    run = request_cancel(run=run, user=request.user, address=request.META.get("REMOTE_ADDR"))
    if RunState(run.state) in TERMINAL_STATES and run.state != RunState.CANCELLED:
        messages.info(request, _("The run had ended before; there is nothing to cancel."))
    else:
        messages.success(request, _("The run is being cancelled."))
    return redirect("run-detail", pk=run.pk)
