"""The one place where words become shell text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable


def shell_words(words: Iterable[str]) -> str:
    """The words as POSIX shell text that yields exactly these words. Raises ``ValueError`` on a NUL."""
    checked = list(words)
    for word in checked:
        if "\0" in word:
            raise ValueError(f"{word[:80]!r} contains a NUL byte")
    return shlex.join(checked)
