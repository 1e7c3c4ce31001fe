"""The list of runs, its live fragment, and its exports."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.filters import RunFilter
from pipeline_management.models import Run
from pipeline_management.policy import may_submit
from pipeline_management.querysets import RunQuerySet
from pipeline_management.search.keys import KEYS
from pipeline_management.search.language import MAX_LENGTH
from pipeline_management.services import exports, grouping, marks
from pipeline_management.tables import (
    PAGE_SIZES,
    PER_PAGE,
    BoundedPaginator,
    RunTable,
    table_data,
)
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.live import fragment, marked


def _filtered(request: PageRequest) -> RunFilter:
    """The filter over what the viewer may see. An invalid filter has no rows: never more than asked for."""
    runs = Run.objects.visible_to(request.user)
    narrowed = RunFilter(request.GET, queryset=runs, request=request)
    if not narrowed.is_valid():
        narrowed.queryset = runs.none()
    return narrowed


def _table(request: PageRequest, narrowed: RunFilter) -> RunTable:
    """The table in the order and at the page asked for; nonsense there means the default, not an error."""
    runs = narrowed.qs if narrowed.is_valid() else narrowed.queryset
    orders = [
        name for name in request.GET.getlist("sort") if name.lstrip("-") in RunTable.base_columns
    ]
    table = RunTable(table_data(runs, orders), order_by=orders)
    table.request = request
    # not by table.paginate, which would read its page before the one that is asked for
    wanted = _number(request.GET.get("page", "")) or 1
    table.paginator = BoundedPaginator(table.rows, _size(request), wanted)
    table.page = table.paginator.get_page(wanted)
    return table


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _size(request: PageRequest) -> int:
    asked = _number(request.GET.get("size", ""))
    return asked if asked in PAGE_SIZES else PER_PAGE


@page()
def run_list(request: PageRequest) -> HttpResponseBase:
    """The runs that the viewer may see; asked for by htmx, only the table. ``group=cause``: why they failed."""
    narrowed = _filtered(request)
    if request.GET.get("group") == "cause":
        groups = grouping.by_cause(narrowed.qs) if narrowed.is_valid() else []
        searched = request.GET.get("q", "")
        grouped: dict[str, Any] = {
            "groups": [(group, f"{searched} cause:{group.cause}".strip()) for group in groups]
        }
        return render(request, "runs/list.html", {**grouped, **_frame(request, narrowed)})
    context = _rows(request, narrowed)
    if request.htmx:
        return fragment(request, "runs/table_live.html", context)
    context["table_html"], _mark = marked(request, "runs/table_live.html", context)
    nothing = not narrowed.is_narrowed and not context["table"].paginator.count
    frame = {**context, **_frame(request, narrowed), "nothing": nothing}
    return render(request, "runs/list.html", frame)


def _rows(request: PageRequest, narrowed: RunFilter) -> dict[str, Any]:
    """What the table shows."""
    table = _table(request, narrowed)
    shown = [row.record for row in table.paginated_rows]
    return {
        "filter": narrowed,
        "narrowed": narrowed.is_narrowed,
        "table": table,
        "live": any(not RunState(run.state).is_terminal for run in shown),
        "now": timezone.now(),
        "query": request.GET.urlencode(),
        "ticks": True,
        "stars": marks.starred(request.user, [run.pk for run in shown]),
        "per_page": table.paginator.per_page,
        "sizes": PAGE_SIZES,
        "may_begin": partial(may_submit, request.user),
    }


def _frame(request: PageRequest, narrowed: RunFilter) -> dict[str, Any]:
    """What stands around the table."""
    offer = marks.offer_to(request.user)
    return {
        "filter": narrowed,
        "narrowed": narrowed.is_narrowed,
        "fields_set": narrowed.fields_set,
        "query": request.GET.urlencode(),
        "searched": request.GET.get("q", "")[:MAX_LENGTH],
        "kept": [
            (n, v) for n in ("submitter", "size", "sort") for v in request.GET.getlist(n) if v
        ],
        "mine": request.GET.get("submitter") == "me",
        "may_submit": may_submit(request.user),
        "states": [state for state in RunState if state is not RunState.DRAFT],
        "chosen_states": request.GET.getlist("state"),
        "views": offer.views,
        "shared_labs": offer.labs,
        "cloud": offer.labels,
        "keys": KEYS.items(),
    }


@page()
def export(request: PageRequest) -> HttpResponseBase:
    """The current filter's runs as CSV, JSON or xlsx (``?format=``), streamed; 400 names what is wrong."""
    chosen = request.GET.get("format", "csv")
    narrowed = _filtered(request)
    faults = [
        f"{name}: {' '.join(map(str, messages))}" for name, messages in narrowed.errors.items()
    ]
    if chosen not in exports.FORMATS:
        faults.append(f"format: expected {', '.join(exports.FORMATS)}, not {chosen[:40]!r}")
    if faults:
        return HttpResponse(
            "\n".join(faults) + "\n", status=400, content_type="text/plain; charset=utf-8"
        )
    return sent(narrowed.qs, chosen)


def sent(runs: RunQuerySet, chosen: str) -> StreamingHttpResponse:
    """The runs as a download in one of ``exports.FORMATS``."""
    content_type, write = exports.FORMATS[chosen]
    name = f"centro-runs-{timezone.now():%Y%m%d-%H%M%S}.{chosen}"
    return StreamingHttpResponse(
        write(exports.run_rows(runs)),
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
