"""The same wish for the runs that are ticked in the list."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import Any

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pipeline_management.models import Run
from pipeline_management.services.control import wishes
from pipeline_management.services.control.wishes import MOST, Wish
from pipeline_management.views.access import PageRequest, page

_LONGEST_QUERY = 2000


@page("POST")
def many(request: PageRequest) -> HttpResponseBase:
    """Fields: ``action`` (cancel, hold, release), ``run`` (ids), ``back`` (the list's query). Cancelling is asked
    back first, unless ``confirmed`` is sent. Answers with the list again, and a sentence."""
    back = QueryDict(request.POST.get("back", "")[:_LONGEST_QUERY]).urlencode()
    list_url = reverse("runs") + (f"?{back}" if back else "")
    try:
        wish = Wish(request.POST.get("action", ""))
        ids = list(dict.fromkeys(uuid.UUID(value) for value in request.POST.getlist("run")))
    except ValueError:
        wish, ids = Wish.HOLD, []
    if not 1 <= len(ids) <= MOST:
        text = _(
            "Tick the runs in the list first, then choose what to do: cancel, hold or release."
        )
        context = {"refused": text, "list_url": list_url}
        return render(request, "runs/many.html", context, status=400)
    if wish is Wish.CANCEL and "confirmed" not in request.POST:
        return _ask_back(request, ids, back, list_url)
    outcomes = wishes.request_many(
        wish, ids, user=request.user, address=request.META.get("REMOTE_ADDR")
    )
    granted = sum(outcome.granted for outcome in outcomes)
    if granted:
        messages.success(request, _done(wish, granted))
    if granted < len(outcomes):
        messages.warning(request, _refusals(wish, outcomes))
    return redirect(list_url)


def _ask_back(
    request: PageRequest, ids: list[uuid.UUID], back: str, list_url: str
) -> HttpResponseBase:
    runs = Run.objects.visible_to(request.user).filter(pk__in=ids).for_lists()
    runs = runs.select_related("account__system")
    judged = [(run, wishes.why_not(Wish.CANCEL, run, request.user)) for run in runs]
    context: dict[str, Any] = {
        "granted": [run for run, why in judged if not why],
        "refused_runs": [(run, why) for run, why in judged if why],
        "total": len(ids),
        "back": back,
        "list_url": list_url,
    }
    return render(request, "runs/many.html", context)


def _done(wish: Wish, count: int) -> str:
    sentences = {
        Wish.CANCEL: ngettext("%d run is being cancelled.", "%d runs are being cancelled.", count),
        Wish.HOLD: ngettext("%d run is held.", "%d runs are held.", count),
        Wish.RELEASE: ngettext("%d run is released.", "%d runs are released.", count),
    }
    return sentences[wish] % count


def _refusals(wish: Wish, outcomes: list[wishes.Outcome]) -> str:
    """ "2 of 5 cannot be held: The run is over (failed). (2)" """
    reasons = Counter(outcome.reason for outcome in outcomes if not outcome.granted)
    verbs = {Wish.CANCEL: _("cancelled"), Wish.HOLD: _("held"), Wish.RELEASE: _("released")}
    return _("%(refused)d of %(all)d cannot be %(verb)s: %(reasons)s") % {
        "refused": reasons.total(),
        "all": len(outcomes),
        "verb": verbs[wish],
        "reasons": " ".join(
            f"{reason} ({count})" if count > 1 else reason
            for reason, count in reasons.most_common(5)
        ),
    }
