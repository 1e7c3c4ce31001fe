"""``/status/*``: what there is, from the database alone, so that a dead system delays nobody.

Only systems with which the person may act are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponseBase, JsonResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from api.firecrest import envelopes
from api.firecrest.base import DEFAULT_LIMIT_MB, MIB, FirecrestView, Refusal
from api.firecrest.errors import Service
from api.firecrest.routing import route
from pipeline_management.choices import HealthState, SchedulerKind
from pipeline_management.models import System, SystemAccount
from pipeline_management.services import maintenance, system_access
from pipeline_management.services.clients import fault_of, limits_of
from pipeline_management.services.transfers import area as staging

VERSION = "1.16.6"
"""Of the FirecREST API that is spoken here; clients switch features by it."""

SERVICES = {
    "certificator": "Log-in to systems with stored credentials",
    "compute": "Job submission and queries",
    "reservations": "Reservations of nodes",
    "storage": "Transfers within a system, and between systems and your computer",
    "tasks": "Results of asynchronous requests",
    "utilities": "Operations on files",
}
TRUST_HEALTH = timedelta(minutes=10)
"""Systems are looked at while they have runs; an older finding says nothing about now."""

_AVAILABLE, _NOT_AVAILABLE = "available", "not available"
_BLOCKED = "System does not accept connections"
_NAME = OpenApiParameter("name", str, OpenApiParameter.PATH)
_OBJECT = {"type": "object", "additionalProperties": True}
_LIST = {
    "type": "object",
    "properties": {"description": {"type": "string"}, "out": {"type": "array", "items": _OBJECT}},
    "required": ["description", "out"],
}
_MAP = _LIST | {"properties": {"description": {"type": "string"}, "out": _OBJECT}}


class StatusView(FirecrestView):
    """What the views of this module share."""

    service: ClassVar[Service] = "status"

    def accounts(self) -> list[SystemAccount]:
        """The person's way to each of his systems, by the system's name."""
        return system_access.accounts_of(self.person)

    def way_to(self, name: str) -> SystemAccount | None:
        """The person's way to the system of this name."""
        return next((one for one in self.accounts() if one.system.name == name), None)


class ServicesView(StatusView):
    @extend_schema(
        operation_id="status_services",
        summary="All services",
        responses=envelopes.answers(200, _LIST),
    )
    def get(self, request: Request) -> HttpResponseBase:
        return envelopes.out([_service(name) for name in SERVICES], "List of services")


class ServiceView(StatusView):
    @extend_schema(
        operation_id="status_service", summary="One service", parameters=[_NAME],
        responses=envelopes.answers(200, _OBJECT, "The service itself, without an envelope."),
    )  # fmt: skip
    def get(self, request: Request, name: str) -> HttpResponseBase:
        if name not in SERVICES:
            body = {"description": "Service does not exists", "status_code": 404}
            raise Refusal(404, body)
        return JsonResponse(_service(name))


class SystemsView(StatusView):
    @extend_schema(
        operation_id="status_systems", summary="The systems that you may use",
        responses=envelopes.answers(200, _LIST),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        return envelopes.out(_systems(self.accounts()), "List of systems")


class SystemView(StatusView):
    @extend_schema(
        operation_id="status_system", summary="One system", parameters=[_NAME],
        responses=envelopes.answers(200, _MAP),
    )  # fmt: skip
    def get(self, request: Request, name: str) -> HttpResponseBase:
        account = self.way_to(name)
        if account is None:
            raise Refusal(404, {"description": "System does not exists."})
        return envelopes.out(_systems([account])[0], "System information")


class FilesystemsView(StatusView):
    @extend_schema(
        operation_id="status_filesystems", summary="The file systems of all your systems",
        responses=envelopes.answers(200, _MAP),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        found = {account.system.name: _filesystems(account) for account in self.accounts()}
        return envelopes.out(found, "Filesystem information")


class SystemFilesystemsView(StatusView):
    @extend_schema(
        operation_id="status_system_filesystems", summary="The file systems of one system",
        parameters=[_NAME], responses=envelopes.answers(200, _LIST),
    )  # fmt: skip
    def get(self, request: Request, name: str) -> HttpResponseBase:
        account = self.way_to(name)
        if account is None:
            body = {
                "description": "Filesystem information",
                "out": f"System '{name}' doesn't exist",
            }
            raise Refusal(404, body)
        text = f"Filesystem information for system {name}"
        return envelopes.out(_filesystems(account), text)


class ParametersView(StatusView):
    @extend_schema(
        operation_id="status_parameters", summary="Version and limits",
        description="Limits differ by system: shown are the smallest of your systems.",
        responses=envelopes.answers(200, _MAP),
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponseBase:
        systems = [account.system for account in self.accounts()]
        return envelopes.out(_parameters(systems), "Firecrest's parameters")


def _service(name: str) -> dict[str, Any]:
    return {
        "service": name,
        "status": _AVAILABLE,
        "description": SERVICES[name],
        "status_code": 200,
    }


def _systems(accounts: list[SystemAccount]) -> list[dict[str, str]]:
    closed = maintenance.closed_systems(account.system for account in accounts)
    found = []
    for account in accounts:
        wrong = _down(account) or closed.get(account.system_id, "")
        found.append(
            {
                "system": account.system.name,
                "status": _NOT_AVAILABLE if wrong else _AVAILABLE,
                "description": wrong or "System ready",
            }
        )
    return found


def _down(account: SystemAccount) -> str:
    """That the system cannot be reached, "" where it can as far as is known."""
    system = account.system
    if fault_of(account):
        return _BLOCKED
    if system.health not in (HealthState.DOWN, HealthState.BLOCKED) or system.health_at is None:
        return ""
    if timezone.now() - system.health_at >= TRUST_HEALTH:
        return ""
    return _BLOCKED if system.health == HealthState.BLOCKED else "System down"


def _filesystems(account: SystemAccount) -> list[dict[str, Any]]:
    """Files are reached during a maintenance too, as long as the system answers."""
    system, down = account.system, _down(account) != ""
    return [
        {
            "name": str(entry.get("name", "")),
            "path": str(entry.get("path", "")),
            "description": str(entry.get("description", "")),
            "status": _NOT_AVAILABLE if down else _AVAILABLE,
            "status_code": 400 if down else 200,
        }
        for entry in system.filesystems
    ]


def _parameters(systems: Iterable[System]) -> dict[str, list[dict[str, Any]]]:
    systems = list(systems)
    limits = [limits_of(system) for system in systems]
    size = min((limit.max_file_size_mb for limit in limits), default=DEFAULT_LIMIT_MB)
    seconds = min((limit.command_timeout for limit in limits), default=5.0)
    labels = dict(SchedulerKind.choices)
    schedulers = sorted({str(labels.get(one.scheduler, one.scheduler)) for one in systems})
    mounted = [
        {
            "system": system.name,
            "mounted": [str(entry.get("path", "")) for entry in system.filesystems],
        }
        for system in systems
    ]
    manager = "Slurm" if "Slurm" in schedulers or not schedulers else str(schedulers[0])
    return {
        "general": [
            _parameter("FIRECREST_VERSION", VERSION, "", "Version of the FirecREST API"),
            _parameter("FIRECREST_BUILD", f"centro-{settings.CENTRO_VERSION}", "", "Server"),
        ],
        "compute": [_parameter("WORKLOAD_MANAGER", manager, "", "Scheduler of the systems")],
        "utilities": [
            _parameter(
                "UTILITIES_MAX_FILE_SIZE", f"{size}", "MB",
                "The maximum file size that can be uploaded or downloaded directly",
            ),
            _parameter(
                "UTILITIES_TIMEOUT", f"{seconds:g}", "seconds",
                "The time after which an operation on files is given up",
            ),
        ],
        "storage": [
            *_staging(),
            _parameter("FILESYSTEMS", mounted, "", "Mounted file systems by system"),
        ],
    }  # fmt: skip


def _staging() -> list[dict[str, Any]]:
    """What clients want to know of the staging area; its forms are those of S3, whatever it is."""
    size, seconds = staging.largest() // MIB, staging.link_seconds()
    return [
        _parameter("OBJECT_STORAGE", "s3v4", "", "Type of object storage"),
        _parameter(
            "STORAGE_TEMPURL_EXP_TIME", f"{seconds}", "seconds", "How long the links are valid"
        ),
        _parameter("STORAGE_MAX_FILE_SIZE", f"{size}", "MB", "The maximum file size of a transfer"),
    ]


def _parameter(name: str, value: Any, unit: str, description: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "description": description}


urlpatterns = [
    route("status/services", ServicesView, "firecrest-status-services"),
    route("status/services/<str:name>", ServiceView, "firecrest-status-service"),
    route("status/systems", SystemsView, "firecrest-status-systems"),
    route("status/systems/<str:name>", SystemView, "firecrest-status-system"),
    route("status/filesystems", FilesystemsView, "firecrest-status-filesystems"),
    route(
        "status/filesystems/<str:name>",
        SystemFilesystemsView,
        "firecrest-status-system-filesystems",
    ),
    route("status/parameters", ParametersView, "firecrest-status-parameters"),
]
