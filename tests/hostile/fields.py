"""Every column with text: whether somebody outside of Centro fills it, and if not, who does.

``columns`` are read from the models, so that a new one is in one of the two by its own.
"""

from __future__ import annotations

from django.apps import apps
from django.db import models

_DIGEST = "a digest, a key or a number that Centro makes"
_LEASE = "Centro's own process names itself"
_WORD = "a word from a list of Centro's own"
_LETTERS = "letters, digits and . _ - only, which its validator sees to"
_SECRET = "encrypted or hashed, and never shown"
_LIBRARY = "Django's or the OAuth library's, which Centro leaves empty"

OURS: dict[str, str] = {
    **dict.fromkeys(
        (
            "ApiToken.hash", "ApiToken.hint", "Run.configuration_sha256", "Run.request_sha256", "Run.key",
            "Run.token_sha256", "Attempt.script_sha256", "SharedAnswer.digest", "ApiTask.id", "Transfer.key",
            "Transfer.declared_sha256", "Transfer.sha256", "PipelineVersion.content_sha256",
            "PipelineVersion.sort_key", "Delivery.key", "Draft.origin", "RunTask.key", "UsageDay.key",
            "UsageMonth.key", "Credential.fingerprint", "OuterIdentity.key",
        ),
        _DIGEST,
    ),
    **dict.fromkeys(
        ("SystemAccount.poll_holder", "Run.lease_holder", "Transfer.lease_holder", "Delivery.lease_holder"),
        _LEASE,
    ),
    **dict.fromkeys(
        (
            "Run.outcome", "Attempt.found_by", "RunLog.stream", "RunEvent.from_state", "RunEvent.to_state",
            "Webhook.states", "Delivery.data", "System.limits", "System.scheduler_options",
            "PipelineVersion.engine_options", "OAuthClient.scopes",
        ),
        _WORD,
    ),
    **dict.fromkeys(
        ("Lab.slug", "System.name", "Pipeline.name", "PipelineVersion.version", "Draft.pipeline",
         "RunTask.sender", "Run.progress_sender", "RunEvent.sender", "RunWord.word"),
        _LETTERS,
    ),
    **dict.fromkeys(
        ("OAuthClient.client_secret", "Credential.secret", "Credential.passphrase", "Webhook.secret",
         "User.password"),
        _SECRET,
    ),
    **dict.fromkeys(
        ("OAuthClient.redirect_uris", "OAuthClient.post_logout_redirect_uris", "OAuthClient.allowed_origins",
         "Permission.name", "Permission.codename"),
        _LIBRARY,
    ),
    # they must keep the address that the rest of the world is built on; tests of entries and files fill them
    "Webhook.url": "checked to be an address; tests.notifications",
}  # fmt: skip


def columns() -> dict[str, models.Field]:  # type: ignore[type-arg]  # the stubs want both of its parameters
    """All columns of text and JSON, but those that hold a choice, by "Model.column"."""
    found = {}
    for label in ("accounts", "auth", "pipeline_management"):
        for model in apps.get_app_config(label).get_models():
            for column in model._meta.fields:
                is_text = isinstance(column, models.CharField | models.TextField | models.JSONField)
                if is_text and not column.choices:
                    found[f"{model.__name__}.{column.name}"] = column
    return found


def foreign(model: type[models.Model]) -> list[models.Field]:  # type: ignore[type-arg]  # as above
    """The columns of a model that somebody outside fills with text."""
    own = f"{model.__name__}."
    return [
        column
        for name, column in columns().items()
        if name.startswith(own) and name not in OURS and not isinstance(column, models.JSONField)
    ]
