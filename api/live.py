"""Who may open a websocket, and in which words runs and events are told there: those of the API."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import Error
from django.http import HttpRequest
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from api.authentication import TokenAuthentication
from api.v1.report_serializers import EventSerializer
from api.v1.serializers import RunSerializer
from api.v1.transfers import TransferSerializer
from pipeline_management.consumers.codes import deny
from pipeline_management.consumers.hub import Hub
from pipeline_management.models import Run, RunEvent, Transfer

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


class Refused(Exception):
    """A websocket that must not be: HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Visitor:
    """The holder of a session or an access token, and how to ask again whether it still stands.

    Raises ``Refused`` for nobody (401), and for a page of another site that uses the visitor's session (403).
    """

    def __init__(self, scope: Scope) -> None:
        self._request = _as_request(scope)
        self._by_header = "HTTP_AUTHORIZATION" in self._request.META
        credential = self._request.META.get("HTTP_AUTHORIZATION") or self._session_key()
        user = self.check() if credential else None
        if credential is None or user is None:
            raise Refused(401, "Log in, or send an access token: “Authorization: Bearer cto_…”.")
        self._origin()
        self.key = hashlib.sha256(credential.encode()).hexdigest()
        self.user = user

    def check(self) -> User | None:
        """The person, if session or token is valid now; reads the database."""
        if self._by_header:
            return self._by_token()
        self._request.session = SessionStore(self._session_key())
        found = get_user(self._request)  # also compares the password's mark in the session
        return found if isinstance(found, User) and found.is_active else None

    def _by_token(self) -> User | None:
        try:
            answer = TokenAuthentication().authenticate(Request(self._request))
        except AuthenticationFailed:
            return None
        return answer[0] if answer else None

    def _session_key(self) -> str | None:
        return self._request.COOKIES.get(settings.SESSION_COOKIE_NAME)

    def _origin(self) -> None:
        """Browsers send the page's origin with every websocket, and cookies with it: so it must be ours."""
        origin = self._request.META.get("HTTP_ORIGIN")
        if origin is None and self._by_header:
            return
        try:
            own = f"{self._request.scheme}://{self._request.get_host()}"
        except DisallowedHost:
            raise Refused(400, "Host: not a name of this Centro.") from None
        if origin not in {own, *settings.CSRF_TRUSTED_ORIGINS}:
            raise Refused(403, "Origin: expected the address of this Centro.")


def _as_request(scope: Scope) -> HttpRequest:
    """The request of the websocket's beginning, as Django knows requests."""
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return ASGIRequest({**scope, "type": "http", "method": "GET", "scheme": scheme}, io.BytesIO())


class Gate:
    """The ASGI application in front of the consumers: puts ``watcher`` into the scope, or refuses."""

    def __init__(self, application: Application, hub: Hub) -> None:
        self.application = application
        self.hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            scope["watcher"] = await self.hub.database(Visitor, scope)
        except Refused as refused:
            await deny(send, refused.status, refused.message)
        except Error as error:
            logger.warning("a websocket is refused, the database is away: %s", error)
            await deny(send, 503, "The database cannot be reached; try again soon.")
        else:
            await self.application(scope, receive, send)


class _PublicAddress:
    """As much of a request as links need: they are told to many at once, so they are those of ``public_url``."""

    versioning_scheme = None

    def __init__(self, public_url: str) -> None:
        self.public_url = public_url

    def build_absolute_uri(self, path: str) -> str:
        return self.public_url + path


class ApiWords:
    """Messages of the websocket in the API's words; addresses in them are those of ``public_url``."""

    def __init__(self, public_url: str) -> None:
        self._context = {"request": _PublicAddress(public_url)}

    def event(self, event: RunEvent) -> str:
        """One event, as a row of ``/api/v1/runs/<id>/events/``."""
        return _text({"type": "event", "run": event.run_id, "event": EventSerializer(event).data})

    def run(self, run: Run, kind: str) -> str:
        """A run, as a row of ``/api/v1/runs/``, and the number of its newest event."""
        return _text({"type": kind, "seq": run.event_seq, "run": self._row(run)})

    def runs(self, runs: list[Run]) -> str:
        """The snapshot of a list."""
        return _text({"type": "snapshot", "runs": [self._row(run) for run in runs]})

    def transfer(self, transfer: Transfer) -> str:
        """A transfer, as a row of ``/api/v1/transfers/``."""
        return _text({"type": "transfer", "transfer": self._transfer(transfer)})

    def transfers(self, transfers: list[Transfer]) -> str:
        """The snapshot of a person's transfers."""
        return _text({"type": "snapshot", "transfers": [self._transfer(one) for one in transfers]})

    def _transfer(self, transfer: Transfer) -> dict[str, Any]:
        return dict(TransferSerializer(transfer, context=self._context).data)

    def _row(self, run: Run) -> dict[str, Any]:
        return dict(RunSerializer(run, context=self._context).data)


def _text(message: dict[str, Any]) -> str:
    return json.dumps(message, cls=JSONEncoder, ensure_ascii=False, separators=(",", ":"))
