"""One call of one webhook."""

from __future__ import annotations

import time

from django.conf import settings

from pipeline_management.models import Delivery
from pipeline_management.services.notifications import outgoing
from pipeline_management.services.notifications.documents import document, signature
from pipeline_management.services.notifications.outcome import Outcome
from pipeline_management.services.notifications.plain_text import one_line

GONE = 410
"""A server says by this that nobody listens any more (RFC 9110, 15.5.11)."""


def call(delivery: Delivery) -> Outcome:
    """Sign and send; 2xx is arrival, everything else is tried again, but for addresses that must not be
    called and for 410."""
    webhook = delivery.webhook
    if webhook is None:
        return Outcome.dropped("The webhook was deleted.")
    if not webhook.enabled:
        return Outcome.dropped("The webhook is disabled.")
    kind, body = document(delivery, webhook.lab)
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"Centro/{settings.CENTRO_VERSION}",
        "Connection": "close",
        "X-Centro-Event": kind,
        "X-Centro-Delivery": str(delivery.pk),
        "X-Centro-Timestamp": timestamp,
        "X-Centro-Signature": signature(webhook.secret, timestamp, body),
    }
    allowed = settings.CENTRO_WEBHOOK_ALLOW_PRIVATE
    try:
        answer = outgoing.post(webhook.url, body, headers, allow_private=allowed)
    except outgoing.Refused as error:
        return Outcome.failed(one_line(str(error), 500), final=True)
    except outgoing.Unreachable as error:
        return Outcome.failed(one_line(str(error), 500), unreachable=True)
    return _judge(answer)


def _judge(answer: outgoing.Answer) -> Outcome:
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in answer.text[:500])
    if 200 <= answer.status < 300:
        return Outcome(arrived=True, status_code=answer.status, answer=text)
    error = f"The server answered {answer.status}."
    if 300 <= answer.status < 400:
        error += " Redirects are not followed: give the address itself."
    return Outcome(final=answer.status == GONE, status_code=answer.status, answer=text, error=error)
