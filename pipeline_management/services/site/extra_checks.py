"""What helps runs on a system and is not needed by them: each that is missing is a warning."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings

from hpc.client import SystemClient
from hpc.errors import HpcError, NotSupported, SchedulerError
from pipeline_management.choices import EventRoute
from pipeline_management.models import System
from pipeline_management.models.transfer import Route
from pipeline_management.services.site.check_steps import Step, shell
from pipeline_management.services.transfers import routes
from pipeline_management.services.transfers.area import area
from staging.errors import StagingError

MOST_SKEW = 30.0
"""Seconds that the clocks may differ by; times of events and of links are compared."""
_CURL = (
    'command -v curl >/dev/null || { echo "there is no curl command" >&2; exit 3; }; '
    'code=$(curl --silent --show-error --output /dev/null --max-time 8 --write-out "%{http_code}" "$1") || exit $?; '
    '[ "$code" = 200 ] || { echo "it answers with status $code" >&2; exit 4; }'
)


def extra_steps(system: System, client: SystemClient) -> Iterator[Step]:
    """Clock, accounting, the way of events, the way to the store. None of them ends the check."""
    yield _clock(client)
    yield _accounting(client)
    yield _events(system, client)
    yield _store(system, client)


def _step(name: str, ok: bool, found: str, advice: str = "") -> Step:
    return Step(name, ok, found, advice, needed=False)


def _clock(client: SystemClient) -> Step:
    advice = "let both machines keep time by NTP"
    before = time.time()
    try:
        theirs = float(client.run(shell("date +%s")).strip())
    except (HpcError, ValueError) as error:
        return _step("clock", False, str(error), advice)
    skew = theirs + 0.5 - (before + time.time()) / 2  # date cuts the second
    if abs(skew) > MOST_SKEW:
        return _step("clock", False, f"its clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}", advice)
    return _step("clock", True, "its clock agrees with this machine's")


def _accounting(client: SystemClient) -> Step:
    advice = "without accounting, ends that the job itself could not write down are told without their cause"
    try:
        client.run(client.scheduler.history(["1"]))
    except NotSupported as error:
        return _step("accounting", False, str(error), advice)
    except SchedulerError as error:
        return _step("accounting", False, error.text, advice)
    except (HpcError, ValueError) as error:
        return _step("accounting", False, str(error), advice)
    return _step("accounting", True, "it answers about jobs that have ended")


def _events(system: System, client: SystemClient) -> Step:
    if system.events == EventRoute.FILE:
        return _step("events", True, "jobs report by a file that Centro reads, as it is set")
    address = f"{settings.CENTRO_PUBLIC_URL}/healthz"
    try:
        client.run(shell(_CURL, address, timeout=20.0))
    except (HpcError, ValueError) as error:
        advice = "jobs report by a file instead, a little later; to save their tries set events: file"
        return _step("events", False, f"{address}: {error}", advice)
    return _step("events", True, f"it reaches {address}")


def _store(system: System, client: SystemClient) -> Step:
    advice = "large files go through Centro's SSH connection instead, which is slower"
    known = routes.fixed_route(system)
    if known is not None:
        return _step("store", True, known.reason)
    try:
        route, reason = routes.find_out(client, area())
    except (HpcError, StagingError, ValueError) as error:
        return _step("store", False, str(error), advice)
    return _step("store", route == Route.DIRECT, reason, advice)
