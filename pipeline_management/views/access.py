"""Who may look at pages at all, and how a fragment says that the log-in has ended."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.policy import scopes_remembered
from pipeline_management.models import Run

View = Callable[..., HttpResponseBase]


class PageRequest(HttpRequest):
    """A request of somebody who is logged in, with django-htmx's mark. For type annotations only."""

    user: User
    htmx: Any


def page(*methods: str) -> Callable[[View], View]:
    """A page for people who are logged in, for the given methods (GET and HEAD by default).

    Others go to the log-in page and come back after it; a fragment that polls makes its page reload,
    which then does the same, instead of showing the log-in form in the middle of a page.
    """

    def decorate(view: View) -> View:
        @functools.wraps(view)
        @require_http_methods(methods or ("GET", "HEAD"))
        @never_cache
        def checked(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.user.is_authenticated and request.method in ("GET", "HEAD"):
                with scopes_remembered():
                    return view(request, *args, **kwargs)
            if request.user.is_authenticated:
                return view(request, *args, **kwargs)
            if request.htmx:
                return HttpResponse(status=401, headers={"HX-Refresh": "true"})
            return redirect_to_login(request.get_full_path())

        return checked

    return decorate


def visible_run(request: PageRequest, pk: uuid.UUID, *, with_texts: bool = False) -> Run:
    """The run if the viewer may see it, else 404, so that nobody learns which ids exist."""
    runs = Run.objects.visible_to(request.user)
    related = ("version__pipeline", "lab", "submitter", "system", "account", "cancel_requested_by")
    runs = runs.select_related(*related)
    if not with_texts:
        runs = runs.defer("configuration_json", "script")
    run = runs.filter(pk=pk).first()
    if run is None:
        raise Http404
    return run
