"""Logging in at an OpenID Connect issuer (authorization code flow with PKCE)."""
