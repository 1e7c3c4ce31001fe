"""``/tasks``: what became of requests that are answered later."""

from __future__ import annotations

import re
from typing import ClassVar

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from api.firecrest import envelopes
from api.firecrest.base import FirecrestView, Refusal
from api.firecrest.envelopes import query
from api.firecrest.errors import Service
from api.firecrest.routing import route
from pipeline_management.services import api_tasks

_ID = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)


class TasksView(FirecrestView):
    service: ClassVar[Service] = "tasks"
    description: ClassVar[str] = "Failed to retrieve tasks information"

    @extend_schema(
        operation_id="tasks",
        summary="One's own tasks",
        parameters=[query("tasks", "Comma list of task ids; unknown ones are left out.")],
        responses=envelopes.answers(200, OpenApiTypes.OBJECT, "Tasks by their ids."),
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = self.query.optional("tasks")
        ids = [one for one in asked.split(",") if _ID.fullmatch(one)] if asked is not None else None
        tasks = api_tasks.visible(self.person, ids)
        found = (f'"{task.id}": {envelopes.task_json(task, request)}' for task in tasks)
        return envelopes.json_text(f'{{"tasks": {{{", ".join(found)}}}}}')


class TaskView(FirecrestView):
    service: ClassVar[Service] = "tasks"
    description: ClassVar[str] = "Failed to retrieve task information"

    @extend_schema(
        operation_id="task",
        summary="One task",
        parameters=[OpenApiParameter("task_id", str, OpenApiParameter.PATH)],
        responses=envelopes.answers(
            200, OpenApiTypes.OBJECT, "The task, and its status as a number beside it."
        ),
    )
    def get(self, request: Request, task_id: str) -> HttpResponseBase:
        task = api_tasks.find(task_id) if _ID.fullmatch(task_id) else None
        if task is None:
            raise Refusal(404, {"error": f"Task {task_id} does not exist"})
        if task.user_id != self.person.pk:
            text = "Operation not permitted. Invalid task owner."
            raise Refusal(403, {"description": text})
        text = f'{{"task": {envelopes.task_json(task, request)}, "status": {int(task.status)}}}'
        return envelopes.json_text(text)


urlpatterns = [
    route("tasks", TasksView, "firecrest-tasks"),
    route("tasks/<task_id>", TaskView, "firecrest-task"),
]
