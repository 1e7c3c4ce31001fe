"""Mails over SMTP: one connection for a batch, and what the server's refusals mean."""

from __future__ import annotations

import smtplib
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend

from pipeline_management.models import Delivery
from pipeline_management.models.notification import DeliveryPurpose
from pipeline_management.services.notifications import budget_mails, digests, run_mails
from pipeline_management.services.notifications.outcome import Outcome
from pipeline_management.services.notifications.plain_text import one_line
from pipeline_management.services.notifications.spreading import can_mail


class Mailer:
    """Sends the mails of one batch over one connection, opened when the first needs it."""

    def __init__(self) -> None:
        self._connection: BaseEmailBackend | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (OSError, smtplib.SMTPException):
                return  # it was broken before

    def send(self, delivery: Delivery) -> Outcome:
        """One try. Nothing is raised for a server that fails or refuses."""
        if not can_mail():
            return Outcome.failed("No mail server is set up (CENTRO_MAIL_URL).", unreachable=True)
        found = _content(delivery)
        if found is None:
            return Outcome.dropped("Its recipient no longer gets mails of this kind.")
        try:
            if self._connection is None:
                connection = mail.get_connection()
                connection.open()
                self._connection = connection
            self._connection.send_messages([_message(delivery, *found)])
        except (OSError, smtplib.SMTPException) as error:
            self._close()  # the server may be in the middle of this mail
            return judge(error)
        return Outcome(arrived=True)


def _content(delivery: Delivery) -> tuple[str, str] | None:
    """Subject and text; None if the person should not get it any more."""
    if delivery.user is not None and not delivery.user.is_active:
        return None
    if delivery.purpose == DeliveryPurpose.DIGEST:
        return digests.content(delivery)
    if delivery.purpose == DeliveryPurpose.BUDGET:
        return budget_mails.content(delivery)
    return run_mails.content(delivery)


def _message(delivery: Delivery, subject: str, text: str) -> mail.EmailMessage:
    """The same delivery always has the same Message-ID, so that a mail sent twice is seen to be one."""
    host = urlsplit(settings.CENTRO_PUBLIC_URL).hostname or "localhost"
    headers = {"Message-ID": f"<{delivery.pk}@{host}>", "Auto-Submitted": "auto-generated"}
    if delivery.run_id is not None:
        headers["X-Centro-Run"] = str(delivery.run_id)
    return mail.EmailMessage(
        subject=one_line(subject, 200), body=text, to=[delivery.address], headers=headers
    )


def judge(error: OSError | smtplib.SMTPException) -> Outcome:
    """Which refusals are for good: those of the recipient or of the text by a code of 500 and more.

    Trouble with connection, log-in or sender is the installation's and passes for all mails alike.
    """
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()), (450, b""))
        return Outcome.failed(_said(code, said), final=code >= 500)
    if isinstance(error, smtplib.SMTPDataError):
        return Outcome.failed(
            _said(error.smtp_code, error.smtp_error), final=error.smtp_code >= 500
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return Outcome.failed(_said(error.smtp_code, error.smtp_error), unreachable=True)
    text = one_line(str(error) or type(error).__name__, 300)
    return Outcome.failed(f"The mail server does not answer: {text}", unreachable=True)


def _said(code: int, said: Any) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"The mail server said: {code} {one_line(text, 300)}"
