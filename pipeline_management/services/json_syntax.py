"""Why a text is not JSON: one plain sentence with line and column for each mistake that people make.

Python's reader says where it stopped and what it expected; this module looks at the text around that
place and names the mistake. Every search is linear in the text.
"""

from __future__ import annotations

import json
import re

from pipeline_management.errors import Problem
from pipeline_management.services.json_places import Place, problem_at

# Possessive, so that an unterminated string costs one pass and not one per quotation mark.
STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
STRUCTURE = re.compile(STRING + r"|[\[\]{}]", re.DOTALL)
SPACES = " \t\r\n"
_WORD = re.compile(r"[^\s,:;{}\[\]\"']+")


def explain_syntax(text: str, error: json.JSONDecodeError) -> Problem:
    """What the JSON reader's error means, told in the words of the mistake that people usually make."""
    at = error.pos
    if error.msg.startswith("Invalid control"):
        name = {"\n": "a line break", "\t": "a tab", "\r": "a carriage return"}.get(text[at])
        name = name or f"the control character U+{ord(text[at]):04X}"
        message = f"A string contains {name}; write it as an escape such as \\n or \\t."
        return problem_at(text, at, "control_character", message)
    if error.msg.startswith("Unterminated string"):
        return problem_at(
            text, at, "unclosed", 'A string begins here and is not closed: a " is missing.'
        )
    if error.msg.startswith("Invalid \\"):
        at = at if text[at] == "\\" else at - 1
        return problem_at(
            text,
            at,
            "escape",
            f'The escape {text[at : at + 2]} is not known; JSON has \\" \\\\ \\/ \\b \\f \\n \\r \\t and '
            "\\u with four hexadecimal digits. A backslash itself is written \\\\.",
        )
    while at < len(text) and text[at] in SPACES:
        at += 1
    if error.msg.startswith("Extra data"):
        return _extra(text, at)
    if at >= len(text):
        return _ends_early(text)
    return _common_mistake(text, at) or _expected(text, at, error.msg)


def _extra(text: str, at: int) -> Problem:
    if text.startswith(("//", "/*", "#"), at):
        return problem_at(text, at, "comment", _COMMENT)
    if text[at] in "]}":
        return problem_at(text, at, "unopened", f"This {text[at]} closes nothing: remove it.")
    if text[at] == "," or text[at] == "{":
        message = "After the end of the configuration comes more; expected one object only."
    else:
        message = "After the end of the configuration comes more text: remove it."
    return problem_at(text, at, "trailing_text", message)


def _ends_early(text: str) -> Problem:
    end = len(text.rstrip(SPACES))
    opened = _open_bracket(text, end)
    if opened is None:
        return problem_at(text, end, "unclosed", "The text ends where a value was expected.")
    closing = "}" if text[opened] == "{" else "]"
    kind = "object" if closing == "}" else "list"
    message = (
        f"The text ends too early: the {kind} that begins in {Place.of(text, opened)} "
        f"is not closed, a {closing} is missing."
    )
    return problem_at(text, end, "unclosed", message)


def _open_bracket(text: str, end: int) -> int | None:
    """Where the innermost object or list that is open at ``end`` begins."""
    stack: list[int] = []
    for match in STRUCTURE.finditer(text, 0, end):
        if match[0] in "[{":
            stack.append(match.start())
        elif match[0] in "]}" and stack:
            stack.pop()
    return stack[-1] if stack else None


_COMMENT = "JSON has no comments: remove this one."
_LITERALS = {"true": "true", "false": "false", "none": "null", "null": "null", "nil": "null"}
_LITERALS |= {"yes": "true", "no": "false", "undefined": "null"}


def _common_mistake(text: str, at: int) -> Problem | None:
    """The mistakes that do not depend on what the reader expected."""
    before = len(text[:at].rstrip(SPACES)) - 1
    sign, previous = text[at], text[before] if before >= 0 else ""
    if text.startswith(("//", "/*", "#"), at):
        return problem_at(text, at, "comment", _COMMENT)
    if sign in "]}" and previous == ",":
        message = f"There is a comma before the closing {sign}: remove the comma."
        return problem_at(text, before, "trailing_comma", message)
    if sign == "'" or sign in "‘’“”`´":
        message = f'Strings stand in double quotes: write " instead of {sign}.'
        return problem_at(text, at, "quotes", message)
    if sign == "," and previous in (",", "[", "{", ":"):
        return problem_at(text, at, "extra_comma", "A value is missing before this comma.")
    if sign in "]}" and previous == ":":
        return problem_at(text, at, "missing_value", "After the colon a value is missing.")
    return None


def _expected(text: str, at: int, message: str) -> Problem:
    if message.startswith("Expecting property name"):
        return _expected_key(text, at)
    if message.startswith("Expecting ':'"):
        return problem_at(
            text,
            at,
            "missing_colon",
            f"After a key comes a colon and then the value; found {_shown(text, at)}.",
        )
    if message.startswith("Expecting ','"):
        return _expected_comma(text, at)
    return _expected_value(text, at)


def _shown(text: str, at: int) -> str:
    if text[at] == '"':
        return f"the string {text[at : at + 20].splitlines()[0]}"
    word = _WORD.match(text, at)
    found = word[0] if word else text[at]
    return repr(found if len(found) <= 30 else found[:30] + "…")


def _expected_key(text: str, at: int) -> Problem:
    word = _WORD.match(text, at)
    if word:
        return problem_at(
            text, at, "unquoted_key", f'Keys stand in double quotes: write "{word[0][:60]}".'
        )
    return problem_at(
        text, at, "syntax", f"Expected a key in double quotes or }}, found {_shown(text, at)}."
    )


def _expected_comma(text: str, at: int) -> Problem:
    opened = _open_bracket(text, at)
    closing = "}" if opened is not None and text[opened] == "{" else "]"
    kind = "object" if closing == "}" else "list"
    where = f"the {kind} that begins in {Place.of(text, opened or 0)}"
    sign, previous = text[at], text[at - 1]
    if sign in "]}":
        message = f"Found {sign}, but {where} is closed with {closing}."
        return problem_at(text, at, "wrong_bracket", message)
    if previous.isdigit() and sign not in SPACES and (sign.isalnum() or sign == "."):
        return problem_at(text, at, "number", _NUMBER_FORM)
    if sign in ";:=":
        message = f"Members are separated by commas; found {sign!r}."
        return problem_at(text, at, "missing_comma", message)
    end = len(text[:at].rstrip(SPACES))
    return problem_at(
        text,
        end,
        "missing_comma",
        f"Here a comma (or {closing}) is missing: {_shown(text, at)} follows directly in {where}.",
    )


_NUMBER_FORM = (
    "This is not a JSON number: write it like 12, -0.5 or 1.5e3, without a leading zero or plus sign "
    "and with digits on both sides of the point; anything else is a string in double quotes."
)


def _expected_value(text: str, at: int) -> Problem:
    word = _WORD.match(text, at)
    if not word:
        return problem_at(text, at, "missing_value", f"Expected a value, found {_shown(text, at)}.")
    found = word[0]
    literal = _LITERALS.get(found.lower())
    if literal:
        return problem_at(text, at, "literal", f"{found} is not JSON: write {literal}.")
    if found.lower().lstrip("+-") in ("nan", "inf", "infinity"):
        return problem_at(text, at, "nan", not_a_number(found))
    if found[0] in "+-." or found[0].isdigit():
        return problem_at(text, at, "number", _NUMBER_FORM)
    return problem_at(
        text,
        at,
        "unquoted_value",
        f"{_shown(text, at)} is not a value: strings stand in double quotes.",
    )


def not_a_number(found: str) -> str:
    """What to say about a NaN or infinity."""
    return f"{found} is not a JSON number: give a number, null or leave the key out."
