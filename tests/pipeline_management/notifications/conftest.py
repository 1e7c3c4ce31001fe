"""A mail server, a web server, and a lab whose runs end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline_management.notifications.mail_server import MailServer
from tests.pipeline_management.notifications.web_server import WebServer

if TYPE_CHECKING:
    from tests.pipeline_management.notifications.desk import Desk


@pytest.fixture
def mail_server(settings: Any) -> Iterator[MailServer]:
    """A mail server, which the settings name."""
    server = MailServer().start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_TIMEOUT = 3
    settings.DEFAULT_FROM_EMAIL = "centro@example.org"
    settings.CENTRO_PUBLIC_URL = "https://centro.example.org"
    yield server
    server.stop()


@pytest.fixture
def no_mail(settings: Any) -> None:
    """An installation without a mail server."""
    settings.EMAIL_HOST = ""


@pytest.fixture
def web_server(settings: Any) -> Iterator[WebServer]:
    """A server on loopback, which webhooks may call here."""
    settings.CENTRO_WEBHOOK_ALLOW_PRIVATE = True
    settings.CENTRO_PUBLIC_URL = "https://centro.example.org"
    server = WebServer().start()
    yield server
    server.stop()


@pytest.fixture
def desk(db: None) -> Desk:
    """People and runs; see ``Desk``."""
    from tests.pipeline_management.notifications.desk import Desk

    return Desk()
