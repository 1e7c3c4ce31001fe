"""Every field takes the hostile values or refuses them by its name; nothing breaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import SuspiciousFileOperation

from tests.hostile.entries import API, ELSEWHERE, PAGES, Entry, make_desk
from tests.hostile.judging import judge
from tests.hostile.values import TABS_AND_LINES, UNSTORABLE, VALUES, groups
from tests.pages.site import Site

SINGLE = 2
GOOD = (200, 201, 202, 204, 302)
BAD = (400, 413)


def values_for(name: str) -> dict[str, str]:
    """All fifty in five groups, what a field of one line cannot hold, and some values alone, other ones for each field:
    what is long is refused for its length where a short text is not."""
    together = {f"group {number}": " ".join(group) for number, group in enumerate(groups(10))}
    first = sum(map(ord, name)) % len(VALUES)
    turned = [*VALUES.items(), *VALUES.items()][first : first + SINGLE]
    return {**together, **TABS_AND_LINES, **UNSTORABLE, **dict(turned)}


def sent(entry: Entry, desk: Any, value: str, *, in_address: bool) -> Any:
    """The answer; None for what no client can send: half a surrogate pair outside of JSON, a file called "/"."""
    try:
        if in_address:
            quote(value)
        return entry.ask(desk, value[:5000] if in_address else value)
    except (UnicodeEncodeError, SuspiciousFileOperation):
        return None


@pytest.mark.django_db
@pytest.mark.parametrize("name", PAGES)
def test_forms_and_addresses_of_pages(site: Site, name: str) -> None:
    desk, entry = make_desk(site), PAGES[name]
    answers = []
    for kind, value in values_for(name).items():
        answer = sent(entry, desk, value, in_address=name.startswith("?"))
        if answer is None:
            continue
        where = f"{name}: {kind}"
        if answer["Content-Type"].startswith("text/html") and answer.status_code != 302:
            text = judge(answer, where, *GOOD, *BAD, *entry.also)
        else:
            assert answer.status_code in GOOD + BAD + entry.also, f"{where}: {answer.status_code}"
            text = answer.content.decode()
        if answer.status_code in BAD and entry.names:
            assert any(word in text.lower() for word in entry.names), f"{where}: {text[-2000:]}"
        assert "\n" not in answer.get("Location", ""), where
        assert not answer.get("Location", "").startswith(("//", "http", "javascript")), where
        answers.append(answer.status_code)
    assert len(answers) > 5 + SINGLE


@pytest.mark.django_db
@pytest.mark.parametrize("name", API)
def test_requests_of_programs(site: Site, name: str) -> None:
    desk, entry = make_desk(site), API[name]
    answers = []
    for kind, value in values_for(name).items():
        answer = sent(entry, desk, value, in_address=name.startswith("?"))
        if answer is None:
            continue
        where = f"{name}: {kind}: {answer.status_code} {answer.content[:400]!r}"
        assert answer.status_code in GOOD + BAD + entry.also, where
        assert answer["X-Content-Type-Options"] == "nosniff"
        if answer["Content-Type"].startswith("application/json"):
            body = json.loads(answer.content)
            if answer.status_code in BAD:
                told = json.dumps(body["errors"][0])
                assert not entry.names or any(word in told for word in entry.names), where
        else:
            assert answer["Content-Type"].startswith("text/plain"), where
        answers.append(answer.status_code)
    assert len(answers) > 5 + SINGLE


@pytest.mark.parametrize("file", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_the_other_doors_have_tests(file: str) -> None:
    text = (Path(__file__).resolve().parents[2] / file).read_text()
    assert any(sign in text for sign in ("\\x1b", "<script", "\\u202e", "../", "binary(", "ENTITY"))
