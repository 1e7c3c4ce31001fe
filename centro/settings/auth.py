"""Log-in and password hashing. Attempts are throttled by accounts/throttle.py."""

from centro.settings.configuration import config

# Throttles before it hashes, and remembers what was found right; see accounts/verified.py.
AUTHENTICATION_BACKENDS = ["accounts.backends.PasswordBackend"]
if config.oidc.logs_in:  # who came by the issuer is out once it is configured no longer
    AUTHENTICATION_BACKENDS += ["accounts.sso.backend.IssuerBackend"]
PASSWORD_HASHERS = [
    "centro.hashers.Argon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 8},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL
