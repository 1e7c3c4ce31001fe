"""`/metrics` for Prometheus: what is read from the database at the time of the scrape."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pipeline_management.choices import RunState
from pipeline_management.models import Heartbeat, Run, SystemAccount


class DatabaseCollector(Collector):
    """Gauges of runs, polling and background processes; three short grouped queries per scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the metric families. Ages are in seconds; raises DatabaseError when it is away."""
        now = datetime.now(UTC)
        yield self._runs()
        yield from self._polling(now)
        yield from self._processes(now)

    @staticmethod
    def _runs() -> GaugeMetricFamily:
        family = GaugeMetricFamily("centro_runs", "Runs by state", labels=["state"])
        counted = dict(Run.objects.order_by().values_list("state").annotate(number=Count("id")))
        for state in RunState:
            family.add_metric([state.value.lower()], counted.get(state.value, 0))
        return family

    @staticmethod
    def _polling(now: datetime) -> Iterator[GaugeMetricFamily]:
        age = GaugeMetricFamily(
            "centro_poll_age_seconds",
            "Time since the last complete answer of the account that was heard least recently",
            labels=["system"],
        )
        failures = GaugeMetricFamily(
            "centro_poll_failures", "Polls that failed in a row, worst account", labels=["system"]
        )
        rows = (
            SystemAccount.objects.filter(system__enabled=True)
            .order_by()
            .values_list("system__name")
            .annotate(oldest=Min("polled_at"), worst=Max("poll_failures"))
        )
        for name, oldest, worst in rows:
            if oldest is not None:
                age.add_metric([name], (now - oldest).total_seconds())
            failures.add_metric([name], worst)
        yield age
        yield failures

    @staticmethod
    def _processes(now: datetime) -> Iterator[GaugeMetricFamily]:
        age = GaugeMetricFamily(
            "centro_heartbeat_age_seconds",
            "Time since a process or sweep last gave a sign",
            labels=["name"],
        )
        connections = GaugeMetricFamily(
            "centro_system_connections",
            "Open connections to systems (SSH transports) of a process",
            labels=["name"],
        )
        for name, at, data in Heartbeat.objects.values_list("name", "at", "data"):
            if at is not None:
                age.add_metric([name], (now - at).total_seconds())
            if "connections" in data:
                connections.add_metric([name], data["connections"])
        yield age
        yield connections


def may_read(address: str) -> bool:
    """Whether this client address is among CENTRO_METRICS_ADDRESSES."""
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(client == ipaddress.ip_address(known) for known in settings.CENTRO_METRICS_ADDRESSES)


@require_safe
def view(request: HttpRequest) -> HttpResponse:
    """The metrics as text; 404 for clients that may not read them."""
    if not may_read(request.META.get("REMOTE_ADDR", "")):
        return HttpResponse("Not found\n", status=404, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(DatabaseCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
