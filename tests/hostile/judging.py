"""Whether an answer shows texts and does nothing with them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from tests.hostile.values import MARK

UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""Control characters, and marks that turn the direction of what follows."""
ADDRESSES = {
    "href",
    "src",
    "action",
    "formaction",
    "data",
    "poster",
    "srcset",
    "xlink:href",
    "hx-get",
    "hx-post",
}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|[/\\]{2}", re.I)
_OF_DOCUMENTATION = "nofollow noopener noreferrer"
"""The mark of links in the documentation of pipelines, which may lead to other hosts."""
OUTSIDE = ("http://testserver/", "https://hook.example/")
"""Where pages may lead to with a whole address."""


class _Watcher(HTMLParser):
    """Collects what in a page can only be made of a value."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _value in attrs]
        where = f"<{tag} {' '.join(names)}>"
        values = dict(attrs)
        scripted = (
            tag == "script" and "src" not in values and "json" not in (values.get("type") or "")
        )
        if scripted or tag in ("style", "base", "object", "embed") or "srcdoc" in values:
            self.faults.append(where)
        if MARK in where.lower() or any(name.startswith("on") or name == "style" for name in names):
            self.faults.append(where)
        for name in ADDRESSES.intersection(names):
            address = re.sub(r"[\t\r\n]", "", (values[name] or "").strip())  # as browsers do
            marked = (
                tag == "a"
                and values.get("rel") == _OF_DOCUMENTATION
                and re.match("https?://|//", address)
            )
            if _SCHEME.match(address) and not address.startswith(OUTSIDE) and not marked:
                self.faults.append(f"{where} {name}={address}")
        self._inside = tag if tag == "script" else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if MARK in tag.lower():
            self.faults.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._inside and "</script" in data.lower():
            self.faults.append(f"script: {data[:80]}")

    def handle_comment(self, data: str) -> None:
        if MARK in data.lower():  # the administration's templates have comments of their own
            self.faults.append(f"<!--{data[:80]}")

    def handle_decl(self, decl: str) -> None:
        if decl.lower() != "doctype html":
            self.faults.append(f"<!{decl[:80]}")

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data[:80]}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data[:80]}")


def faults_of(html: str) -> list[str]:
    """What a page holds that no template of ours makes."""
    watcher = _Watcher()
    watcher.feed(html)
    watcher.close()
    if re.search(f"<!--[^>]*{MARK}", html):  # also one without an end
        watcher.faults.append("<!--")
    unseen = [
        f"{match[0]!r} in {html[max(0, match.start() - 60) : match.end() + 20]!r}"
        for match in UNSEEN.finditer(html)
    ]
    return watcher.faults + unseen[:3]


def judge(answer: Any, where: str, *statuses: int) -> str:
    """The page's text, having found it harmless. Without ``statuses`` it must be 200."""
    assert answer.status_code in (statuses or (200,)), (
        f"{where}: {answer.status_code} {answer.content[:300]!r}"
    )
    text: str = answer.content.decode()
    if not answer["Content-Type"].startswith("text/html"):
        assert answer["X-Content-Type-Options"] == "nosniff", where
        return text
    faults = faults_of(text)
    assert faults == [], f"{where}: {faults[:5]}"
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy, where
    for name, value in answer.items():
        assert not UNSEEN.search(value) and "\n" not in value, f"{where}: {name}"
    return text
