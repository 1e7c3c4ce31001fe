"""The smallest Django site that shows what a web server costs: one plain view, one DRF view that inserts.

Run by bench/servers.py, which sets SERVER_BENCH_DATABASE to a database URL of Centro's form.
"""

import os
from urllib.parse import unquote, urlsplit

import django
from django.conf import settings

_PARTS = urlsplit(os.environ["SERVER_BENCH_DATABASE"])
_MYSQL = {
    "ENGINE": "django.db.backends.mysql",
    "NAME": _PARTS.path.strip("/"),
    "USER": unquote(_PARTS.username or ""),
    "PASSWORD": unquote(_PARTS.password or ""),
    "HOST": _PARTS.hostname,
    "PORT": _PARTS.port,
    "OPTIONS": {"charset": "utf8mb4", "isolation_level": "read committed"},
}
_SQLITE = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": _PARTS.path.removeprefix("/"),
    "OPTIONS": {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
}
settings.configure(
    SECRET_KEY="only for this bench",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={
        "default": (_MYSQL if _PARTS.scheme == "mysql" else _SQLITE)
        | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    },
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
    LOGGING_CONFIG=None,
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 (needs the settings above)
from django.db import connection, models, transaction  # noqa: E402 (as above)
from django.http import HttpRequest, HttpResponse  # noqa: E402 (as above)
from django.urls import path  # noqa: E402 (as above)
from rest_framework import serializers  # noqa: E402 (as above)
from rest_framework.request import Request  # noqa: E402 (as above)
from rest_framework.response import Response  # noqa: E402 (as above)
from rest_framework.views import APIView  # noqa: E402 (as above)


class Entry(models.Model):
    """One inserted row: about the size of a short run configuration."""

    name = models.CharField(max_length=64)
    body = models.TextField()

    class Meta:
        app_label = "bench"


class EntrySerializer(serializers.Serializer[Entry]):
    """What is posted."""

    name = serializers.CharField(max_length=64)
    samples = serializers.ListField(child=serializers.CharField(max_length=64), max_length=100)


def plain(request: HttpRequest) -> HttpResponse:
    """The framework alone."""
    return HttpResponse("ok")


class Insert(APIView):
    """Parse, validate, insert one row in a transaction, answer."""

    def post(self, request: Request) -> Response:
        """201 with the new row's number."""
        serializer = EntrySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            row = Entry.objects.create(
                name=serializer.validated_data["name"], body=str(request.data)
            )
        return Response({"id": row.pk}, status=201)


def create_table() -> None:
    """Make the table afresh; called once by the bench."""
    with connection.schema_editor() as editor:
        if Entry._meta.db_table in connection.introspection.table_names():
            editor.delete_model(Entry)
        editor.create_model(Entry)


def rows() -> int:
    """How many rows were inserted."""
    return Entry.objects.count()


urlpatterns = [path("plain", plain), path("insert", Insert.as_view())]
application = get_wsgi_application()

from centro.bridge import Bridge  # noqa: E402 (needs the settings above)

if os.environ.get("SERVER_BENCH_BRIDGE"):
    from a2wsgi import WSGIMiddleware

    _bridge = WSGIMiddleware(application, workers=int(os.environ["SERVER_BENCH_THREADS"]))

    async def bridged(scope, receive, send):  # type: ignore[no-untyped-def]  # the ASGI signature
        """The WSGI application behind ASGI; Granian's `receive` returns a future, a2wsgi wants a coroutine."""

        async def received():  # type: ignore[no-untyped-def]  # the ASGI signature
            return await receive()

        await _bridge(scope, received, send)

_starting: list[Bridge] = []


async def ours(scope, receive, send):  # type: ignore[no-untyped-def]  # the ASGI signature
    """The WSGI application behind ASGI by Centro's own bridge."""
    if not _starting:
        _starting.append(Bridge(application, int(os.environ["SERVER_BENCH_THREADS"])))
        _starting[0].start()
    await _starting[0](scope, receive, send)
