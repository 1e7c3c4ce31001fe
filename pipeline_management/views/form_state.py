"""What the scripts of the submission page ask for: the schema of a version, and the person's draft."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect

from pipeline_management.errors import Conflict, InvalidRequest, Problem, TooLarge
from pipeline_management.models import Draft, PipelineVersion
from pipeline_management.policy import may_submit
from pipeline_management.querysets import visible_versions
from pipeline_management.services import drafts
from pipeline_management.services.documents import MAX_BODY
from pipeline_management.services.form_choices import form_choices
from pipeline_management.views.access import PageRequest, page


def version_named(request: PageRequest, reference: str) -> PipelineVersion | None:
    """The version that ``name``, ``name@version``, ``name@latest`` or ``name@development`` means, if the viewer
    may run it."""
    name, _at, wanted = reference.partition("@")
    versions = visible_versions(request.user).filter(pipeline__name=name).order_by("-sort_key")
    if wanted == "development":
        return versions.filter(is_development=True).first()
    if wanted and wanted != "latest":
        return versions.filter(version=wanted).first()
    released = versions.filter(is_development=False).order_by("-is_pinned", "-sort_key")
    return released.first() or versions.first()


@page()
def schema(request: PageRequest, name: str) -> HttpResponseBase:
    """JSON for the form: the schema of a version (``?version=``, the latest without), its example, and the labs
    and systems to choose from. 404 where there is none that the viewer may run."""
    wanted = request.GET.get("version", "")
    version = version_named(request, f"{name}@{wanted}" if wanted else name)
    if version is None:
        raise Http404
    pipeline = version.pipeline
    answer = {
        "pipeline": str(version),
        "title": pipeline.title,
        "description": pipeline.description,
        "schema": version.schema,
        "example": version.example,
        **form_choices(request.user, version),
    }
    return JsonResponse(answer)


@page("GET", "HEAD", "PUT", "DELETE", "POST")
def draft(request: PageRequest) -> HttpResponseBase:
    """The person's draft. GET: it, or nulls. PUT: the body, UTF-8 text, takes its place. DELETE: forget it.
    POST does the same for browsers without scripts and shows an empty page."""
    if request.method == "POST":
        drafts.discard(request.user)
        return redirect("submit")
    if request.method == "DELETE":
        drafts.discard(request.user)
        return HttpResponse(status=204)
    if request.method == "PUT":
        return _save(request)
    return JsonResponse({"draft": _shown(drafts.of(request.user))})


def _shown(kept: Draft | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {
        "text": kept.text,
        "pipeline": kept.pipeline,
        "origin": kept.origin,
        "token": str(kept.token or ""),
        "revision": kept.revision,
        "saved_at": kept.saved_at.isoformat(),
        "sent": kept.sent_at is not None,
    }


def _save(request: PageRequest) -> HttpResponseBase:
    if not may_submit(request.user):
        return _refused(
            [Problem("", "You may submit in the name of no lab, so there is no draft.")], 403
        )
    try:
        kept = drafts.save(request.user, _content(request), seen=_revision(request))
    except TooLarge as error:
        return _refused(error.problems, 413)
    except InvalidRequest as error:
        return _refused(error.problems, 400)
    except Conflict as error:
        return _refused([Problem("conflict", error.message)], 409)
    return JsonResponse({"revision": kept.revision, "saved_at": kept.saved_at.isoformat()})


def _content(request: PageRequest) -> drafts.Content:
    body = request.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise TooLarge([Problem("too_large", "The draft is over 10 MB and cannot be kept.")])
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest([Problem("encoding", "The body must be UTF-8 text.")]) from error
    given = request.GET
    return drafts.Content(
        text=text,
        pipeline=given.get("pipeline", ""),
        origin=given.get("origin", ""),
        token=_uuid(given.get("token", "")),
    )


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _revision(request: PageRequest) -> int | None:
    """The revision that the page knows; without one the text goes in whatever was there."""
    given = request.GET.get("revision")
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        message = f"revision is {given[:40]!r}; expected a number of up to nine digits."
        raise InvalidRequest([Problem("revision", message)])
    return int(given)


def _refused(problems: list[Problem], status: int) -> JsonResponse:
    return JsonResponse({"errors": [problem.as_dict() for problem in problems]}, status=status)
