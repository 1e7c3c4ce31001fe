"""The forms of successful answers, and how they are described in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from api.firecrest import external
from pipeline_management.services import long_answers


def output(value: Any = "", description: str = "Success", status: int = 200) -> JsonResponse:
    """What utilities answer: ``value`` is any JSON. Bytes that are no UTF-8 stay surrogate escapes."""
    return JsonResponse({"description": description, "output": value}, status=status)


def no_content() -> HttpResponseBase:
    """204, without a body, its type and its length: the last would be added to any but a stream."""
    answer = StreamingHttpResponse(iter(()), status=204)
    del answer["Content-Type"]
    return answer


def out(value: Any, description: str) -> JsonResponse:
    """What the status endpoints answer."""
    return JsonResponse({"description": description, "out": value})


def task_url(task_id: str, request: Request) -> str:
    """The absolute address of a task, with the host that the client sees."""
    return request.build_absolute_uri(f"/firecrest/v1/tasks/{task_id}")


def created(task: Any, request: Request, status: int = 201) -> JsonResponse:
    """The answer of every endpoint that makes a task: 201 for submissions and transfers, 200 for queries."""
    body = {
        "success": "Task created",
        "task_id": task.id,
        "task_url": task_url(task.id, request),
    }
    return JsonResponse(body, status=status)


def task_object(task: Any, request: Request) -> dict[str, Any]:
    """A task as clients read it: all strings but ``data``; the id twice, the last change twice."""
    updated = stamp(task.updated_at)
    transfer = external.transfer_of(task)
    return {
        "hash_id": task.id,
        "task_id": task.id,
        "user": task.user.get_username(),
        "status": str(task.status),
        "description": task.description,
        "service": task.service,
        "system": task.system.name,
        "created_at": stamp(task.created_at),
        "updated_at": updated,
        "last_modify": updated,
        "data": task.data if transfer is None else external.data_of(transfer, task),
        "task_url": task_url(task.id, request),
    }


def task_json(task: Any, request: Request) -> str:
    """``task_object`` as JSON; a long answer is put in as the text that it is stored as."""
    if task.answer_id is None:
        return long_answers.as_json(task_object(task, request))
    head = long_answers.as_json(task_object(task, request) | {"data": None})
    return head.replace('"data": null', f'"data": {long_answers.text_of(task.answer_id)}', 1)


def json_text(text: str) -> HttpResponse:
    """An answer whose JSON is written already."""
    return HttpResponse(text, content_type="application/json")


def stamp(moment: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SS`` in the site's time zone, from an aware time."""
    return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M:%S")


# --- description ------------------------------------------------------------------------------

_TEXT = {"type": "string"}
ERROR = {
    "type": "object",
    "properties": {"description": _TEXT, "error": _TEXT, "message": _TEXT},
    "additionalProperties": True,
}
TASK_CREATED = {
    "type": "object",
    "properties": {"success": _TEXT, "task_id": _TEXT, "task_url": _TEXT},
    "required": ["success", "task_id", "task_url"],
}
MACHINE = OpenApiParameter(
    "X-Machine-Name", str, OpenApiParameter.HEADER, required=True,
    description="Name of the system, as listed by /status/systems.",
)  # fmt: skip
_EVERYWHERE = {
    400: "The request, the system or the command failed; a header X-… says how.",
    401: "No token, or not a valid one.",
    403: "You may not do this.",
    404: "There is no such thing.",
    405: "The address does not know the method.",
    429: "Too many requests; see Retry-After.",
    503: "Centro or the system is too busy at the moment; see Retry-After.",
}
_WITH_BODY = {
    411: "A body without a length.",
    413: "The body is over the limit.",
    415: "The body is not a form.",
}


def answers(
    status: int | tuple[int, str], schema: Any, text: str = "", *, body: bool = False
) -> dict[int | tuple[int, str], OpenApiResponse]:
    """All statuses of an endpoint: the one success and every error. ``body`` where it reads a form.

    ``status`` with a media type is for an answer that is no JSON.
    """
    errors = _EVERYWHERE | _WITH_BODY if body else _EVERYWHERE
    found: dict[int | tuple[int, str], OpenApiResponse] = {
        status: OpenApiResponse(schema, text or "Success.")
    }
    return found | {code: OpenApiResponse(ERROR, why) for code, why in errors.items()}


def output_schema(value: Mapping[str, Any]) -> dict[str, Any]:
    """The description of ``output`` with this JSON Schema as its value."""
    return {
        "type": "object",
        "properties": {"description": _TEXT, "output": dict(value)},
        "required": ["description", "output"],
    }


def utility(
    name: str,
    summary: str,
    *fields: OpenApiParameter,
    request: Any = None,
    status: int = 200,
    value: Mapping[str, Any] | None = None,
    text: str = "",
) -> Any:
    """Describes an endpoint of ``/utilities/``, as a decorator of the view's method.

    ``fields`` are query parameters, ``request`` is a ``form``, ``value`` the JSON Schema of ``output``,
    ``text`` what else there is to say.
    """
    schema = None if status == 204 else output_schema(value or _TEXT)
    return extend_schema(
        operation_id=f"utilities_{name}",
        summary=summary,
        description=text or None,
        parameters=[MACHINE, *fields],
        request=request,
        responses=answers(status, schema, body=request is not None),
    )


def query(name: str, text: str, *, required: bool = False, kind: Any = str) -> OpenApiParameter:
    """A query parameter for ``extend_schema``."""
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, required=required, description=text)


def form(
    required: Mapping[str, str], optional: Mapping[str, str] | None = None, *, file: str = ""
) -> Any:
    """The body of an endpoint for ``extend_schema(request=…)``: field names and what they mean.

    ``file`` is the name of the file part, if there is one; then only multipart is offered.
    """
    fields = {n: {"type": "string", "description": t} for n, t in required.items()}
    fields |= {n: {"type": "string", "description": t} for n, t in (optional or {}).items()}
    names = [*required]
    if file:
        fields[file] = {"type": "string", "format": "binary", "description": "The file."}
        names.append(file)
    schema = {"type": "object", "properties": fields, "required": names}
    kinds = ["multipart/form-data"]
    if not file:
        kinds.insert(0, "application/x-www-form-urlencoded")
    return {kind: schema for kind in kinds}
