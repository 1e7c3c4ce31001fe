"""The pages in a language that marks every text that went through translation: what is left has no way to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from django.core.cache import cache
from django.utils.translation import _trans, trans_real

from pipeline_management.choices import Attention, RunState
from pipeline_management.templatetags import centro_pages
from tests.pages.site import Site

pytestmark = pytest.mark.django_db
BEGIN, END = "⟦", "⟧"
UNTOLD = {"script", "style", "code", "pre", "kbd", "samp", "time", "textarea"}
"""Elements of which the text is no sentence: code, times that a script writes anew, what people have written."""
THEIRS = re.compile(
    r"\b(Centro|JSON|YAML|CSV|SHA-256|curl|stdout|stderr|scheduler|hello|genomics|imaging|cluster|administrator"
    r"|manager|submitter|outsider|root|world|NAMED|EXIT_3|integer|string|name|times|whom to greet"
    r"|[0-9a-f-]{8,64}|c[a-z2-7]{14}|https?://\S+|UTC)\b"
    r"|-?\b\w+:(x|(?=\s|$))|/\S+"
    r"|– (queued|mine|page), [a-z, ]+"
)
"""Names of things and people, formats, states and keys as the search takes them."""


class Texts(HTMLParser):
    """Collects what stands in the page outside of the marks."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.depth = 0
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNTOLD:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        outside = ""
        for letter in data:
            self.depth += (letter == BEGIN) - (letter == END)
            outside += letter if self.depth == 0 and letter != END else " "
        left = " ".join(THEIRS.sub(" ", " ".join(outside.split())).split())
        if not self.inside and re.search(r"[^\W\d_]{2}", left):
            self.found.append(left)


def forget() -> None:
    """What was written once for each language is written anew."""
    cache.clear()
    for kept in (centro_pages._state_badge, centro_pages._month):
        kept.cache_clear()


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every translation is its English text between two marks."""
    forget()
    for name in ("gettext", "ngettext", "pgettext", "npgettext"):
        translate = getattr(trans_real, name)

        def mark(*arguments: Any, translate: Any = translate) -> str:
            text = str(translate(*arguments))
            return f"{BEGIN}{text}{END}" if text else text

        monkeypatch.setattr(_trans, name, mark)
    yield
    forget()


@pytest.fixture
def pages(site: Site) -> list[str]:
    """Addresses of all kinds of pages, with runs in every state."""
    for state in RunState:
        site.run(state=state, name="NAMED")
    failed = site.run(
        state=RunState.FAILED, name="NAMED", reason="EXIT_NONZERO", exit_code=3, job_id="17"
    )
    stuck = site.run(state=RunState.SUBMITTED, attention=Attention.CLUSTER_DOWN, name="NAMED")
    tabs = (
        "",
        "tasks/",
        "configuration/",
        "usage/",
        "events/",
        "log/",
        "files/",
        "reports/",
    )
    return [
        "/", "/runs/", "/runs/?state=failed", "/runs/?group=cause", "/runs/?text=nothing",
        *(f"/runs/{failed.pk}/{tab}" for tab in tabs), f"/runs/{stuck.pk}/", f"/runs/{stuck.pk}/cancel/",
        f"/runs/compare/?a={failed.pk}&b={stuck.pk}", "/usage/", "/files/", "/transfers/", "/notifications/",
        "/submit/?pipeline=hello", "/pipelines/", "/pipelines/hello/", "/pipelines/hello/versions/1.0/settings/",
        "/systems/", "/systems/cluster/", "/maintenance/", "/catalogue/upload/", "/accounts/tokens/",
        "/accounts/clients/", "/accounts/password/", "/labs/genomics/webhooks/", "/usage/budgets/genomics/",
    ]  # fmt: skip


def test_nothing_on_the_pages_is_out_of_reach(site: Site, pages: list[str], marked: None) -> None:
    browser = site.client("administrator")
    left = {}
    for address in pages:
        answer = browser.get(address)
        assert answer.status_code == 200, address
        reader = Texts()
        reader.feed(answer.content.decode())
        assert reader.depth == 0, f"{address}: a text was cut within its marks"
        if reader.found:
            left[address] = reader.found
    assert left == {}, "\n".join(f"{where} {texts}" for where, texts in left.items())


@pytest.mark.parametrize(
    ("html", "found"),
    [
        (f"<p>{BEGIN}Runs <b>of</b> people{END}</p>", []),
        (f"<p>{BEGIN}Runs{END} of people</p>", ["of people"]),
        ("<p>Runs</p>", ["Runs"]),
        ("<code>sbatch</code> <time>1 May</time> <b>genomics</b> /runs/ 17 h", []),
    ],
)
def test_the_reader_sees_what_is_not_marked(html: str, found: list[str]) -> None:
    reader = Texts()
    reader.feed(html)
    assert reader.found == found
