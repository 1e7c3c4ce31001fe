"""The check panel: what is known at once, as somebody types, and what the system says when it is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pipeline_management.curl import posting
from pipeline_management.errors import DomainError, InvalidRequest, NotAllowed, Problem, Unavailable
from pipeline_management.forms.submit import SubmitForm
from pipeline_management.models import Run
from pipeline_management.policy import may_submit
from pipeline_management.services import intake
from pipeline_management.services.control.difference import MOST, differences
from pipeline_management.services.estimates import Estimate, estimate_for, last_of_project
from pipeline_management.services.intake import PreparedRun
from pipeline_management.services.preflight.asking import Preflight, is_out, preflight
from pipeline_management.services.preflight.steps import Status
from pipeline_management.services.presentation import resource_facts
from pipeline_management.services.rules.checking import CODE
from pipeline_management.services.usage.budgets import budget_warning
from pipeline_management.services.validation import with_places
from pipeline_management.views import edit_again as again
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.faults import faults_in
from pipeline_management.views.form_state import version_named

CURL_TEXT_LIMIT = 20_000
_BEFORE_SUBMIT = 5.0
"""Seconds that the system has to answer while somebody waits for the page of the run."""
_TARGET = ("pipeline", "pipeline_twice", "lab", "system", "account")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the panel. ``status`` is that of a step, or "later": not reached yet."""

    name: str
    label: str
    status: str
    message: str = ""
    details: tuple[str, ...] = ()


@page("POST")
def check(request: PageRequest) -> HttpResponse:
    """What can be said without asking the system, as a fragment: for the panel, while somebody types."""
    form = SubmitForm(request.POST, request.FILES, user=request.user)
    if not may_submit(request.user):
        return HttpResponse(status=403)
    text = form.text()
    if not text.strip() and not request.FILES:
        return render(request, "submit/result.html", {})
    try:
        prepared, text = prepared_of(request, form)
    except DomainError as error:
        context = refused(request, text, problems_of(error), noticed_by(error))
        return render(request, "submit/result.html", context)
    return render(request, "submit/result.html", accepted(request, prepared, text))


@page("POST")
def system(request: PageRequest) -> HttpResponse:
    """What the run's system says, as a fragment. Takes seconds; a system that does not answer is no error here."""
    form = SubmitForm(request.POST, request.FILES, user=request.user)
    if not may_submit(request.user):
        return HttpResponse(status=403)
    try:
        prepared, _text = prepared_of(request, form)
    except DomainError as error:
        problems = problems_of(error)
        return render(request, "submit/preflight.html", {"preflight_faults": problems})
    return render(request, "submit/preflight.html", asked(prepared))


def asked(prepared: PreparedRun, **how: float) -> dict[str, Any]:
    """For submit/preflight.html: ``preflight``, or ``preflight_problem`` in words."""
    looked = {"looked": prepared.request_sha256, "prepared": prepared}
    try:
        found = preflight(prepared, **how)
        return {"preflight": found, "preflight_lines": _system_lines(found), **looked}
    except Unavailable as error:
        return {"preflight_problem": error.message, **looked}


def hindrance(request: PageRequest, prepared: PreparedRun) -> dict[str, Any] | None:
    """What the system has against the run, to be shown once before it is submitted; else None.

    Only for forms that ask for it (``preflight``). The answer comes back with the form (``looked``), so that the
    same configuration goes through the next time. A system that is slow or down hinders nothing.
    """
    if not request.POST.get("preflight") or prepared.request_sha256 in request.POST.getlist(
        "looked"
    ):
        return None
    if is_out(prepared):
        return None
    context = asked(prepared, seconds=_BEFORE_SUBMIT)
    found: Preflight | None = context.get("preflight")
    return context if found is not None and found.status is Status.BAD else None


def prepared_of(request: PageRequest, form: SubmitForm) -> tuple[PreparedRun, str]:
    """The checked run and the text it came from; raises ``DomainError`` of every kind."""
    body = form.body()
    document = intake.parse_document(body)
    text = body.decode("utf-8-sig")
    chosen = form.cleaned_data.get("pipeline") if form.is_valid() else None
    if "pipeline" in form.errors:
        raise InvalidRequest([Problem("pipeline", _("Choose one of the pipelines in the list."))])
    if chosen and "pipeline" in document:
        _agree(request, chosen, document["pipeline"], text)
    prepared = intake.prepare(
        user=request.user,
        document=document,
        text=text,
        pipeline=chosen or None,
        origin=again.origin_of(request, document),
    )
    return prepared, text


def _agree(request: PageRequest, chosen: str, named: Any, text: str) -> None:
    """Refuse a form whose list says one pipeline and whose JSON another: neither is silently dropped."""
    if isinstance(named, str) and version_named(request, named) == version_named(request, chosen):
        return
    message = _(
        'The list says %(chosen)s, the JSON says %(named)s: choose "As the JSON says", or take the key '
        "out of the JSON."
    ) % {"chosen": chosen, "named": json.dumps(named, ensure_ascii=False)[:80]}
    raise InvalidRequest(with_places([Problem("pipeline_twice", message, "/pipeline")], text))


def problems_of(error: DomainError) -> list[Problem]:
    """What an error of the domain has to say, as a list of problems."""
    if isinstance(error, InvalidRequest):
        return error.problems
    return [Problem("lab" if isinstance(error, NotAllowed) else "", error.message)]


def noticed_by(error: DomainError) -> list[Problem]:
    """What is no problem, and may be the cause of one: a misspelt key, say."""
    return error.warnings if isinstance(error, InvalidRequest) else []


# --- what the panel shows ---------------------------------------------------------------------


def refused(
    request: PageRequest, text: str, problems: list[Problem], warnings: Sequence[Problem] = ()
) -> dict[str, Any]:
    """For submit/result.html: the problems with their places, what else was noticed, and how far the checks came."""
    return {
        "faults": faults_in(text, problems),
        "warnings": faults_in(text, list(warnings)),
        "lines": _lines(request, problems, text),
    }


def accepted(
    request: PageRequest, prepared: PreparedRun, text: str, extra: dict[str, Any] | None = None
) -> dict[str, Any]:
    """For submit/result.html: everything that the configuration would become."""
    estimate = estimate_for(prepared.version, prepared.configuration)
    return {
        "prepared": prepared,
        **again.comparison(prepared),
        **_project(request, prepared),
        "estimate": estimate,
        "lines": [*_good_lines(prepared), *_budget_lines(prepared, estimate)],
        "warnings": faults_in(text, prepared.warnings),
        "curl": curl(request, prepared),
        "resources": resource_facts(prepared.resources),
        **(extra or {}),
    }


def _project(request: PageRequest, prepared: PreparedRun) -> dict[str, Any]:
    """The project's last run and what is other in this one, unless the page compares with an origin already."""
    if prepared.origin is not None:
        return {}
    last: Run | None = last_of_project(request.user, prepared)
    if last is None:
        return {}
    return {
        "last_run": last,
        "last_differences": differences(last.configuration, prepared.configuration),
        "last_version": last.version if last.version_id != prepared.version.pk else None,
        "most_differences": MOST,
    }


def _labels() -> dict[str, str]:
    return {
        "syntax": _("JSON"),
        "schema": _("Schema"),
        "rules": _("Rules about rows"),
        "target": _("Pipeline, lab and system"),
        "script": _("Job script"),
    }


def _kind(problem: Problem) -> str:
    if problem.code.startswith(CODE):
        return "rules"
    if problem.code.startswith("script_"):
        return "script"
    return "target" if problem.code in _TARGET else "schema"


def _lines(request: PageRequest, problems: list[Problem], text: str) -> list[Line]:
    """How the steps stand where there are problems; those that could not be reached are "later"."""
    try:
        document = intake.parse_document(text.encode("utf-8", "surrogatepass"))
    except InvalidRequest:
        counts, reached = {"syntax": len(problems)}, ["syntax"]
    else:
        named = request.POST.get("pipeline") or document.get("pipeline")
        is_known = isinstance(named, str) and version_named(request, named) is not None
        kinds = [_kind(problem) if is_known else "target" for problem in problems]
        counts = {kind: kinds.count(kind) for kind in kinds}
        reached = ["syntax", "target", "schema", "rules"] if is_known else ["syntax"]
    lines = []
    for name, label in _labels().items():
        number = counts.get(name, 0)
        status = "bad" if number else "good" if name in reached else "later"
        lines.append(Line(name, label, status, _count(number) if number else ""))
    return lines


def _system_lines(found: Preflight) -> list[Line]:
    labels = {
        "inputs": _("Input files"),
        "directory": _("Run directory"),
        "space": _("Space"),
        "quota": _("Quota"),
        "account": _("Account"),
        "queue": _("Queue"),
        "start": _("Scheduler"),
    }
    return [
        Line(step.name, labels[step.name], step.status, step.message, step.details)
        for step in found.steps
    ]


def _count(number: int) -> str:
    return ngettext("%d problem", "%d problems", number) % number


def _good_lines(prepared: PreparedRun) -> list[Line]:
    by_rules = [one for one in prepared.warnings if one.code.startswith(CODE)]
    others = len(prepared.warnings) - len(by_rules)
    notes = {
        "schema": others,
        "rules": len(by_rules),
    }
    told = {
        "rules": _("%(number)s of this pipeline") % {"number": len(prepared.version.rules)}
        if prepared.version.rules
        else _("this pipeline declares none"),
        "target": f"{prepared.version}, {prepared.lab.slug}, {prepared.system.name}",
    }
    return [
        Line(
            name,
            label,
            Status.WARNING if notes.get(name) else Status.GOOD,
            _("%(number)s worth a look") % {"number": notes[name]}
            if notes.get(name)
            else told.get(name, ""),
        )
        for name, label in _labels().items()
    ]


def _budget_lines(prepared: PreparedRun, estimate: Estimate) -> list[Line]:
    """What the run would do to its lab's budget, where that is worth a word."""
    text = budget_warning(prepared.lab, estimate.core_hours or 0.0)
    return [Line("budget", _("Budget"), Status.WARNING, text)] if text else []


def curl(request: PageRequest, prepared: PreparedRun | None = None) -> dict[str, str]:
    """The API request that does the same; with the configuration in it where that is short."""
    base = settings.CENTRO_PUBLIC_URL or request.build_absolute_uri("/")
    url = f"{str(base).rstrip('/')}/api/v1/new-run/"
    if prepared is None:
        return {"command": posting(url, "@config.json"), "url": url}
    named = {"pipeline": str(prepared.version), **prepared.configuration}
    text = json.dumps(named, indent=2, ensure_ascii=False)
    if len(text) > CURL_TEXT_LIMIT:
        return curl(request)
    return {"command": f"{posting(url, '@-')} <<'JSON'\n{text}\nJSON", "url": url}
