"""Hooks that run once in every process that uses Django."""

from django.apps import AppConfig


class CentroConfig(AppConfig):
    """Makes the Celery application current and registers the system checks."""

    name = "centro"
    verbose_name = "Centro"

    def ready(self) -> None:
        """Import for effect: without it, publishing by task name would use an unconfigured broker."""
        from centro import celery, checks, connections, heartbeat  # noqa: F401  for their effect
