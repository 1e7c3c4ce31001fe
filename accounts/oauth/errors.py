"""Why an access token is not accepted."""


class TokenError(Exception):
    """The token is not accepted; the text says why, in a sentence without the token."""


class UnreadableToken(TokenError):
    """It is no JSON Web Token."""


class ExpiredToken(TokenError):
    """It was a good one until its end."""


class IssuerUnreachable(Exception):
    """The outer issuer's keys cannot be had, so nothing can be said about its tokens now."""
