"""The search language of the list of runs: words, ``key:value``, quotation marks, ``-`` in front.

    rnaseq user:jdoe state:failed state:lost -label:test after:2026-01-01 input:"NA12878_R1.fastq.gz"

All different keys and all words must fit; of several values of one key one is enough; ``-`` turns a term round.
Pure text handling: what a value means is in ``meaning``.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from pipeline_management.search import keys

MAX_LENGTH = 500
MAX_TERMS = 30
_KEY = re.compile(r"[A-Za-z_]+(?=:)")


class SearchError(ValueError):
    """A search that cannot be read; its text names the word and says what was expected.

    ``at`` is the place of the term that is wrong, in characters from 0.
    """

    def __init__(self, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. ``key`` is "" for free text; ``value`` is without quotation marks, never empty."""

    key: str
    value: str
    negated: bool = False

    def __str__(self) -> str:
        return (
            f"{'-' if self.negated else ''}{self.key + ':' if self.key else ''}{quoted(self.value)}"
        )


@dataclass(frozen=True, slots=True)
class Query:
    """A search that has been read: its terms in their order."""

    terms: tuple[Term, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    @property
    def wanted(self) -> dict[str, list[str]]:
        """The values by key of which one each must fit; free words are not in it."""
        groups: dict[str, list[str]] = defaultdict(list)
        for term in self.terms:
            if term.key and not term.negated:
                groups[term.key].append(term.value)
        return dict(groups)

    @property
    def words(self) -> list[str]:
        """Free text, all of which must fit."""
        return [term.value for term in self.terms if not term.key and not term.negated]

    @property
    def unwanted(self) -> list[Term]:
        return [term for term in self.terms if term.negated]


def parse(text: str) -> Query:
    """Read a search. Raises ``SearchError`` for one that is too long, has an unknown key, a key without a
    value, a quotation mark without its partner, or a value that its key does not know."""
    if len(text) > MAX_LENGTH:
        raise SearchError(
            _("The search has %(length)d characters; %(most)d are read at most.")
            % {"length": len(text), "most": MAX_LENGTH},
            MAX_LENGTH,
        )
    for place, char in enumerate(text):
        if not (char.isprintable() or char.isspace()):
            message = _("The search has a control character; expected words, or key:value.")
            raise SearchError(message, place)
    terms: list[Term] = []
    at = 0
    while True:
        at = _past_blanks(text, at)
        if at == len(text):
            return Query(tuple(terms))
        if len(terms) == MAX_TERMS:
            message = _("The search has more than %(most)d terms.") % {"most": MAX_TERMS}
            raise SearchError(message, at)
        try:
            term, at = _term(text, at)
        except SearchError as error:
            raise SearchError(str(error), at) from None
        terms.append(term)


def quoted(value: str) -> str:
    """The value as it is written in a search."""
    plain = value and not re.search(r'[\s":\\]', value) and not value.startswith("-")
    if plain:
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _term(text: str, at: int) -> tuple[Term, int]:
    negated = text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace()
    begun = at
    at += negated
    found = _KEY.match(text, at)
    key = ""
    if found is not None:
        key = _key(found.group())
        at = found.end() + 1
    value, at = _value(text, at)
    if key and not value:
        raise SearchError(
            _("%(word)s has no value; expected %(expected)s.")
            % {"word": text[begun:at], "expected": keys.KEYS[key].expected}
        )
    if key:
        _check(key, value)
    return Term(key, value, negated), at


def _key(word: str) -> str:
    key = keys.ALIASES.get(word.lower(), word.lower())
    if key in keys.KEYS:
        return key
    near = difflib.get_close_matches(key, [*keys.KEYS, *keys.ALIASES], n=1)
    hint = _(" Did you mean %(near)s:?") % {"near": near[0]} if near else ""
    raise SearchError(
        _(
            "There is no key %(word)s; expected one of %(keys)s.%(hint)s"
            " Put the word in quotation marks to look for it."
        )
        % {"word": f"{word[:40]}:", "keys": ", ".join(keys.KEYS), "hint": hint}
    )


def _value(text: str, at: int) -> tuple[str, int]:
    if at < len(text) and text[at] == '"':
        return _quotation(text, at)
    begun = at
    while at < len(text) and not text[at].isspace():
        at += 1
    return text[begun:at], at


def _quotation(text: str, begun: int) -> tuple[str, int]:
    value: list[str] = []
    at = begun + 1
    while at < len(text):
        if text[at] == '"':
            return "".join(value), at + 1
        at += text[at] == "\\" and at + 1 < len(text)
        value.append(text[at])
        at += 1
    raise SearchError(
        _("The quotation mark before %(word)s has no partner; expected another one.")
        % {"word": text[begun + 1 : begun + 41] or "the end"}
    )


def _check(key: str, value: str) -> None:
    """Refuse a value that its key cannot have."""
    meant = keys.KEYS[key]
    if not meant.takes(value):
        raise SearchError(
            _("%(key)s cannot be %(value)s; expected %(expected)s.")
            % {"key": f"{key}:", "value": value[:60], "expected": meant.expected}
        )
