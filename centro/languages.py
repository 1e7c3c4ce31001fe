"""The languages in which the pages can be shown: English, and each that has a compiled catalogue."""

from __future__ import annotations

from pathlib import Path

from django.conf.locale import LANG_INFO
from django.utils.translation import to_language


def languages_of(catalogues: Path, own: str) -> list[tuple[str, str]]:
    """(code, the language's own name) for ``own`` first, then for each ``<locale>/LC_MESSAGES/django.mo``.

    A folder without a compiled catalogue does not count, and neither does a missing ``catalogues``.
    """
    found = sorted(to_language(mo.parts[-3]) for mo in catalogues.glob("*/LC_MESSAGES/django.mo"))
    return [(code, _name(code)) for code in [own, *(code for code in found if code != own)]]


def _name(code: str) -> str:
    info = LANG_INFO.get(code) or LANG_INFO.get(code.split("-")[0]) or {}
    return str(info.get("name_local", code))
