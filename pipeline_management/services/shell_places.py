"""Where in a shell script do the values stand? A quoted word is safe only where the shell reads quotes as quotes.

Inside "…" the quotes of a value would be plain characters and ``$(…)`` in it would run; in a comment or
a here-document a line break in it would begin a command. Authors write such things without noticing, so
every rendered script is read once more, with the values as holes.
"""

from __future__ import annotations

import re

_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "mksh", "ash", "zsh", "busybox"})
_PLAIN = re.compile(r"[^\\'\"`$#<()\n{}]+")
_SINGLE_END = {
    "'": re.compile(r"[^']*+('?)"),
    "$'": re.compile(r"(?:[^'\\]|\\.)*+\\?('?)", re.DOTALL),
}
_IN_DOUBLE = re.compile(r"[^\\\"`$]+")
_HEREDOC = re.compile(
    r"<<(?P<tabs>-?)[ \t]*(?P<word>(?:\\.|'[^'\n]*'|\"[^\"\n]*\"|[^\s'\"\\;&|<>()])+)"
)
_HEREDOC_SIGN = re.compile(r"(?<!<)<<-?[ \t]*\Z")
_ODD_BACKSLASH = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")
_NAMES = {
    '"': "inside double quotes",
    "'": "inside single quotes",
    "`": "inside backquotes: use $(…) instead",
    "((": "inside $((…)): make the value an integer in the schema",
    "a(": "inside ((…)): make the value an integer in the schema",
    "${": "inside ${…}: assign it to a variable first",
    "#": "in a comment",
    "<<": "in a here-document: use printf '%s\\n' instead",
}


def interpreter(script: str) -> str:
    """The name of the program in the first line, "sh" where there is none."""
    first = script.split("\n", 1)[0]
    if not first.startswith("#!"):
        return "sh"
    words = [word for word in first[2:].split() if word not in ("-S", "-i") and "=" not in word]
    names = [word.rsplit("/", 1)[-1] for word in words]
    if names and names[0] == "env":
        names = names[1:]
    return names[0] if names else "sh"


def misplaced(script: str, mark: str) -> tuple[int, str] | None:
    """The first value that stands where its quotes do not protect: (line of the script, what is wrong).

    ``script`` has each quoted value between two ``mark`` characters. None when all is well.
    """
    parts = script.split(mark)
    if len(parts) == 1:
        return None
    program = interpreter(parts[0])
    if program not in _SHELLS:
        return 1, f"in a script for {program}: values are quoted for a shell, use tojson and raw"
    reader = _Reader()
    line = 1
    for number, part in enumerate(parts):
        if number % 2:
            wrong = reader.wrong()
            if wrong:
                return line, wrong
            reader.word()
        else:
            reader.read(part)
        line += part.count("\n")
    return None


class _Reader:
    """A reader of shell text that knows which quotation it is in; text may come in pieces."""

    def __init__(self) -> None:
        self.stack: list[str] = []  # of '"', "'", "$'", "`", "((", "a(", "$(", "(", "${", "#"
        self.heredocs: list[tuple[str, bool]] = []
        self.in_heredoc = False
        self.line = ""  # of the here-document so far
        self.word_begins = True
        self.text = ""
        self.at = 0

    def wrong(self) -> str | None:
        """Why a value may not stand here."""
        if self.in_heredoc:
            return _NAMES["<<"]
        for sign in reversed(self.stack):
            if sign in ("$(", "("):
                break
            return _NAMES["'" if sign == "$'" else sign]
        if "`" in self.stack:
            return _NAMES["`"]
        if _ODD_BACKSLASH.search(self.text):
            return "after a backslash"
        if self.text.endswith("$"):
            return "after a dollar sign"
        if _HEREDOC_SIGN.search(self.text):
            return _NAMES["<<"]
        return None

    def word(self) -> None:
        """A value has been passed: what follows is not the beginning of a word."""
        self.word_begins = False

    def read(self, text: str) -> None:
        self.text, self.at = text, 0
        while self.at < len(text):
            if self.in_heredoc:
                self._heredoc_line()
                continue
            top = self.stack[-1] if self.stack else ""
            if top in ("'", "$'"):
                self._inside_single(top)
            elif top == "#":
                self._comment()
            elif top == '"':
                self._inside_double()
            else:
                self._code(top)

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return match

    def _inside_single(self, top: str) -> None:
        match = self._take(_SINGLE_END[top])
        if match and match[1]:
            self.stack.pop()

    def _comment(self) -> None:
        end = self.text.find("\n", self.at)
        if end < 0:
            self.at = len(self.text)
            return
        self.at = end
        self.stack.pop()

    def _inside_double(self) -> None:
        if self._take(_IN_DOUBLE):
            return
        sign = self.text[self.at]
        if sign == '"':
            self.stack.pop()
            self.at += 1
        elif sign == "\\":
            self.at += 2
        else:
            self._substitution(sign)

    def _substitution(self, sign: str) -> None:
        """A $ or a backquote, in code or within double quotes."""
        self.word_begins = False
        if sign == "`" and self.stack and self.stack[-1] == "`":
            self.stack.pop()
            self.at += 1
            return
        opened = next((o for o in ("`", "$((", "$(", "${") if self.text.startswith(o, self.at)), "")
        if opened:
            self.stack.append("((" if opened == "$((" else opened)
            self.word_begins = opened in ("`", "$(")
        self.at += len(opened) or 1

    def _code(self, top: str) -> None:
        plain = self._take(_PLAIN)
        if plain:
            self.word_begins = plain[0][-1] in " \t;&|"
            return
        sign = self.text[self.at]
        if sign == "\\":
            self.at += 2
            self.word_begins = False
        elif sign in "'\"":
            self.stack.append(sign)
            self.at += 1
            self.word_begins = False
        elif self.text.startswith("$'", self.at):
            self.stack.append("$'")
            self.at += 2
        elif sign in "`$":
            self._substitution(sign)
        elif sign == "<" and top not in ("((", "a(", "${"):
            self._less_than()
        else:
            self._bracket_or_end(sign, top)

    def _less_than(self) -> None:
        if self.text.startswith("<<<", self.at):
            self.at += 3
        else:
            match = self._take(_HEREDOC)
            if match:
                word = re.sub(r"\\(.)|['\"]", r"\1", match["word"])
                self.heredocs.append((word, bool(match["tabs"])))
            else:
                self.at += 1
        self.word_begins = True

    def _bracket_or_end(self, sign: str, top: str) -> None:
        self.at += 1
        if sign == "#" and self.word_begins and top not in ("((", "a(", "${"):
            self.stack.append("#")
        elif sign == "(" and top in ("((", "a("):
            self.stack.append("a(")
        elif sign == "(" and self.text.startswith("(", self.at):
            self.stack.append("((")
            self.at += 1
        elif sign == "(" and top != "${":
            self.stack.append("(")
        elif sign == ")" and top == "((":
            self.stack.pop()
            if self.text.startswith(")", self.at):
                self.at += 1
        elif (sign == ")" and top in ("(", "$(", "a(")) or (sign == "}" and top == "${"):
            self.stack.pop()
        elif sign == "\n" and self.heredocs:
            self.in_heredoc = True
            self.line = ""
        self.word_begins = sign in "\n()"

    def _heredoc_line(self) -> None:
        end = self.text.find("\n", self.at)
        if end < 0:
            self.line += self.text[self.at :]
            self.at = len(self.text)
            return
        line = self.line + self.text[self.at : end]
        self.line = ""
        self.at = end + 1
        word, tabs = self.heredocs[0]
        if (line.lstrip("\t") if tabs else line) == word:
            self.heredocs.pop(0)
            self.in_heredoc = bool(self.heredocs)
            self.word_begins = True
