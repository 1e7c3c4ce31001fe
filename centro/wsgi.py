"""WSGI entry point: pages and API, in threads."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "centro.settings")

application = get_wsgi_application()
