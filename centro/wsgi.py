"""WSGI entry point: pages and API, in threads."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centro.settings")

application = get_wsgi_application()

# Loaded now instead of during somebody's first request: all views, and what publishing a hint needs.
_ = get_resolver().url_patterns
import celery.app.amqp  # noqa: E402, F401
import kombu.transport.redis  # noqa: E402, F401
