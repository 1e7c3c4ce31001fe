"""Access tokens of OAuth2: those that Centro makes for its clients, and those of an outer issuer."""
