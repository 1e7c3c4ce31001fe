"""The events that a run's own job reported, in words for its timeline."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from pipeline_management.choices import TaskState
from pipeline_management.models import RunEvent


def title(event: RunEvent) -> str:
    """What happened, in a few words."""
    data = _data(event)
    match event.type:
        case "progress":
            return _("Progress %(percent)s %%") % {"percent": data.get("percent")}
        case "task":
            state = str(data.get("state", ""))
            label = TaskState(state).label if state in TaskState else state
            return _("Task %(name)s: %(state)s") % {"name": data.get("name"), "state": label}
        case "metric":
            value = " ".join(str(data[key]) for key in ("value", "unit") if key in data)
            return f"{data.get('name')}: {value}"
        case "artifact":
            return _("Result: %(name)s") % {"name": data.get("label") or data.get("path")}
        case "error":
            return _("Error reported")
        case "completed":
            return _("The job says that it is done")
        case _:
            return _("Message")


def tone(event: RunEvent) -> str:
    """A colour name."""
    if event.type == "error":
        return "danger"
    state = str(_data(event).get("state", ""))
    return TaskState(state).colour if event.type == "task" and state in TaskState else "secondary"


def text(event: RunEvent) -> str:
    """What the job says itself."""
    data = _data(event)
    if event.type == "artifact":
        return str(data["path"]) if data.get("label") else ""
    return str(data.get("text", ""))


def _data(event: RunEvent) -> dict[str, Any]:
    return event.data if isinstance(event.data, dict) else {}
