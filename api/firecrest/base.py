"""What all views of /firecrest/v1/ share: who asks, for which system, with which fields, and refusing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework.exceptions import NotAuthenticated
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.schemas.inspectors import ViewInspector
from rest_framework.views import APIView

from api.firecrest import errors, machines, refusals
from api.firecrest.authentication import BearerAuthentication
from api.firecrest.description import PlainSchema
from api.firecrest.errors import Refusal, Service
from api.firecrest.fields import Fields
from api.firecrest.gate import Gate
from api.firecrest.parsers import (
    FormValues,
    FormWithFilesParser,
    Part,
    PlainFormParser,
    plain_values,
    upload_handlers,
)
from hpc.errors import HpcError
from pipeline_management.models import SystemAccount
from pipeline_management.services.clients import limits_of

__all__ = ["FirecrestView", "Refusal"]

MIB = 1024 * 1024
DEFAULT_LIMIT_MB = 5
SMALL_BODY = 64 * 1024
DRAIN_BYTES = 64 * MIB
DRAIN_SECONDS = 15.0

gate = Gate(settings.CENTRO_WEB_THREADS)


class FirecrestView(APIView):
    """One endpoint. The token is checked before anything else, also before the method.

    ``description`` is that of every error of the endpoint, ``service`` decides the variants of bodies and
    headers, ``headers_for`` are the headers for classes of errors that differ from the usual ones.
    """

    description: ClassVar[str] = ""
    service: ClassVar[Service] = "utilities"
    headers_for: ClassVar[Mapping[type[HpcError], str]] = {}
    names_machine_in_error: ClassVar[bool] = False
    """Whether a missing ``X-Machine-Name`` is told as ``error`` beside the description."""
    too_large: ClassVar[str] = "Failed to upload file. The file is over {bytes} bytes"

    schema: ViewInspector | None = PlainSchema()
    authentication_classes = [BearerAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [PlainFormParser, FormWithFilesParser]
    renderer_classes = [JSONRenderer]
    http_method_names = ["get", "head", "post", "put", "delete"]

    _account: SystemAccount | None = None
    _leave: Callable[[bool], None] | None = None

    # --- who and what -------------------------------------------------------------------------

    @property
    def person(self) -> User:
        """Who asks. The permission class has let nobody else through."""
        if not isinstance(self.request.user, User):
            raise NotAuthenticated
        return self.request.user

    @property
    def address(self) -> str | None:
        """The client's address."""
        return self.request.META.get("REMOTE_ADDR") or None

    @property
    def query(self) -> Fields:
        """The query parameters."""
        return Fields(plain_values(self.request.META.get("QUERY_STRING", "")), self.refuse)

    @property
    def form(self) -> Fields:
        """The fields of the body, whatever the method."""
        found = self._form()
        return Fields(found.fields(), self.refuse, lossy=found.lossy)

    def part(self, name: str) -> Part | None:
        """A file of the body, or None."""
        return self._form().parts.get(name)

    def account(self) -> SystemAccount:
        """The person's account on the system that ``X-Machine-Name`` names, with a place at its gate.

        Raises ``Refusal``: no such header, no such system, no account on it; 503 where too many requests
        wait for the system already.
        """
        account = self._find_account()
        if self._leave is None:
            self._form()  # a client that sends slowly takes no place
            self._leave = gate.enter(account.system.name)
        return account

    def hand_over_place(self) -> Callable[[bool], None]:
        """For work that goes on after the answer: whoever gets this must call it at the end, with whether
        the system answered."""
        leave, self._leave = self._leave, None
        return leave or (lambda answered: None)

    def refuse(
        self,
        status: int,
        error: str | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Refusal:
        """The error to raise: ``description`` and ``error``, and what ``body`` adds or replaces.

        A None in ``body`` leaves the key out. Reservations tell the reason in ``description``.
        """
        if self.service == "reservations":
            told = {"error": self.description, "description": error}
        else:
            told = {"description": self.description, "error": error}
        told |= body
        return Refusal(status, {k: v for k, v in told.items() if v is not None}, headers)

    # --- the way of a request -----------------------------------------------------------------

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        length = _announced(request)
        request.upload_handlers = upload_handlers(request, length or 0)
        return super().initialize_request(request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """JSON, whatever the client accepts."""
        return JSONRenderer(), JSONRenderer.media_type

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._check_length(request._request)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return super().dispatch(request, *args, **kwargs)
        finally:
            if self._leave is not None:
                self._leave(True)

    def handle_exception(self, exc: Exception) -> Any:
        """Every error that is foreseen, as FirecREST tells it; others become the site's 500."""
        if self._leave is not None:
            self._leave(errors.is_answer(exc))
        refusal = refusals.of(exc, self)
        if refusal is None:
            raise exc
        self._drain()
        answer = JsonResponse(refusal.body, status=refusal.status, headers=refusal.headers)
        # So that the error pages and the log do not mention it a second time.
        answer.exception = True  # type: ignore[attr-defined]
        return answer

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer.headers.setdefault("Cache-Control", "private, no-store")
        return answer

    # --- inner works --------------------------------------------------------------------------

    def _find_account(self) -> SystemAccount:
        if self._account is None:
            self._account = machines.find(self)
        return self._account

    def _form(self) -> FormValues:
        data = self.request.data
        return data if isinstance(data, FormValues) else FormValues()

    def _check_length(self, request: HttpRequest) -> None:
        """Refuse a large body before any of it is read. The limit is the system's, where one is named."""
        length = _announced(request)
        if length is None:
            raise self.refuse(411, "send the body in one piece with a Content-Length header")
        if length <= SMALL_BODY:
            return
        try:
            limit = limits_of(self._find_account().system).max_file_size_mb
        except Refusal:
            limit = DEFAULT_LIMIT_MB
        if length > limit * MIB:
            text = self.too_large.format(bytes=limit * MIB, mb=limit)
            raise Refusal(413, {"description": text})

    def _drain(self) -> None:
        """Read what is left of the body: a client that cannot send it all does not read the answer.

        Not where it waits for leave to send (Expect: 100-continue), and within bounds.
        """
        request = self.request._request
        if request.META.get("HTTP_EXPECT") or not request.META.get("CONTENT_LENGTH"):
            return
        deadline, left = time.monotonic() + DRAIN_SECONDS, DRAIN_BYTES
        try:
            while left > 0 and time.monotonic() < deadline:
                piece = request.read(SMALL_BODY)
                if not piece:
                    return
                left -= len(piece)
        except (UnreadablePostError, ValueError):
            return


def _announced(request: HttpRequest) -> int | None:
    """The length of the body in bytes, 0 without one; None for a body without a usable length."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length:
        return None if request.META.get("HTTP_TRANSFER_ENCODING") else 0
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
