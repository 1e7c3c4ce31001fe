"""Fragments that a page asks for again and again: nothing is sent while nothing has changed."""

from __future__ import annotations

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

HEADER = "X-Fragment"


def fragment(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The rendered template, or 204 if it is what the page shows already.

    The page sends the mark of what it shows in the header ``X-Fragment``; the template puts the new one
    (``mark``, a digest of its own text) in place. So focus, selection and scrolling stay untouched.
    """
    text, mark = marked(request, template, context)
    if request.headers.get(HEADER) == mark:
        return HttpResponse(status=204)
    return HttpResponse(text)


def marked(request: HttpRequest, template: str, context: dict[str, Any]) -> tuple[SafeString, str]:
    """The fragment's text and the mark in it."""
    blank = "\N{SYMBOL FOR NULL}mark"
    text = render_to_string(template, {**context, "mark": blank}, request)
    mark = hashlib.sha256(text.encode()).hexdigest()[:16]
    return mark_safe(text.replace(blank, mark)), mark  # noqa: S308  rendered by the line above
