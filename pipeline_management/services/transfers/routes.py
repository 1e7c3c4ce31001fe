"""Which way files take between the store and a system: found out by trying, remembered for a while."""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_lazy

from hpc.client import SystemClient
from hpc.errors import RemoteFileError
from hpc.files.moving import probe
from pipeline_management.models import StoreRoute, System
from pipeline_management.models.transfer import Route
from staging.base import StagingArea

logger = logging.getLogger(__name__)

KEPT = timedelta(hours=12)
"""How long a finding is believed."""
KEPT_AFTER_FAILURE = timedelta(minutes=10)
_LINK_SECONDS = 120
_OWN_STORE = gettext_lazy("Centro keeps staged files itself, so they go over its SSH connection.")
_FORCED = gettext_lazy("The setting CENTRO_STAGING_ROUTE says so.")


def route_for(system: System, client: SystemClient, area: StagingArea) -> Route:
    """The route, asked for on the system where nothing fresh is known.

    Raises the ``HpcError`` tree where the system cannot be asked, ``StagingError`` for the store.
    """
    known = known_route(system)
    if known is not None:
        return Route(known.route)
    route, reason = find_out(client, area)
    StoreRoute.objects.update_or_create(
        system=system, defaults={"route": route, "reason": reason, "probed_at": timezone.now()}
    )
    logger.info("files between the store and %s go %s: %s", system.name, route, reason)
    return route


def known_route(system: System) -> StoreRoute | None:
    """What is believed of the way to this system, for pages too; None where it is to be found out.

    A route that is forced by the settings, or that follows from the kind of store, is not in the database.
    """
    fixed = fixed_route(system)
    if fixed is not None:
        return fixed
    now = timezone.now()
    found = StoreRoute.objects.filter(system=system).first()
    if found is None:
        return None
    kept = KEPT if found.route == Route.DIRECT else KEPT_AFTER_FAILURE
    return found if now - found.probed_at < kept else None


def fixed_route(system: System) -> StoreRoute | None:
    """The route where there is no choice: forced by the settings, or Centro keeps staged files itself."""
    forced = str(settings.CENTRO_STAGING["route"])
    now = timezone.now()
    if forced != "auto":
        return StoreRoute(system=system, route=Route(forced), reason=str(_FORCED), probed_at=now)
    if settings.CENTRO_STAGING["kind"] == "local":
        return StoreRoute(system=system, route=Route.THROUGH, reason=str(_OWN_STORE), probed_at=now)
    return None


def distrust(system: System, reason: str) -> None:
    """The direct way has just failed: the next files go through Centro until the next look."""
    StoreRoute.objects.update_or_create(
        system=system,
        defaults={"route": Route.THROUGH, "reason": reason[:500], "probed_at": timezone.now()},
    )


def find_out(client: SystemClient, area: StagingArea) -> tuple[Route, str]:
    """Try the direct way now; the route and why. Raises as ``route_for``."""
    word = secrets.token_hex(16)
    key = f"probe/{word}"
    area.put(key, word.encode())
    try:
        url = area.download_url(key, _LINK_SECONDS, inside=True)
        try:
            reason = client.run(probe(url, word))
        except RemoteFileError as error:
            reason = f"The system could not try: {error.reason}"
    finally:
        area.revoke(key)
    if reason:
        return Route.THROUGH, reason[:500]
    return Route.DIRECT, "The system has curl and reaches the store."
