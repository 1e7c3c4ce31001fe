"""Why nobody was logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accounts.sso.identities import Identity


class LoginRefused(Exception):
    """The text is a translated sentence for the person; ``status`` is the answer's."""

    status = 400


class ServiceUnreachable(LoginRefused):
    """The issuer does not answer now."""

    status = 503


class Disabled(LoginRefused):
    """The account is known, and an administrator has closed it."""

    status = 403


class NotConnected(LoginRefused):
    """The issuer knows who it is, but no account here belongs to that ``identity``."""

    status = 403

    def __init__(self, message: str, identity: Identity) -> None:
        super().__init__(message)
        self.identity = identity
