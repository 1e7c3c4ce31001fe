"""What a pipeline's job finds in its environment and beside its script."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings

from hpc.protocol.reports import PROGRAM, TOKEN_FILE, reporting_program
from pipeline_management.choices import EventRoute, TransportKind
from pipeline_management.models import Run, System
from pipeline_management.services.reports.tokens import token_for

_HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104  compared with, not listened on


def job_environment(run: Run) -> dict[str, str]:
    """Variables of the job. None is secret: who sees the process list may read them.

    CENTRO_EVENTS_URL is empty where the job reports through its file only.
    """
    by_http = run.system.events == EventRoute.BOTH and _reaches_us(run.system)
    address = f"{settings.CENTRO_PUBLIC_URL}/api/v1/runs/{run.pk}/events/" if by_http else ""
    return {
        "CENTRO_RUN_ID": str(run.pk),
        "CENTRO_RUN_DIR": run.directory,
        "CENTRO_WORK_DIR": run.work_directory or run.directory,
        "CENTRO_CONFIG": f"{run.directory}/config.json",
        "CENTRO_EVENTS_URL": address,
        "CENTRO_TOKEN_FILE": f"{run.directory}/{TOKEN_FILE}",
    }


def _reaches_us(system: System) -> bool:
    """Whether Centro's address can mean Centro there: a loopback address is another machine's own elsewhere,
    and whoever listens on it would be shown the token."""
    host = urlsplit(settings.CENTRO_PUBLIC_URL).hostname
    if host not in _HERE:
        return bool(host)
    return system.transport == TransportKind.LOCAL or system.host in _HERE


def reporting_files(run: Run) -> dict[str, bytes]:
    """What lies in the run's directory for reporting: the program, and the token if the run has one."""
    token = token_for(run)
    files = {PROGRAM: reporting_program()}
    if token is not None:
        files[TOKEN_FILE] = f"{token}\n".encode()
    return files
