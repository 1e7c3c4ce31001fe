"""What was used of the systems, by whom and for what; exports of it; the budgets of labs."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import Lab
from pipeline_management.forms.usage import BudgetForm, UsageForm
from pipeline_management.models import Budget
from pipeline_management.services.usage import budgets, exporting, reading
from pipeline_management.services.usage.periods import Period, month_of
from pipeline_management.services.usage.reading import Group, Measure, Row
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.usage_words import amount, drawn, drawn_rows

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@page()
def usage(request: PageRequest) -> HttpResponseBase:
    """The table and the course of the chosen period; 400 with this month's where the choice is wrong."""
    form = UsageForm(request.GET, viewer=request.user)
    is_valid = form.is_valid()
    period = form.chosen_period
    group, measure = form.chosen("group", Group.PERSON), form.chosen("measure", Measure.CORE)
    rows = reading.of(request.user, period, form.cleaned_data.get("lab"))
    sort = form.chosen("sort", "name" if group == Group.MONTH else f"-{measure}")
    grouped, steps = reading.by_and_course(group, rows)
    table = reading.sorted_rows(grouped, sort)
    total = reading.added(step.sums for step in steps)
    context = {
        "form": form,
        "period": period,
        "group": Group(group),
        "measure": Measure(measure),
        "rows": drawn_rows(table, measure, lambda row: _runs_address(group, row, period)),
        "is_cut": len(table) >= reading.MOST_ROWS,
        "total": total,
        "total_texts": [amount(total.of(m), m) for m in Measure],
        "plot": drawn(steps, measure, period),
        "steps": [(step, amount(step.sums.of(measure), measure)) for step in steps],
        "headings": _headings(request, sort),
        "query": request.GET.urlencode(),
        "labs": budgets.managed_labs(request.user),
        "standings": [(one, budgets.pace(one)) for one in budgets.seen_by(request.user)],
    }
    return render(request, "usage/page.html", context, status=200 if is_valid else 400)


@page()
def export(request: PageRequest) -> HttpResponseBase:
    """The chosen table as CSV or workbook (``?format=``); 400 names what is wrong."""
    form = UsageForm(request.GET, viewer=request.user)
    kind = request.GET.get("format", "csv")
    form.is_valid()
    faults = [f"{name}: {' '.join(map(str, said))}" for name, said in form.errors.items()]
    if kind not in ("csv", "xlsx"):
        faults.append(f"format: expected csv or xlsx, not {kind[:40]!r}")
    if faults:
        text = "\n".join(faults) + "\n"
        return HttpResponse(text, status=400, content_type="text/plain; charset=utf-8")
    period, group = form.chosen_period, form.chosen("group", Group.PERSON)
    found = reading.of(request.user, period, form.cleaned_data.get("lab"))
    rows = reading.sorted_rows(reading.by(group, found), form.chosen("sort", "name"))
    body: str | bytes = exporting.as_csv(rows, period, group)
    if kind == "xlsx":
        body = exporting.as_workbook(rows, period, group)
    name = f"centro-usage-{group}-{period.first}-{period.last}.{kind}"
    return HttpResponse(
        body,
        content_type=_XLSX if kind == "xlsx" else "text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@page("GET", "HEAD", "POST")
def budget(request: PageRequest, slug: str) -> HttpResponseBase:
    """The budget of a lab: looked at, set, or (``remove``) taken away by its managers and administrators."""
    lab = Lab.objects.filter(slug=slug).first()
    if lab is None or not budgets.may_set(request.user, lab):
        raise Http404
    known = Budget.objects.filter(lab=lab).select_related("lab", "updated_by").first()
    form = BudgetForm(request.POST if request.method == "POST" else None, instance=known)
    address = request.META.get("REMOTE_ADDR")
    if request.method == "POST" and "remove" in request.POST:
        budgets.remove(lab, user=request.user, address=address)
        messages.success(request, _("The lab has no budget any more."))
        return redirect("usage")
    if request.method == "POST" and form.is_valid():
        names = ("kind", "core_hours", "starts", "ends")
        values: dict[str, Any] = {name: form.cleaned_data[name] for name in names}
        budgets.save(lab, user=request.user, address=address, **values)
        messages.success(request, _("The budget is saved."))
        return redirect("usage-budget", slug=slug)
    context = {
        "lab": lab,
        "form": form,
        "budget": known,
        "standings": [(one, budgets.pace(one)) for one in _standings(known, form)],
    }
    return render(request, "usage/budget.html", context, status=400 if form.errors else 200)


def _standings(known: Budget | None, form: BudgetForm) -> list[budgets.Standing]:
    """How the budget stands; a form with errors has put them into the row that it was to change."""
    return budgets.standings([known] if known is not None and not form.errors else [])


def _headings(request: PageRequest, sort: str) -> list[dict[str, Any]]:
    """The columns of the table: each sorts by itself, the other way round at the second time."""
    shown = [("name", ""), *((str(m.value), m.label) for m in Measure)]
    made = []
    for name, label in shown:
        is_down = sort == f"-{name}"
        is_sorted = sort.removeprefix("-") == name
        query = request.GET.copy()
        query["sort"] = name if is_down or (name == "name" and sort != "name") else f"-{name}"
        state = ("descending" if is_down else "ascending") if is_sorted else "none"
        made.append({"name": name, "label": label, "query": query.urlencode(), "state": state})
    return made


def _runs_address(group: str, row: Row, period: Period) -> str:
    """The runs that stand behind a row, as near as the list can say: it goes by the day of submission."""
    keys = {
        Group.PERSON: "submitter",
        Group.PIPELINE: "pipeline",
        Group.SYSTEM: "system",
        Group.LAB: "lab",
    }
    query = {}
    if group == Group.MONTH:
        period = month_of(date.fromisoformat(f"{row.key}-01"))
    elif row.key:
        query = {keys[Group(group)]: row.key}
    else:
        return ""
    days = {"created_after": period.first.isoformat(), "created_before": period.last.isoformat()}
    return f"{reverse('runs')}?{urlencode(query | days)}"
