"""What stands beside the list of runs: suggestions while one types, saved searches."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from pipeline_management.errors import DomainError
from pipeline_management.search.language import MAX_LENGTH
from pipeline_management.search.suggesting import suggest
from pipeline_management.services import marks
from pipeline_management.views.access import PageRequest, page

NOT_SAVED = ("page", "sort", "size")


@page()
def suggestions(request: PageRequest) -> HttpResponseBase:
    """What may follow the search typed so far (``?q=``), as the entries of a list box."""
    text = request.GET.get("q", "")[:MAX_LENGTH]
    return render(request, "runs/suggestions.html", {"found": suggest(request.user, text)})


@page("POST")
def save(request: PageRequest) -> HttpResponseBase:
    """Keep the list's search: ``name``, ``query``, and ``lab`` (its short name) to share it."""
    query = QueryDict(request.POST.get("query", "")[:2000], mutable=True)
    for name in NOT_SAVED:
        query.pop(name, None)
    text = query.urlencode()
    slug = request.POST.get("lab", "")
    lab = marks.shared_labs(request.user).filter(slug=slug).first() if slug else None
    if slug and lab is None:
        messages.error(request, _("You can share a search only with a lab that you manage."))
    else:
        try:
            view = marks.save_view(request.user, request.POST.get("name", ""), text, lab)
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, _("The search “%(name)s” is saved.") % {"name": view.name})
    return redirect(reverse("runs") + (f"?{text}" if text else ""))


@page("POST")
def delete(request: PageRequest, view_id: int) -> HttpResponseBase:
    """Delete a saved search of one's own, or one that one's lab shares."""
    try:
        marks.delete_view(request.user, view_id)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The saved search is deleted."))
    return redirect("runs")
