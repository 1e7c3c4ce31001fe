"""The same for all runs that are ticked in the list: wishes, labels, stars, submitting again, comparing, exporting."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from pipeline_management.errors import DomainError
from pipeline_management.models import Run
from pipeline_management.services import marks
from pipeline_management.services.control import many as several
from pipeline_management.services.control import wishes
from pipeline_management.services.control.wishes import MOST, Wish
from pipeline_management.views import many_words
from pipeline_management.views.access import PageRequest, page
from pipeline_management.views.runs import sent

_LONGEST_QUERY = 2000
RESUBMIT = "resubmit"


class _Refusal(Exception):
    """Nothing can be done with what was sent; the text says what to do first."""


@page("POST")
def many(request: PageRequest) -> HttpResponseBase:
    """Fields: ``action``, ``run`` (ids), ``back`` (the list's query), ``label``. Cancelling and submitting again are
    asked back first, unless ``confirmed`` is sent. Answers with the list again, and a sentence."""
    back = QueryDict(request.POST.get("back", "")[:_LONGEST_QUERY]).urlencode()
    list_url = reverse("runs") + (f"?{back}" if back else "")
    try:
        return _do(request, back, list_url)
    except _Refusal as refusal:
        context = {"refused": str(refusal), "list_url": list_url}
        return render(request, "runs/many.html", context, status=400)


def _do(request: PageRequest, back: str, list_url: str) -> HttpResponseBase:
    action = request.POST.get("action", "")
    ids = _ids(request)
    if action not in (*Wish, RESUBMIT, *_OTHERS) or not 1 <= len(ids) <= MOST:
        raise _Refusal(
            _("Tick the runs in the list first, then choose what to do: cancel, hold or release.")
        )
    if action in _OTHERS:
        return _OTHERS[action](request, ids, list_url)
    if action in (Wish.CANCEL, RESUBMIT) and "confirmed" not in request.POST:
        return _ask_back(request, action, ids, back, list_url)
    address = request.META.get("REMOTE_ADDR")
    if action == RESUBMIT:
        if len(ids) > several.MOST_AGAIN:
            raise _Refusal(
                _("At most %(most)d runs are submitted again at once.")
                % {"most": several.MOST_AGAIN}
            )
        outcomes = several.resubmit(ids, user=request.user, address=address)
    else:
        outcomes = wishes.request_many(Wish(action), ids, user=request.user, address=address)
    _tell(request, action, outcomes)
    return redirect(list_url)


def _ids(request: PageRequest) -> list[uuid.UUID]:
    try:
        return list(dict.fromkeys(uuid.UUID(value) for value in request.POST.getlist("run")))
    except ValueError:
        return []


def _tell(request: PageRequest, action: str, outcomes: list[wishes.Outcome]) -> None:
    granted = sum(outcome.granted for outcome in outcomes)
    if granted:
        messages.success(request, many_words.done(action, granted))
    if granted < len(outcomes):
        refused = [outcome.run_id for outcome in outcomes if not outcome.granted]
        seen = Run.objects.visible_to(request.user).filter(pk__in=refused).order_by()
        names = dict(seen.values_list("pk", "name"))
        messages.warning(request, many_words.refusals(action, outcomes, names))


def _ask_back(
    request: PageRequest, action: str, ids: list[uuid.UUID], back: str, list_url: str
) -> HttpResponseBase:
    runs = Run.objects.visible_to(request.user).filter(pk__in=ids).for_lists()
    runs = runs.select_related("account__system")
    if action == RESUBMIT:
        judged = [(run, several.why_not_again(run, request.user)) for run in runs]
    else:
        judged = [(run, wishes.why_not(Wish.CANCEL, run, request.user)) for run in runs]
    context: dict[str, Any] = {
        "action": action,
        "granted": [run for run, why in judged if not why],
        "refused_runs": [(run, why) for run, why in judged if why],
        "total": len(ids),
        "back": back,
        "list_url": list_url,
    }
    return render(request, "runs/many.html", context)


def _label(request: PageRequest, ids: list[uuid.UUID], list_url: str) -> HttpResponseBase:
    name = request.POST.get("label", "")[:200]
    action = request.POST["action"]
    try:
        marks.clean_label(name)
    except DomainError as error:
        raise _Refusal(error.message) from None
    outcomes = several.label(ids, name, user=request.user, on=action == "label")
    _tell(request, action, outcomes)
    return redirect(list_url)


def _star(request: PageRequest, ids: list[uuid.UUID], list_url: str) -> HttpResponseBase:
    try:
        count = marks.star(request.user, ids, on=True)
    except DomainError as error:
        raise _Refusal(error.message) from None
    messages.success(request, many_words.done("star", count))
    return redirect(list_url)


def _compare(request: PageRequest, ids: list[uuid.UUID], list_url: str) -> HttpResponseBase:
    if len(ids) != 2:
        raise _Refusal(
            _("Tick exactly two runs to compare them; %(count)d are ticked.") % {"count": len(ids)}
        )
    return redirect(f"{reverse('runs-compare')}?{urlencode({'a': str(ids[0]), 'b': str(ids[1])})}")


def _export(request: PageRequest, ids: list[uuid.UUID], list_url: str) -> HttpResponseBase:
    return sent(Run.objects.visible_to(request.user).filter(pk__in=ids), "csv")


_OTHERS: dict[str, Callable[[PageRequest, list[uuid.UUID], str], HttpResponseBase]] = {
    "label": _label,
    "unlabel": _label,
    "star": _star,
    "compare": _compare,
    "export": _export,
}
