"""Every sentence that a template writes goes through the translation tags."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
READ_ATTRIBUTES = {"title", "alt", "aria-label", "placeholder", "aria-description"}
CODE_ELEMENTS = {"script", "style", "code", "pre", "kbd", "samp"}
LETTERS = re.compile(r"[^\W\d_]{2,}")
SAID_ALIKE_EVERYWHERE = {
    "Centro": "the name of the product",
    "JSON": "the name of a format",
    "CSV": "the name of a format",
    "curl": "the name of a program",
    "· Centro": "the end of a title",
    "· · Centro": "the end of a title",
    "OpenAPI": "the name of a format",
    "SHA-256": "the name of a method",
    "centro:": "the first half of a job's name, as squeue shows it",
    "-label:x": "a word of the search's language",
    "– MiB": "a unit",
    "/data": "a path as an example",
    "~/data": "a path as an example",
    "~/results/report.html": "a path as an example",
}
ADDRESS = re.compile(r'^data-socket="/ws/')
"""Of a block that stands within a start tag: an address, not a text."""


def markup_alone(source: str) -> str:
    """The template without its tags and all that stands inside a translation block.

    Line breaks stay, so that a line number in the answer is one of the template.
    """
    kept: list[str] = []
    block_end = ""
    for token in Lexer(source).tokenize():
        first = token.contents.split()[0] if token.contents.split() else ""
        if token.token_type == TokenType.BLOCK and first in {
            "blocktranslate",
            "blocktrans",
            "comment",
        }:
            block_end = "end" + first
        elif token.token_type == TokenType.BLOCK and first == block_end:
            block_end = ""
        is_text = token.token_type == TokenType.TEXT and not block_end
        kept.append(token.contents if is_text else "\n" * token.contents.count("\n"))
    return "".join(kept)


class ReadTexts(HTMLParser):
    """Collects what a reader sees or hears of a page: text nodes and some attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: list[str] = []
        self.found: list[tuple[int, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in CODE_ELEMENTS:
            self.inside.append(tag)
        for name, value in attrs:
            if name in READ_ATTRIBUTES:
                self.take(value or "")

    def handle_endtag(self, tag: str) -> None:
        if self.inside and self.inside[-1] == tag:
            self.inside.pop()

    def handle_data(self, data: str) -> None:
        if not self.inside:
            self.take(data)

    def take(self, text: str) -> None:
        words = " ".join(text.split())
        if (
            LETTERS.search(words)
            and words not in SAID_ALIKE_EVERYWHERE
            and not ADDRESS.match(words)
        ):
            self.found.append((self.getpos()[0], words))


def untranslated(source: str) -> list[tuple[int, str]]:
    """(line, text) of each text of a template that no translation reaches."""
    reader = ReadTexts()
    reader.feed(markup_alone(source))
    reader.close()
    return reader.found


def templates() -> Iterator[Path]:
    return (path for path in sorted(TEMPLATES.rglob("*.html")))


def test_every_text_of_the_templates_is_translatable() -> None:
    places = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in templates()
        for line, text in untranslated(path.read_text(encoding="utf-8"))
    ]
    assert places == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>\nHello</p>", ["Hello"]),
        ('<a title="Open it">{% translate "Open" %}</a>', ["Open it"]),
        ("{% blocktranslate %}Hello {{ name }}{% endblocktranslate %} there", ["there"]),
        ("{% comment %}a remark{% endcomment %}<b>{{ name }}</b> 5", []),
        ("<code>sbatch job.sh</code>", []),
    ],
)
def test_the_reader_of_templates_sees_what_a_person_sees(source: str, found: list[str]) -> None:
    assert [text for _, text in untranslated(source)] == found


SPOKEN_KEYWORDS = {"label", "help_text", "verbose_name", "empty_text", "empty_label"}
SPEAKING_MODULES = (
    "pipeline_management/views",
    "pipeline_management/forms",
    "pipeline_management/tables.py",
    "pipeline_management/filters.py",
    "accounts/views.py",
    "accounts/forms.py",
)


def is_bare_text(node: ast.expr) -> bool:
    """Whether an argument is a text with letters that no gettext got."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return LETTERS.search(node.value) is not None
    return isinstance(node, ast.JoinedStr)


def bare_texts(source: str) -> list[int]:
    """Lines of calls that hand a person's text over untranslated, or an f-string to gettext."""
    lines: list[int] = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        said = [word.value for word in node.keywords if word.arg in SPOKEN_KEYWORDS]
        if name.endswith("ValidationError") or name.startswith("messages."):
            said += node.args
        if name in {"_", "gettext", "gettext_lazy"}:
            said += [text for text in node.args if isinstance(text, ast.JoinedStr)]
        lines += [node.lineno for text in said if is_bare_text(text)]
    return lines


def python_files() -> Iterator[Path]:
    for name in SPEAKING_MODULES:
        place = ROOT / name
        assert place.exists(), name
        yield from [place] if place.is_file() else sorted(place.rglob("*.py"))


def test_what_forms_tables_and_views_say_is_translatable() -> None:
    places = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files()
        for line in bare_texts(path.read_text(encoding="utf-8"))
    ]
    assert places == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("CharField(label='Name')", [1]),
        ("CharField(label=_('Name'))", []),
        ("raise ValidationError('No such run.')", [1]),
        ("messages.success(request, f'Saved {name}.')", [1]),
        ("_(f'Saved {name}.')", [1]),
    ],
)
def test_the_reader_of_python_sees_bare_texts(source: str, lines: list[int]) -> None:
    assert bare_texts(source) == lines
