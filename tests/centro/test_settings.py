"""Settings as a whole: production checks, headers, cookies, Celery, database options."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from celery.signals import celeryd_init
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.core.checks import Error, Warning
from django.test import Client
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from centro import checks
from centro.config.model import ROOT

SETTINGS_PRINTER = """
import json, django.conf
s = django.conf.settings
print(json.dumps({name: getattr(s, name) for name in %r}, default=str))
"""


def run(tmp_path: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository with fresh secrets and state and the given variables."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("CENTRO_", "DJANGO_"))}
    own = {"CENTRO_SECRETS": str(tmp_path / "secrets.json"), "CENTRO_VAR": str(tmp_path / "var")}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=inherited | own | {"DJANGO_SETTINGS_MODULE": "centro.settings"} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    assert run(tmp_path, "-m", "centro.config", "init").returncode == 0
    return tmp_path


def values(where: Path, *names: str, **environ: str) -> dict[str, Any]:
    import json

    done = run(where, "-c", SETTINGS_PRINTER % (names,), **environ)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_deploy_check_is_clean_with_production_settings(secrets: Path) -> None:
    done = run(
        secrets,
        "manage.py",
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        CENTRO_PUBLIC_URL="https://portal.example.org",
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_bad_configuration_ends_without_traceback(secrets: Path) -> None:
    for command in (("manage.py", "check"), ("-c", "import centro.settings"), ("-m", "centro.launch", "port")):
        done = run(secrets, *command, CENTRO_PORT="x")
        assert done.returncode != 0
        assert done.stderr == "CENTRO_PORT: expected a whole number, not 'x'\n"


def test_mariadb_without_driver_says_what_to_type(secrets: Path) -> None:
    (secrets / "MySQLdb.py").write_text("raise ImportError('libmariadb.so.3: cannot open shared object')")
    done = run(
        secrets,
        "manage.py",
        "check",
        CENTRO_DATABASE_URL="mysql://u:p@127.0.0.1/d",
        PYTHONPATH=str(secrets),
    )
    assert done.returncode != 0
    assert "apt-get install build-essential pkg-config python3-dev libmariadb-dev" in done.stderr
    assert "./start.sh" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_mariadb_options(secrets: Path) -> None:
    (secrets / "MySQLdb.py").write_text("")
    found = values(
        secrets,
        "DATABASES",
        CENTRO_DATABASE_URL="mysql://u:p@db:3307/d",
        PYTHONPATH=str(secrets),
    )["DATABASES"]["default"]
    assert (found["HOST"], found["PORT"], found["NAME"], found["USER"]) == ("db", 3307, "d", "u")
    options = found["OPTIONS"]
    assert options["charset"] == "utf8mb4"
    assert options["isolation_level"] == "read committed"
    assert options["connect_timeout"] == 5
    assert "time_zone='+00:00'" in options["init_command"]
    assert "STRICT_TRANS_TABLES" in options["init_command"]
    assert (found["CONN_MAX_AGE"], found["CONN_HEALTH_CHECKS"]) == (None, True)


def test_sqlite_really_runs_in_wal_with_immediate_transactions(secrets: Path) -> None:
    code = (
        "import django; django.setup()\n"
        "from django.db import connection as c\n"
        "k = c.cursor()\n"
        "print([k.execute(f'PRAGMA {p}').fetchone()[0]"
        " for p in ('journal_mode', 'synchronous', 'busy_timeout')], c.transaction_mode)"
    )
    done = run(secrets, "-c", code)
    assert done.stdout == "['wal', 1, 20000] IMMEDIATE\n", done.stderr


def test_https_turns_on_secure_cookies_and_hsts(secrets: Path) -> None:
    names = (
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_SECURE",
        "SECURE_SSL_REDIRECT",
        "SECURE_HSTS_SECONDS",
        "CSRF_TRUSTED_ORIGINS",
    )
    plain = values(secrets, *names)
    assert list(plain.values()) == [False, False, False, 0, ["http://127.0.0.1:8000"]]
    secure = values(secrets, *names, CENTRO_PUBLIC_URL="https://p.example")
    assert list(secure.values()) == [True, True, True, 31_536_000, ["https://p.example"]]


@pytest.mark.django_db
def test_headers_forbid_what_the_pages_do_not_need(client: Client) -> None:
    answer = client.get("/healthz")
    policy = dict(
        part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert policy["worker-src"] == "'self' blob:"
    assert policy["frame-ancestors"] == "'none'"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"


def test_passwords_are_argon2id_at_the_intended_cost() -> None:
    encoded = make_password("correct horse")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert check_password("correct horse", encoded)
    assert check_password("old", make_password("old", hasher="pbkdf2_sha256"))


def test_celery_carries_json_only_and_keeps_no_results() -> None:
    conf = current_app.conf
    assert current_app.main == "centro"
    assert conf.accept_content == ["json"]
    assert (conf.task_ignore_result, conf.task_acks_late) == (True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_pool == "threads"
    assert set(settings.CELERY_TASK_QUEUES) == {"submit", "poll", "control", "transfer"}


def test_every_sweep_expires_when_the_next_is_due() -> None:
    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] == f"pipeline_management.{name}"
        assert entry["options"] == {"queue": "control", "expires": entry["schedule"].total_seconds()}


def test_every_scheduled_task_exists() -> None:
    current_app.loader.import_default_modules()
    missing = [e["task"] for e in settings.CELERY_BEAT_SCHEDULE.values() if e["task"] not in current_app.tasks]
    assert missing == []


@pytest.mark.parametrize("answers", [False, None], ids=["refuses", "hangs"])
def test_a_dead_broker_does_not_hold_up_a_request(answers: bool | None) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers is None:
            server.listen(5)  # takes connections and never says anything
        with current_app.connection_for_write(f"redis://127.0.0.1:{server.getsockname()[1]}/0") as broker:
            for _ in range(2):  # the first also loads the transport
                start = time.monotonic()
                with pytest.raises((OperationalError, RedisError)):
                    current_app.send_task("nothing.at.all", connection=broker, retry=False, queue="control")
                waited = time.monotonic() - start
    assert waited < 1.0


def test_a_worker_waits_longer_for_the_broker_than_a_request() -> None:
    options = dict(current_app.conf.broker_transport_options)
    assert options["socket_timeout"] < 1
    conf = SimpleNamespace(broker_transport_options=options)
    celeryd_init.send(sender="w", instance=None, conf=conf)
    assert conf.broker_transport_options["socket_timeout"] == 5
    assert conf.broker_transport_options["global_keyprefix"] == "centro:"


def test_secrets_readable_by_others_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.json"
    monkeypatch.setenv("CENTRO_SECRETS", str(path))
    assert checks.secrets_are_private(None) == []
    path.touch(mode=0o600)
    assert checks.secrets_are_private(None) == []
    path.chmod(0o640)
    (found,) = checks.secrets_are_private(None)
    assert isinstance(found, Warning)
    assert found.hint == f"chmod 600 {path}"


def test_debug_is_refused_where_others_reach_it(settings: Any) -> None:
    settings.DEBUG = True
    settings.CENTRO_PUBLIC_URL = "http://127.0.0.1:8000"
    assert checks.debug_stays_at_home(None) == []
    settings.CENTRO_PUBLIC_URL = "http://portal.example.org"
    (found,) = checks.debug_stays_at_home(None)
    assert isinstance(found, Error)


def test_state_directory_that_cannot_be_made_ends_without_traceback(secrets: Path) -> None:
    (secrets / "file").touch()
    done = run(secrets, "manage.py", "check", CENTRO_VAR=str(secrets / "file" / "var"))
    assert done.returncode != 0
    assert done.stderr.endswith("choose another state directory with CENTRO_VAR\n")
    assert len(done.stderr.splitlines()) == 1
