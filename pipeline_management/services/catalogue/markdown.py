"""Documentation of pipelines: Markdown to HTML that can do no harm, whoever wrote it."""

from __future__ import annotations

import functools
import re
from collections.abc import MutableMapping, Sequence
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict

MAX_LENGTH = 200_000
_FIRST_HEADING = 2
"""The page has its own heading of the first level, so those of the text begin two below."""
_UNSEEN = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Marks that turn the direction of writing, and control characters."""


class _Renderer(RendererHTML):
    """Pictures become links, since pages load nothing from elsewhere; links to elsewhere pass no referrer on."""

    def image(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        token = tokens[idx]
        text = self.renderInlineAsText(token.children, options, env) if token.children else ""
        link = Token("link_open", "a", 1, {"href": str(token.attrs.get("src", ""))})
        opened = self.link_open([link], 0, options, env)
        return f"{opened}{_escaped(text or str(token.attrs.get('src', '')))}</a>"

    def link_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        tokens[idx].attrSet("rel", "nofollow noopener noreferrer")
        return self.renderToken(tokens, idx, options, env)

    def heading_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return f"<h{_level(tokens[idx])}>"

    def heading_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return f"</h{_level(tokens[idx])}>\n"

    def table_open(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return '<div class="scroll-x"><table class="rows">\n'

    def table_close(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return "</table></div>\n"


_markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": 30}, renderer_cls=_Renderer)
_markdown.enable(["table", "strikethrough"])


@functools.lru_cache(maxsize=64)
def rendered(text: str) -> SafeString:
    """The text as HTML: CommonMark with tables, HTML in it shown as text, no scripts in links, no pictures.

    What is longer than ``MAX_LENGTH`` characters is cut off.
    """
    harmless = _UNSEEN.sub("�", text[:MAX_LENGTH])
    # html is off, links are checked by the parser (no javascript:, vbscript:, file:, data:), the rest is escaped
    html: SafeString = mark_safe(_markdown.render(harmless))  # noqa: S308  see above
    return html


def _level(token: Token) -> int:
    return min(6, int(token.tag[1:]) + _FIRST_HEADING)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
