"""What a webhook is sent, and how it is signed."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from accounts.models import Lab
from pipeline_management.models import Delivery, Run, RunEvent
from pipeline_management.services import presentation


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of ``X-Centro-Signature``: HMAC-SHA256 over timestamp, a dot, and the body as sent."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def document(delivery: Delivery, lab: Lab) -> tuple[str, bytes]:
    """The type of the event and the JSON body. The same delivery gives the same body each time."""
    run, seq = delivery.run, delivery.event_seq
    if run is None or seq is None:
        values: dict[str, Any] = {
            "id": str(delivery.pk),
            "type": "test",
            "at": _time(delivery.created_at),
            "lab": lab.slug,
            "run": None,
        }
    else:
        event = RunEvent.objects.filter(run=run, seq=seq).first()
        values = {
            "id": f"{run.pk}-{seq}",
            "type": f"run.{run.state}",
            "at": _time(event.at if event is not None else run.finished_at),
            "lab": lab.slug,
            "run": run_fields(run),
        }
    return str(values["type"]), json.dumps(values, ensure_ascii=False).encode()


def run_fields(run: Run) -> dict[str, Any]:
    """The run as ``GET /api/v1/runs/{id}/`` shows it, but for its large parts (configuration, script,
    attempts) and what only open runs have (attention, last confirmation, held)."""
    version = run.version
    return {
        "id": str(run.pk),
        "name": run.name,
        "kind": run.kind,
        "pipeline": version.pipeline.name if version is not None else None,
        "version": version.version if version is not None else None,
        "system": run.system.name,
        "lab": run.lab.slug if run.lab is not None else None,
        "submitter": run.submitter.get_username(),
        "source": run.source,
        "state": run.state,
        "desired": run.desired,
        "reason": run.reason or None,
        "reason_text": run.reason_text,
        "explanation": presentation.explain(run),
        "exit_code": run.exit_code,
        "signal": run.signal,
        "job_id": run.job_id or None,
        "queue_state": run.queue_state,
        "queue_reason": run.queue_reason,
        "nodes": run.nodes,
        "progress": run.progress,
        "progress_text": run.progress_text,
        "tasks_total": run.tasks_total,
        "tasks_done": run.tasks_done,
        "tasks_failed": run.tasks_failed,
        **{name: _time(getattr(run, name)) for name in _TIMES},
        "resources": run.resources,
        "links": links(run),
    }


_LINKED = (
    *("events", "tasks", "log", "labels", "notes", "star"),
    *("cancel", "hold", "release", "resubmit", "resume"),
)
_TIMES = ("created_at", "submitted_at", "started_at", "ended_at", "finished_at")


def _time(at: datetime | None) -> str | None:
    """As the API writes it: UTC, ISO 8601 with a Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def links(run: Run) -> dict[str, str]:
    """Absolute addresses that belong to the run."""
    base = settings.CENTRO_PUBLIC_URL
    names = {"self": "api-run"} | {word: f"api-run-{word}" for word in _LINKED}
    found = {word: base + reverse(name, kwargs={"run_id": run.pk}) for word, name in names.items()}
    return found | {"page": base + reverse("run-detail", kwargs={"pk": run.pk})}
