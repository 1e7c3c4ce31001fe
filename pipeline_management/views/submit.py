"""The submission page: the same checks as the API, the text kept on every error, usable without scripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from pipeline_management.choices import RunSource
from pipeline_management.errors import (
    Conflict,
    DomainError,
    NotAllowed,
    Problem,
    TooLarge,
)
from pipeline_management.forms.submit import SubmitForm
from pipeline_management.forms.submit_texts import form_texts
from pipeline_management.policy import may_submit
from pipeline_management.services import drafts, intake
from pipeline_management.views import edit_again as again
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.check import (
    accepted,
    asked,
    curl,
    hindrance,
    noticed_by,
    prepared_of,
    problems_of,
    refused,
)
from pipeline_management.views.form_state import version_named
from pipeline_management.views.plans import plan_context
from pipeline_management.views.submit_start import example_text, start

ACTIONS = ("submit", "check", "system", "plan", "format", "example")


@page("GET", "HEAD", "POST")
def submit(request: PageRequest) -> HttpResponseBase:
    """GET: the editor, filled as the address says (``submit_start``) or from the draft. POST: an action."""
    if request.method != "POST":
        return _first(request)
    form = SubmitForm(request.POST, request.FILES, user=request.user)
    if not may_submit(request.user):
        return _page(request, form, status=403)
    action = request.POST.get("action", "submit")
    handlers = {
        "submit": _submit,
        "check": _check,
        "system": _system,
        "plan": _plan,
        "format": _format,
        "example": _example,
    }
    handler = handlers.get(action)
    if handler is None:
        problem = Problem("action", f"Expected one of {', '.join(ACTIONS)}, not {action[:40]!r}.")
        return _refuse(request, form, [problem], form.text())
    return handler(request, form)


def _first(request: PageRequest) -> HttpResponse:
    begin = start(request)
    form = SubmitForm(user=request.user, initial=dict(begin.initial))
    return _page(request, form, context={"start": begin})


def _submit(request: PageRequest, form: SubmitForm) -> HttpResponseBase:
    try:
        prepared, text = prepared_of(request, form)
        if again.is_to_be_shown(request, prepared):
            return _checked(request, form, prepared, text)
        against = hindrance(request, prepared)
        if against is not None:
            return _checked(request, form, prepared, text, against)
        run, created = intake.create_run(
            user=request.user,
            prepared=prepared,
            source=RunSource.PAGE,
            idempotency_key=_once(form, prepared),
            address=request.META.get("REMOTE_ADDR"),
        )
        drafts.sent(request.user, form.content(text))
    except DomainError as error:
        return _answer(request, form, error)
    if created:
        messages.success(request, _("The run is on its way. This page follows it."))
    else:
        messages.info(request, _("This form was sent before; here is its run."))
    return redirect("run-detail", pk=run.pk)


def _once(form: SubmitForm, prepared: intake.PreparedRun) -> str:
    """The same for a double click or a reload, another for a form that was changed and sent again."""
    return f"page:{form.once()}:{prepared.request_sha256[:32]}"


def _check(request: PageRequest, form: SubmitForm) -> HttpResponseBase:
    """What submitting would do, without doing it."""
    try:
        prepared, text = prepared_of(request, form)
    except DomainError as error:
        return _answer(request, form, error)
    return _checked(request, form, prepared, text)


def _system(request: PageRequest, form: SubmitForm) -> HttpResponseBase:
    """The same, and what the run's system says; takes seconds."""
    try:
        prepared, text = prepared_of(request, form)
    except DomainError as error:
        return _answer(request, form, error)
    return _checked(request, form, prepared, text, asked(prepared))


def _plan(request: PageRequest, form: SubmitForm) -> HttpResponseBase:
    """The same, and what the pipeline's engine says on the system about the tasks; takes seconds."""
    try:
        prepared, text = prepared_of(request, form)
        plan = plan_context(prepared)
    except DomainError as error:
        return _answer(request, form, error)
    return _checked(request, form, prepared, text, plan)


def _checked(
    request: PageRequest,
    form: SubmitForm,
    prepared: intake.PreparedRun,
    text: str,
    extra: dict[str, Any] | None = None,
) -> HttpResponseBase:
    context = accepted(request, prepared, text, extra)
    if request.htmx:
        return render(request, "submit/result.html", context)
    return _page(request, _rebound(request, form, text), context=context)


def _format(request: PageRequest, form: SubmitForm) -> HttpResponseBase:
    """The text indented by two; refused with the reasons while it is not valid JSON."""
    try:
        document = intake.parse_document(form.body())
    except DomainError as error:
        return _answer(request, form, error)
    return _new_text(request, form, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _example(request: PageRequest, form: SubmitForm) -> HttpResponseBase:
    """The example of the chosen pipeline in place of the text."""
    version = version_named(request, request.POST.get("pipeline", ""))
    if version is None:
        problem = Problem(
            "pipeline", _("Choose the pipeline whose example you want, then load it.")
        )
        return _refuse(request, form, [problem], form.text())
    return _new_text(request, form, example_text(version))


def _new_text(request: PageRequest, form: SubmitForm, text: str) -> HttpResponseBase:
    if request.accepts("text/html"):
        return _page(request, _rebound(request, form, text))
    return JsonResponse({"text": text})


def _keep_draft(request: PageRequest, form: SubmitForm, text: str) -> None:
    """What was refused is not lost with the page. What cannot be kept is in the answer all the same."""
    with suppress(DomainError):
        drafts.save(request.user, form.content(text))


def _answer(request: PageRequest, form: SubmitForm, error: DomainError) -> HttpResponseBase:
    text = form.body().decode("utf-8", "replace").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    problems = problems_of(error)
    status = 400
    for kind, code in ((TooLarge, 413), (NotAllowed, 403), (Conflict, 409)):
        if isinstance(error, kind):
            status = code
    if request.POST.get("action", "submit") == "submit" and text.strip():
        _keep_draft(request, form, text)
    noticed = noticed_by(error)
    return _refuse(request, form, problems, text, status=status, noticed=noticed)


def _refuse(
    request: PageRequest,
    form: SubmitForm,
    problems: list[Problem],
    text: str,
    *,
    status: int = 400,
    noticed: Sequence[Problem] = (),
) -> HttpResponseBase:
    context = refused(request, text, problems, noticed)
    if request.htmx:
        return render(request, "submit/result.html", context)
    if not request.accepts("text/html"):
        return JsonResponse({"errors": [problem.as_dict() for problem in problems]}, status=status)
    return _page(request, _rebound(request, form, text), context=context, status=status)


def _rebound(request: PageRequest, form: SubmitForm, text: str) -> SubmitForm:
    """The same form with ``text`` in the editor. An uploaded file is in the text by now."""
    initial = {
        "pipeline": request.POST.get("pipeline", ""),
        "configuration": text,
        "token": form.once(),
        "origin": request.POST.get("origin", ""),
    }
    return SubmitForm(user=request.user, initial=initial)


def _page(
    request: PageRequest,
    form: SubmitForm,
    *,
    context: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    extra = {
        "form": form,
        "form_texts": json.dumps(form_texts()),
        "may_submit": may_submit(request.user),
        "curl": curl(request),
        "draft_revision": drafts.revision(request.user),
    }
    return render(request, "submit/page.html", {**extra, **(context or {})}, status=status)
