"""`manage.py prepare`: administrator, static files, and the example site that no longer fits."""

from __future__ import annotations

import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError
from django.db import OperationalError

from centro.config import Config
from centro.config.state import directory_fault
from centro.management.commands import prepare
from pipeline_management.models import System

pytestmark = pytest.mark.django_db

SECRETS = {"secret_key": "x1y2z3" * 10, "encryption_keys": ["A" * 43 + "="]}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the commands that were called instead of being run."""
    names: list[str] = []
    monkeypatch.setattr(prepare, "call_command", lambda name, *a, **k: names.append(name))
    return names


def config(tmp_path: Path, **keys: object) -> Config:
    made = Config(**SECRETS, **{"var": tmp_path / "var", **keys})  # type: ignore[arg-type]  # test data
    assert directory_fault(made) is None
    return made


def command() -> tuple[prepare.Command, StringIO]:
    out = StringIO()
    return prepare.Command(stdout=out), out


def test_first_administrator_gets_a_generated_password_once(tmp_path: Path) -> None:
    made = config(tmp_path)
    run, out = command()
    run._administrator(made)
    kept = made.var / "admin-password"
    password = kept.read_text().strip()
    assert User.objects.get(username="admin").check_password(password)
    assert User.objects.get(username="admin").is_superuser
    assert len(password) >= 20
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert (made.run_dir / "first-login").read_text() == password + "\n"
    assert password not in out.getvalue()
    run._administrator(made)
    assert kept.read_text().strip() == password
    assert User.objects.count() == 1


def test_given_password_is_used_and_not_kept(tmp_path: Path) -> None:
    made = config(tmp_path, admin_password="chosen-by-me")
    command()[0]._administrator(made)
    assert User.objects.get(username="admin").check_password("chosen-by-me")
    assert not (made.var / "admin-password").exists()


def test_an_existing_administrator_is_left_alone(tmp_path: Path) -> None:
    User.objects.create_superuser("root", "", "something else")
    command()[0]._administrator(config(tmp_path, admin_password="chosen-by-me"))
    assert list(User.objects.values_list("username", flat=True)) == ["root"]


def test_static_files_are_collected_only_when_changed(
    tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config(tmp_path)
    digest = ["one"]
    monkeypatch.setattr(prepare, "_static_digest", lambda: digest[0])
    for expected in (1, 1):
        command()[0]._static(made)
        assert calls == ["collectstatic"] * expected
    digest[0] = "two"
    command()[0]._static(made)
    assert calls == ["collectstatic"] * 2


def test_digest_covers_our_own_files() -> None:
    assert prepare._static_digest() == prepare._static_digest()
    sources = list(prepare._static_sources())
    assert any("django==" in source for source in sources), "the pins stand for the wheels"
    assert any(source.split()[0].endswith(".css") for source in sources)


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise CommandError("hello@1.0 has runs\nand would change")

    monkeypatch.setattr(prepare, "call_command", refuse)


def test_example_that_no_longer_fits_does_not_stop_the_start(tmp_path: Path, refusal: None) -> None:
    System.objects.create(name="local", transport="local", scheduler="local", workdir="runs")
    run, out = command()
    run._site(config(tmp_path))
    assert "left as it is (hello@1.0 has runs and would change)" in out.getvalue()


def test_own_site_file_that_does_not_fit_stops_the_start(tmp_path: Path, refusal: None) -> None:
    System.objects.create(name="local", transport="local", scheduler="local", workdir="runs")
    with pytest.raises(CommandError):
        command()[0]._site(config(tmp_path, site=tmp_path / "own.yaml"))


def test_example_that_fails_on_an_empty_site_stops_the_start(tmp_path: Path, refusal: None) -> None:
    with pytest.raises(CommandError):
        command()[0]._site(config(tmp_path))


def test_failing_step_is_one_line_that_says_what_to_look_at() -> None:
    def fail() -> None:
        raise OperationalError(2002, "Can't connect\nto server")

    with pytest.raises(CommandError) as caught:
        command()[0]._step("database", fail)
    text = str(caught.value)
    assert text.startswith("database: ")
    assert "\n" not in text
    assert "does the database server run" in text
