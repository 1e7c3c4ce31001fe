"""Fixtures shared by all tests, and the choice of the database that Django's tests run on.

With CENTRO_LAB_DATABASE_URL in the environment (`test.sh` sets it, so does
`eval "$(python -m tests.lab env)"`) Django's tests run on the lab's MariaDB and Valkey, else on
SQLite in a temporary folder and without Redis. Secrets and state are this process's own.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    import pytest_django

    from tests.lab.lab import Lab
    from tests.stack import LiveStack

STATE = Path(tempfile.mkdtemp(prefix="centro-tests-"))
# nothing listens on port 1: without the lab the code meets a Redis that is down
NO_REDIS = "redis://127.0.0.1:1/0"
# an example that takes long says something of the machine, and nothing of what is tested
hypothesis.settings.register_profile(
    "centro", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
if "CI" not in os.environ:  # there its own profile says so already, and does not draw lots
    hypothesis.settings.load_profile("centro")


def choose_environment() -> None:
    """Point Centro's configuration at this process's own state; called before Django is set up."""
    for name in [name for name in os.environ if name.startswith("CENTRO_")]:
        if not name.startswith("CENTRO_LAB_"):
            del os.environ[name]  # a developer's own settings do not change the tests
    secret_file = STATE / "secrets.json"
    secret_file.touch(mode=0o600)
    secret_file.write_text(
        json.dumps(
            {
                "secret_key": secrets.token_urlsafe(50),
                "encryption_keys": [base64.urlsafe_b64encode(os.urandom(32)).decode()],
            }
        )
    )
    os.environ.update(
        {
            "DJANGO_SETTINGS_MODULE": "centro.settings",
            "CENTRO_SECRETS": str(secret_file),
            "CENTRO_VAR": str(STATE / "var"),
            "CENTRO_DATABASE_URL": os.environ.get(
                "CENTRO_LAB_DATABASE_URL", f"sqlite:///{STATE}/centro.sqlite3"
            ),
            "CENTRO_REDIS_URL": NO_REDIS,
        }
    )


def choose_lab() -> None:
    """A lab of its own for each worker of pytest-xdist, where `test.sh` has started several.

    Tests in different workers then neither share servers nor see each other's jobs.
    """
    folders = os.environ.get("CENTRO_LAB_DIRS", "").split()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if folders and worker:
        from tests.lab.lab import Lab

        number = int(worker.removeprefix("gw")) % len(folders)
        os.environ.update(Lab.at(Path(folders[number])).env())


choose_lab()
choose_environment()


def pytest_configure(config: pytest.Config) -> None:
    """Set Django up here: pytest-django would do it before this file could choose the database.

    TERM counts as an interrupt: fixtures stop what they started also when CI or test.sh gives up.
    INT is set as well because a shell starts its background jobs with INT ignored, and whoever
    ignores it passes that on to the programs under test.
    """
    import django

    if lab_redis := os.environ.get("CENTRO_LAB_REDIS_URL"):
        # workers that share a lab have each their own Redis database, 0 is the portal's
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        number = int(worker.removeprefix("gw")) % 14 + 1
        os.environ["CENTRO_REDIS_URL"] = f"{lab_redis.removesuffix('/0')}/{number}"
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    django.setup()
    from django.conf import settings

    if getattr(config.option, "numprocesses", None):
        # The workers inherit this environment, and pytest-django would read the settings with it before
        # this file has chosen theirs.
        del os.environ["DJANGO_SETTINGS_MODULE"]
    # Otherwise every test client lists a thousand static files before its first request.
    settings.WHITENOISE_AUTOREFRESH = True


def pytest_unconfigure() -> None:
    """Remove this process's state."""
    shutil.rmtree(STATE, ignore_errors=True)


FIRST = ("faults", "schema", "start")
"""Groups of tests that take minutes and have servers of their own: begun first, they are not waited for at the end."""


def group_of(item: pytest.Item) -> str:
    """The tests that must run one after the other, in one worker of pytest-xdist; "" is anywhere.

    Tests on a lab's servers go by their files, so that what a file starts is started once; those of the
    pipeline engines share an installed Snakemake.
    """
    marked = item.get_closest_marker("xdist_group")
    if marked and marked.args[0] != "lab":
        return str(marked.args[0])
    if marked or item.get_closest_marker("lab") or item.get_closest_marker("browser"):
        file = item.nodeid.partition("::")[0]
        return "pipeline_engines" if "/pipeline_engines/" in file else file
    return ""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Long groups first, which leave this process's database alone; the others as pytest-django orders them.

    Groups are said before pytest-xdist reads them, the order after pytest-django has made its own.
    """
    places = {}  # by id(): pytest-xdist renames items, which changes what they are found by
    for item in items:
        group = group_of(item)
        if group:
            item.add_marker(pytest.mark.xdist_group(group))
        places[id(item)] = 0 if group in FIRST else 1
    yield
    items.sort(key=lambda item: places[id(item)])


def skipped_in_ci(config: pytest.Config) -> int:
    """How many tests were skipped where none may be: with CI=true."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") != "true" or reporter is None:
        return 0
    return len(reporter.stats.get("skipped", []))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skipped test is no green one: with CI=true it fails the whole run."""
    if skipped_in_ci(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why a run without a failed test has failed."""
    if number := skipped_in_ci(terminalreporter.config):
        terminalreporter.write_line(f"CI=true: {number} skipped tests count as a failure", red=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> None:
    """On SQLite the test database is a file: a shared in-memory one serialises threads by errors."""
    from django.conf import settings

    database: dict[str, Any] = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database.setdefault("TEST", {})["NAME"] = str(STATE / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: pytest_django.DjangoDbBlocker,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """Django's test database: on the lab's MariaDB a copy of what the migrations make."""
    from django.conf import settings
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    if connection.vendor == "mysql":
        from tests import prepared
        from tests.lab.lab import Lab

        settings_of_it: dict[str, Any] = settings.DATABASES["default"]
        usual = settings_of_it["NAME"]
        name = settings_of_it["TEST"]["NAME"] or f"test_{usual}"
        prepared.create(Lab.at(lab_folder()), name, os.environ)
        settings_of_it["NAME"] = connection.settings_dict["NAME"] = name
        yield
        with django_db_blocker.unblock():
            connection.creation.destroy_test_db(usual, verbosity=0)
        return
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True)
def time_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine changes no number on a page: lists of a few rows are always counted."""
    from pipeline_management import rows_in_time
    from pipeline_management.run_sequences import SortedNewest

    for name in ("ORDERED", "PLAIN", "COUNTED", "QUICK"):
        monkeypatch.setattr(rows_in_time, name, 60)
    for name in ("QUICK", "SOON"):
        monkeypatch.setattr(SortedNewest, name, 60)


@pytest.fixture(autouse=True)
def empty_cache(request: pytest.FixtureRequest) -> Iterator[None]:
    """No log-in lockout, cached credential or compiled schema survives the test that made it."""
    yield
    if {"db", "transactional_db", "django_db_setup"} & set(request.fixturenames):
        from django.core.cache import cache

        from accounts import remembered
        from pipeline_management.services import long_answers, validation

        cache.clear()
        remembered.forget()
        long_answers.forget()
        # found by the digest of a version's content, which tests make up
        validation._cache.clear()


def lab_folder() -> Path:
    """Where the running lab is; a failure, never a skip, when there is none."""
    folder = os.environ.get("CENTRO_LAB_DIR")
    if not folder:
        pytest.fail(
            "this test needs the lab's servers: run it by `./test.sh`, or start a lab with "
            '`eval "$(.venv/bin/python -m tests.lab up)"` first',
            pytrace=False,
        )
    return Path(folder)


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The running lab, shared by all tests: nobody stops its servers (see `faulty_lab`)."""
    from tests.lab.lab import Lab

    found = Lab.at(lab_folder())
    if stopped := [name for name, pid in found.status().items() if pid is None]:
        pytest.fail(
            f"the lab in {found.layout.root} is not complete, stopped: {', '.join(stopped)}; "
            "`.venv/bin/python -m tests.lab up` starts them again",
            pytrace=False,
        )
    yield found


@pytest.fixture(scope="session")
def faulty_lab() -> Iterator[Lab]:
    """A second lab beside it, for tests that stop, kill or freeze servers."""
    from tests.lab.lab import Lab

    lab_folder()  # says whether labs can be had here
    own = Lab.up(owner=os.getpid())
    try:
        yield own
    finally:
        own.down()


@pytest.fixture(scope="session")
def live_stack(lab: Lab) -> Iterator[LiveStack]:
    """The portal's own processes on the lab's servers; see tests/stack.py."""
    from tests.stack import LiveStack

    with LiveStack.started(lab) as stack:
        yield stack
