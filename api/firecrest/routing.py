"""Addresses as FirecREST clients write them: with or without a last slash, with doubled slashes."""

from __future__ import annotations

import re
from typing import Any

from django.urls import URLPattern
from django.urls.resolvers import RoutePattern
from django.views import View

_SLASHES = re.compile("/{2,}")


class ForgivingRoute(RoutePattern):
    """A route that is compared after doubled slashes and those at the ends are taken away.

    A redirect to the one right form would lose the body of a POST.
    """

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """As of the base class, for the tidied path."""
        return super().match(_SLASHES.sub("/", path).strip("/"))


class Anything(RoutePattern):
    """Matches every path, whatever characters it has."""

    def match(self, path: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
        """Always."""
        return "", (), {}


def route(address: str, view: type[View], name: str) -> URLPattern:
    """The pattern of one endpoint; ``address`` as in ``path()``, without slashes at the ends.

    The name must start with "firecrest-".
    """
    pattern = ForgivingRoute(address, name=name, is_endpoint=True)
    return URLPattern(pattern, view.as_view(), None, name)


def everything_else(view: type[View], name: str) -> URLPattern:
    """The pattern that answers where no other does; comes last."""
    return URLPattern(Anything("", name=name, is_endpoint=True), view.as_view(), None, name)
