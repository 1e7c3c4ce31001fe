"""Django settings, one module per concern. Every name that starts with CENTRO_ is Centro's own.

A bad configuration stops the process with one line per fault instead of a traceback.
"""

from centro.settings.auth import *  # noqa: F403 (settings are a flat namespace)
from centro.settings.base import *  # noqa: F403
from centro.settings.celery import *  # noqa: F403
from centro.settings.database import *  # noqa: F403
from centro.settings.interface import *  # noqa: F403
from centro.settings.logging import *  # noqa: F403
from centro.settings.oauth import *  # noqa: F403
from centro.settings.security import *  # noqa: F403
