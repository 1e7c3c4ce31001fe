"""What people do with one run besides cancelling it: hold, release, submit again, resume; and why its job waits."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.choices import HOLDABLE_STATES, Desired, OriginKind, RunSource, RunState
from pipeline_management.errors import Conflict, DomainError, InvalidRequest, NotAllowed
from pipeline_management.models import Run
from pipeline_management.policy import may_repeat
from pipeline_management.services.control import again, settling, wishes
from pipeline_management.services.control.waiting import waiting_of
from pipeline_management.services.control.wishes import Wish
from pipeline_management.services.engines.registry import engine_of
from pipeline_management.views.access import PageRequest, page, visible_run
from pipeline_management.views.plans import plan_context

_STATUS: tuple[tuple[type[DomainError], int], ...] = (
    (NotAllowed, 403),
    (Conflict, 409),
    (InvalidRequest, 400),
)


def actions(request: PageRequest, run: Run) -> dict[str, Any]:
    """Which buttons the run's page offers the viewer; one or two queries."""
    repeat = may_repeat(request.user, run)
    over = RunState(run.state).is_terminal
    held = run.desired == Desired.HOLD
    return {
        "may_hold": run.state in HOLDABLE_STATES
        and not held
        and not wishes.why_not(Wish.HOLD, run, request.user),
        "may_release": held and not wishes.why_not(Wish.RELEASE, run, request.user),
        "may_repeat": repeat,
        "may_settle": not settling.why_not(run, request.user),
        "may_resume": repeat
        and over
        and engine_of(run.version).can_resume
        and not again.why_no_resume(run),
    }


@page()
def waiting(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Why the job waits and when it may start; asked for by the page again and again, answered from what is
    known."""
    run = visible_run(request, pk)
    return render(request, "runs/waiting.html", {"run": run, "waiting": waiting_of(run)})


@page("POST")
def hold(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Keep the run from starting; back to its page with a sentence."""
    return _wish(request, pk, Wish.HOLD, _("The run is held until somebody releases it."))


@page("POST")
def release(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Let the run start; back to its page with a sentence."""
    return _wish(request, pk, Wish.RELEASE, _("The run is released."))


def _wish(request: PageRequest, pk: uuid.UUID, wish: Wish, done: str) -> HttpResponseBase:
    run = visible_run(request, pk)
    try:
        wishes.request(wish, run=run, user=request.user, address=request.META.get("REMOTE_ADDR"))
    except NotAllowed as error:
        return render(request, "403.html", {"reason": error.message}, status=403)
    except Conflict as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, done)
    return redirect("run-detail", pk=run.pk)


@page("GET", "HEAD", "POST")
def resubmit(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """GET: ask back. POST: the same configuration as a new run."""
    return _again(request, pk, OriginKind.RESUBMIT)


@page("GET", "HEAD", "POST")
def resume(request: PageRequest, pk: uuid.UUID) -> HttpResponseBase:
    """GET: ask back, with ``?plan=1`` also what is left to do, which the system is asked for and takes seconds.
    POST: a new run that goes on in the directory of this one."""
    return _again(request, pk, OriginKind.RESUME)


def _again(request: PageRequest, pk: uuid.UUID, kind: OriginKind) -> HttpResponseBase:
    run = visible_run(request, pk, with_texts=True)
    context: dict[str, Any] = {"run": run, "resuming": kind is OriginKind.RESUME}
    try:
        if request.method != "POST":
            prepared = again.prepare(kind, run, request.user)
            if context["resuming"] and "plan" in request.GET:
                context |= plan_context(prepared, resume_of=run)
            return render(request, "runs/again.html", {**context, "token": uuid.uuid4()})
        act = again.resume if kind is OriginKind.RESUME else again.resubmit
        new, created = act(
            run=run,
            user=request.user,
            source=RunSource.PAGE,
            idempotency_key=_once(request),
            address=request.META.get("REMOTE_ADDR"),
        )
    except DomainError as error:
        status = next((code for known, code in _STATUS if isinstance(error, known)), 400)
        problems = error.problems if isinstance(error, InvalidRequest) else []
        refused = {"refused": error.message, "problems": problems}
        return render(request, "runs/again.html", {**context, **refused}, status=status)
    if created:
        messages.success(request, _("The run is on its way. This page follows it."))
    else:
        messages.info(request, _("This form was sent before; here is its run."))
    return redirect("run-detail", pk=new.pk)


def _once(request: PageRequest) -> str | None:
    """The form's one-time token as a key, so that a double click makes one run."""
    try:
        return f"page:{uuid.UUID(request.POST.get('token', ''))}"
    except ValueError:
        return None
