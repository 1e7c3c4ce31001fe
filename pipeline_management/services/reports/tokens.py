"""The token with which a job reports on its own run, and on nothing else.

It is made from the run's id and the installation's secret, so that a submission that is done again after a crash
stages the same token; the database holds its SHA-256 only.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from pipeline_management.models import Run

PREFIX = "ctr_"
_SHAPE = re.compile(PREFIX + r"([0-9a-f]{32})_[0-9A-Za-z_-]{43}")


def digest_of_new(run_id: uuid.UUID) -> str:
    """What a new run keeps of its token (hexadecimal SHA-256)."""
    return _digest(_token(run_id, settings.SECRET_KEY))


def token_for(run: Run) -> str | None:
    """The run's token; None where it has none, or where the secret it was made with is gone.

    After a change of the secret the old one serves as long as it is among ``SECRET_KEY_FALLBACKS``.
    """
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        token = _token(run.pk, str(secret))
        if run.token_sha256 and constant_time_compare(_digest(token), run.token_sha256):
            return token
    return None


def find_run(token: str) -> Run | None:
    """The run that a token is for, whatever its state; None for a token that Centro did not make.

    One query. Of the run only what taking its reports needs is loaded.
    """
    shape = _SHAPE.fullmatch(token)
    if shape is None:
        return None
    runs = Run.objects.select_related("account__system").only(*_NEEDED)
    run = runs.filter(pk=uuid.UUID(hex=shape[1])).first()
    if run is None or not run.token_sha256:
        return None
    return run if constant_time_compare(_digest(token), run.token_sha256) else None


_NEEDED = ("state", "token_sha256", "account__system__poll_interval")


def _token(run_id: uuid.UUID, secret: str) -> str:
    code = salted_hmac("centro.reports", run_id.hex, secret=secret, algorithm="sha256").digest()
    return f"{PREFIX}{run_id.hex}_{base64.urlsafe_b64encode(code).decode().rstrip('=')}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
