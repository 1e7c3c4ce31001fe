"""A language with a catalogue is shown to who asks for it; one without is not pretended."""

from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string
from django.test import Client
from django.utils.translation import override

from centro.config.model import ROOT
from centro.languages import languages_of


def test_without_catalogues_there_is_english_alone(tmp_path: Path) -> None:
    assert languages_of(tmp_path / "none", "en-gb") == [("en-gb", "British English")]


def test_a_compiled_catalogue_makes_a_language(tmp_path: Path) -> None:
    for locale in ("pt_BR", "de"):
        (tmp_path / locale / "LC_MESSAGES").mkdir(parents=True)
        (tmp_path / locale / "LC_MESSAGES" / "django.mo").touch()
    (tmp_path / "fr" / "LC_MESSAGES").mkdir(parents=True)
    assert [code for code, _ in languages_of(tmp_path, "en-gb")] == ["en-gb", "de", "pt-br"]


def test_the_catalogues_lie_in_the_project() -> None:
    assert [str(path) for path in settings.LOCALE_PATHS] == [str(ROOT / "locale")]


@pytest.mark.django_db
def test_a_language_without_a_catalogue_is_not_pretended() -> None:
    answer = Client().get("/nowhere-at-all/", headers={"accept-language": "de"})
    assert answer.headers["Content-Language"] == "en-gb"


@pytest.mark.parametrize("code", ["en-gb", "de"])
def test_a_plain_page_names_the_language_it_is_shown_in(code: str) -> None:
    with override(code):
        assert f'<html lang="{code}"' in render_to_string("404.html")
