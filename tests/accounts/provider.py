"""A real OpenID Connect provider on loopback, in a process of its own: django-oauth-toolkit's.

    python tests/accounts/provider.py FOLDER CALLBACK

Serves until it is ended, and writes FOLDER/port once it does. Its people are alice, bob and root, each with the
password of ``PASSWORD``; its only client is ``CLIENT``, which may send people back to CALLBACK.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

CLIENT = "centro"
SECRET = "provider-secret-7f3a"
PASSWORD = "provider password 5"
PEOPLE = ("alice", "bob", "root")


class Provider:
    """The process, from the outside. ``url`` is its issuer."""

    def __init__(self, folder: Path, callback: str) -> None:
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(folder), callback],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], "OAUTHLIB_INSECURE_TRANSPORT": "1"},
        )
        port = folder / "port"
        until = time.monotonic() + 60
        while not port.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                self.close()
                raise AssertionError((folder / "log").read_text())
            time.sleep(0.05)
        self.url = f"http://127.0.0.1:{port.read_text()}/o"

    @property
    def settings(self) -> dict[str, str]:
        """What Centro's section ``oidc`` must say."""
        return {
            "issuer": self.url,
            "jwks_url": f"{self.url}/.well-known/jwks.json",
            "authorization_url": f"{self.url}/authorize/",
            "token_url": f"{self.url}/token/",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "label": "Campus ID",
        }

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()
        self._log.close()


def serve(folder: Path, callback: str) -> None:
    """Be the provider."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from django.conf import settings

    class Quiet(WSGIRequestHandler):
        def log_message(self, *arguments: Any) -> None:
            """Nothing."""

    class Threads(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = make_server("127.0.0.1", 0, lambda *_: [], Threads, Quiet)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    settings.configure(
        SECRET_KEY="of the provider alone",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=sys.modules["__main__"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "db"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        SESSION_COOKIE_NAME="provider",  # cookies do not know ports
        CSRF_COOKIE_NAME="provider_csrf",
        LOGIN_URL="/login/",
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", PAGES)]},
            }
        ],
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem.decode(),
            "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{server.server_port}/o",
            "OAUTH2_VALIDATOR_CLASS": "__main__.Validator",
            "SCOPES": {"openid": "who you are", "profile": "your name", "email": "your address"},
            "PKCE_REQUIRED": True,
        },
    )
    import django

    django.setup()
    from django.contrib.auth.views import LoginView
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import include, path

    global urlpatterns
    urlpatterns = [
        path("favicon.ico", lambda request: HttpResponse(status=204)),
        path("login/", LoginView.as_view(template_name="login.html")),
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    ]
    call_command("migrate", verbosity=0)
    populate(callback)
    server.set_app(get_wsgi_application())
    (folder / "port.new").write_text(str(server.server_port))
    (folder / "port.new").rename(folder / "port")
    server.serve_forever()


PAGES = {"login.html": "<form method=post>{% csrf_token %}{{ form }}<button>Go</button></form>"}
urlpatterns: list[Any] = []


def __getattr__(name: str) -> Any:
    """``Validator``, which tells the claims that Keycloak tells; its base wants settings first."""
    if name != "Validator":
        raise AttributeError(name)
    from oauth2_provider.oauth2_validators import OAuth2Validator

    class Validator(OAuth2Validator):
        oidc_claim_scope = None

        def get_additional_claims(self, request: Any) -> dict[str, Any]:
            return {
                "preferred_username": request.user.username,
                "given_name": request.user.first_name,
                "email": request.user.email,
                "email_verified": True,
            }

    return Validator


def populate(callback: str) -> None:
    """The people and the client."""
    from django.contrib.auth.models import User
    from oauth2_provider.models import Application

    for name in PEOPLE:
        User.objects.create_user(
            name, f"{name}@example.org", PASSWORD, first_name=name.capitalize()
        )
    Application.objects.create(
        client_id=CLIENT,
        client_secret=SECRET,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris=callback,
        skip_authorization=True,
        algorithm="RS256",
    )


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
