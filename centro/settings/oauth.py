"""Centro as an OAuth2 server (client credentials only), and the outer issuer: its tokens and its people."""

from centro.settings.configuration import config

OAUTH2_PROVIDER_APPLICATION_MODEL = "accounts.OAuthClient"
OAUTH2_PROVIDER = {
    "OAUTH2_SERVER_CLASS": "oauthlib.oauth2.BackendApplicationServer",
    "OAUTH2_VALIDATOR_CLASS": "accounts.oauth.validator.ClientValidator",
    "ACCESS_TOKEN_GENERATOR": "api.oauth.access_token",
    "ACCESS_TOKEN_EXPIRE_SECONDS": config.oauth_token_seconds,
    "SCOPES": {"firecrest": "FirecREST API"},
    # Nothing of this is offered; the library warns of its own defaults otherwise.
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}

CENTRO_TOKEN_ISSUER = f"{config.url}/o"
CENTRO_TOKEN_AUDIENCE = f"{config.url}/firecrest/v1"
CENTRO_OIDC = config.oidc
