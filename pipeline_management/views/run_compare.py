"""Two runs beside each other."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpResponseBase
from django.shortcuts import render

from pipeline_management.models import Run
from pipeline_management.services import compare
from pipeline_management.views.access import PageRequest, page, visible_run


@page()
def runs(request: PageRequest) -> HttpResponseBase:
    """The runs ``?a=`` and ``?b=``; without both a form that asks for them. 404 unless the viewer may see both."""
    given = {name: request.GET.get(name, "").strip() for name in ("a", "b")}
    if not all(given.values()):
        return render(request, "runs/compare_form.html", given)
    before, after = (_run(request, given[name]) for name in ("a", "b"))
    context = {
        "a": before,
        "b": after,
        "found": compare.compare(before, after),
        "most": compare.MOST,
    }
    return render(request, "runs/compare.html", context)


def _run(request: PageRequest, given: str) -> Run:
    try:
        return visible_run(request, uuid.UUID(given), with_texts=True)
    except ValueError:
        raise Http404 from None
