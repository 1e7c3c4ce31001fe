"""The names behind the numbers of users and groups, asked of a system once and remembered for a while.

find(1) looks a name up for every file that it prints: of a listing of 1,000 files that is three quarters of
the time even with /etc/passwd (measured with findutils 4.9), and far more where names come from a directory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from hpc.commands import Command, CommandResult
from hpc.files.listing import Entry
from hpc.files.tool import INTERACTIVE, quick, script

Names = tuple[dict[str, str], dict[str, str]]
"""The names of users and those of groups, by number; a number without a name stands for itself."""

REMEMBERED = 600.0
"""Seconds that a name is taken for true; also that there is none."""
MOST = 20_000
"""Numbers of a system that are remembered; one more begins anew."""

_BATCH = 1_000
# the numbers are digits, so that splitting them at blanks is all that a shell can do to them
_GETENT = (
    '[ -z "$1" ] || getent passwd $1 </dev/null; echo; [ -z "$2" ] || getent group $2 </dev/null'
)


def names(
    users: Sequence[int], groups: Sequence[int], *, timeout: float = INTERACTIVE
) -> Command[Names]:
    """What these numbers are called; numbers without a name are left out."""

    def parse(result: CommandResult) -> Names:
        text = result.stdout.decode("utf-8", "surrogateescape")
        passwd, _, group = f"\n{text}".partition("\n\n")
        return _by_number(passwd), _by_number(group)

    words = (" ".join(map(str, users)), " ".join(map(str, groups)))
    return quick(script("names", _GETENT, words), parse, timeout=timeout)


def _by_number(lines: str) -> dict[str, str]:
    fields = [line.split(":", 3) for line in lines.split("\n")]
    return {parts[2]: parts[0] for parts in fields if len(parts) > 2}


class NameBook:
    """What is known of one system's names. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._users: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        self._since = clock()

    def name(self, entries: Sequence[Entry], run: Callable[[Command[Names]], Names]) -> None:
        """Put names in place of numbers into the entries; ``run`` asks the system for those not known yet."""
        with self._lock:
            self._forget()
            users, groups = dict(self._users), dict(self._groups)
        new_users = sorted({int(entry.user) for entry in entries if entry.user not in users})
        new_groups = sorted({int(entry.group) for entry in entries if entry.group not in groups})
        while new_users or new_groups:
            asked = new_users[:_BATCH], new_groups[:_BATCH]
            del new_users[:_BATCH], new_groups[:_BATCH]
            found = run(names(*asked))
            for known, numbers, called in zip((users, groups), asked, found, strict=True):
                known.update(
                    {str(number): called.get(str(number), str(number)) for number in numbers}
                )
        with self._lock:
            self._users.update(users)
            self._groups.update(groups)
        for entry in entries:
            entry.user = users[entry.user]
            entry.group = groups[entry.group]

    def _forget(self) -> None:
        old = self._clock() - self._since > REMEMBERED
        if old or len(self._users) + len(self._groups) > MOST:
            self._users.clear()
            self._groups.clear()
            self._since = self._clock()
