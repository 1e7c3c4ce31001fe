"""The list of runs, its live fragment, and its exports."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.filters import RunFilter
from pipeline_management.models import Run
from pipeline_management.policy import may_submit
from pipeline_management.services import exports
from pipeline_management.tables import COUNT_LIMIT, PER_PAGE, BoundedPaginator, RunTable
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.live import fragment, marked

EXPORTS = {
    "csv": ("text/csv; charset=utf-8", exports.as_csv),
    "json": ("application/json", exports.as_json),
}


def _filtered(request: PageRequest) -> RunFilter:
    """The filter over what the viewer may see. An invalid filter has no rows: never more than asked for."""
    # Looked up apart: with joins beside the order, MariaDB sorts the whole table instead of walking the index
    runs = Run.objects.visible_to(request.user).defer("configuration_json", "script")
    runs = runs.prefetch_related("version__pipeline", "lab", "submitter", "system", "account")
    narrowed = RunFilter(request.GET, queryset=runs, request=request)
    if not narrowed.is_valid():
        narrowed.queryset = runs.none()
    return narrowed


def _table(request: PageRequest, narrowed: RunFilter) -> RunTable:
    """The table in the order and at the page asked for; nonsense there means the default, not an error."""
    table = RunTable(narrowed.qs if narrowed.is_valid() else narrowed.queryset)
    table.request = request
    if request.GET.getlist("sort"):
        table.order_by = request.GET.getlist("sort")
    asked = request.GET.get("page", "1")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 1
    table.paginate(page=1, per_page=PER_PAGE, paginator_class=BoundedPaginator)
    table.page = table.paginator.get_page(number)
    return table


@page()
def run_list(request: PageRequest) -> HttpResponseBase:
    """The runs that the viewer may see; asked for by htmx, only the table."""
    narrowed = _filtered(request)
    table = _table(request, narrowed)
    shown = [row.record for row in table.paginated_rows]
    context: dict[str, Any] = {
        "filter": narrowed,
        "narrowed": narrowed.is_narrowed,
        "table": table,
        "live": any(not RunState(run.state).is_terminal for run in shown),
        "now": timezone.now(),
        "count_limit": COUNT_LIMIT,
        "query": request.GET.urlencode(),
        "ticks": True,
    }
    if request.htmx:
        return fragment(request, "runs/table_live.html", context)
    context["table_html"], _ = marked(request, "runs/table_live.html", context)
    context["may_submit"] = may_submit(request.user)
    context["states"] = [state for state in RunState if state is not RunState.DRAFT]
    context["chosen_states"] = request.GET.getlist("state")
    return render(request, "runs/list.html", context)


@page()
def export(request: PageRequest) -> HttpResponseBase:
    """The current filter's runs as CSV or JSON (``?format=``), streamed; 400 names what is wrong."""
    chosen = request.GET.get("format", "csv")
    narrowed = _filtered(request)
    faults = [
        f"{name}: {' '.join(map(str, messages))}" for name, messages in narrowed.errors.items()
    ]
    if chosen not in EXPORTS:
        faults.append(f"format: expected csv or json, not {chosen[:40]!r}")
    if faults:
        return HttpResponse("\n".join(faults) + "\n", status=400, content_type="text/plain; charset=utf-8")
    content_type, write = EXPORTS[chosen]
    lines = write(exports.run_rows(narrowed.qs))
    name = f"centro-runs-{timezone.now():%Y%m%d-%H%M%S}.{chosen}"
    return StreamingHttpResponse(
        lines,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
