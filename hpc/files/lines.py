"""Lines of huge text files: how many there are, where one begins, and which of them match a pattern.

Each command looks at a bounded part of the file, however large the file is, and is ended by the far side
when it takes too long. Offsets count bytes from 0; a line is what ends with a newline.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import BadFrame, BadPattern
from hpc.files.tool import (
    IS_DIRECTORY,
    NOT_REGULAR,
    T,
    accept,
    script,
    tool,
)
from hpc.transports.base import check_path

SECONDS = 10.0
LONGEST_TEXT = 500
"""Bytes of a matching line that come back."""
MOST_MATCHES = 1000

_BAD_PATTERN = 210
_LOOK_BACK = 65536

# The first line of each answer: the file's size and inode number.
_LOOK = (
    f'[ ! -d "$1" ] || exit {IS_DIRECTORY}; [ -f "$1" ] || [ ! -e "$1" ] || exit {NOT_REGULAR}; '
    'f=$1; l=$(stat -L -c "%s %i" -- "$f") || exit 1; size=${l%% *}; '
    # an unreadable file is said by name, in the words of coreutils
    '[ -r "$f" ] || { head -c 1 -- "$f"; exit 1; }; '
    'part() { dd if="$f" iflag=skip_bytes,count_bytes skip="$1" count="$2" bs=1M status=none; }; '
)
_COUNT = _LOOK + (
    'echo "$l"; at=$2 stop=$3; [ "$stop" -le "$size" ] || stop=$size; '
    'while [ "$at" -lt "$stop" ]; do n=$((stop - at)); [ "$n" -le "$4" ] || n=$4; '
    'part "$at" "$n" | wc -l; at=$((at + n)); done'
)
_FIND = _LOOK + 'echo "$l"; part "$2" "$3" | head -n "$4" | wc -c'
# A part that ends within a line is searched up to the end of the line before: "kept" says how much of its
# end is left to the next search. grep is asked for its opinion of the pattern before it sees the file.
_SEARCH = _LOOK + (
    'start=$2 count=$3 most=$4; shift 4; grep -a "$@" </dev/null; '
    f"[ $? -le 1 ] || exit {_BAD_PATTERN}; "
    'end=$((start + count)) kept=0; [ "$end" -le "$size" ] || end=$size; '
    'if [ "$start" -lt "$end" ] && [ "$end" -lt "$size" ] && [ "$(part $((end - 1)) 1 | wc -l)" -eq 0 ]; then '
    f"n=$((end - start)); [ $n -le {_LOOK_BACK} ] || n={_LOOK_BACK}; "
    "kept=$(part $((end - n)) $n | tail -n 1 | wc -c); [ $kept -lt $n ] || kept=0; fi; "
    'echo "$l $end $kept"; [ "$start" -lt "$end" ] || exit 0; '
    f'part "$start" $((end - start)) | grep -a -n -b -m "$most" "$@" | cut -b 1-{LONGEST_TEXT + 30}; exit 0'
)
_MATCH = re.compile(rb"(\d+):(\d+):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LineCounts:
    """Newlines in each of the parts asked for, in order; only the last part may be shorter than a block."""

    size: int
    inode: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """A line that matches: the offset of its first byte, its number counted from 1 at the start of the search,
    and its first bytes without the newline."""

    offset: int
    line: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Matches:
    """What was found up to the offset ``stop``, where the next search begins; at ``size`` all is searched."""

    size: int
    inode: int
    stop: int
    found: tuple[Match, ...]


def count_lines(
    path: str, start: int, stop: int, block: int, *, timeout: float = SECONDS
) -> Command[LineCounts]:
    """How many newlines the bytes ``start`` to ``stop`` (or the end) have, by blocks of ``block`` bytes.

    The command raises ``FileMissing``, ``FileForbidden``, ``IsADirectory``, ``NotRegular``, ``CommandTimeout``.
    """
    if not 0 <= start <= stop or block < 1:
        raise ValueError(
            f"bytes {start} to {stop} in blocks of {block}: expected 0 <= start <= stop"
        )

    def parse(result: CommandResult) -> LineCounts:
        head, _, body = accept(path, result).stdout.partition(b"\n")
        size, inode = _numbers(path, head, 2)
        return LineCounts(size, inode, tuple(_numbers(path, body)))

    words = (check_path(path), str(start), str(stop), str(block))
    return _looking("count", _COUNT, words, parse, timeout)


def find_line(
    path: str, start: int, count: int, lines: int, *, timeout: float = SECONDS
) -> Command[int]:
    """The offset behind the ``lines``-th newline from ``start`` on, looking at no more than ``count`` bytes;
    the end of what was looked at where there are fewer. The errors of ``count_lines``."""
    if start < 0 or count < 0 or lines < 1:
        raise ValueError(f"line {lines} in {count} bytes from {start}: expected positive numbers")

    def parse(result: CommandResult) -> int:
        text = accept(path, result).stdout
        return start + _numbers(path, text, 3)[2]

    words = (check_path(path), str(start), str(count), str(lines))
    return _looking("line", _FIND, words, parse, timeout)


def search_lines(
    path: str,
    patterns: Sequence[str],
    start: int,
    count: int,
    *,
    regex: bool = False,
    ignore_case: bool = False,
    most: int = 200,
    timeout: float = SECONDS,
) -> Command[Matches]:
    """Lines that match one of the patterns among ``count`` bytes from ``start``, the beginning of a line.

    ``regex``: POSIX extended regular expressions as grep(1) reads them, else plain text; the case of letters
    outside ASCII always counts. At most ``most`` matches; then ``stop`` is where the last one's line ends at
    the earliest. Raises ``ValueError`` for no pattern, an empty one, or one with a newline or NUL.
    The command raises ``BadPattern`` and the errors of ``count_lines``.
    """
    if not patterns or any(not text or "\n" in text or "\0" in text for text in patterns):
        raise ValueError("a pattern is empty or holds a newline or NUL")
    if start < 0 or count < 1 or not 1 <= most <= MOST_MATCHES:
        raise ValueError(
            f"{most} matches in {count} bytes from {start}: expected 1 to {MOST_MATCHES}"
        )
    options = ["-E" if regex else "-F", *(["-i"] if ignore_case else [])]
    for text in patterns:
        options += ["-e", text]

    def parse(result: CommandResult) -> Matches:
        if result.exit_code == _BAD_PATTERN:
            raise BadPattern(result.error_text.split("\n", 1)[0].removeprefix("grep: "))
        head, _, body = accept(path, result).stdout.partition(b"\n")
        size, inode, end, kept = _numbers(path, head, 4)
        return _matches(Matches(size, inode, end - kept, ()), start, most, body, path)

    # one more than asked for tells where to go on
    words = (check_path(path), str(start), str(count), str(most + 1), *options)
    return _looking("search", _SEARCH, words, parse, timeout)


def _matches(head: Matches, start: int, most: int, body: bytes, path: str) -> Matches:
    found = []
    for row in body.split(b"\n")[:-1]:
        match = _MATCH.fullmatch(row)
        if match is None:
            raise BadFrame(f"{path}: a line of the answer is damaged: {row[:100]!r}")
        offset = start + int(match[2])
        if offset < head.stop:
            found.append(Match(offset, int(match[1]), match[3][:LONGEST_TEXT]))
    stop = found[most].offset if len(found) > most else max(start, head.stop)
    return Matches(head.size, head.inode, stop, tuple(found[:most]))


def _looking(
    name: str,
    text: str,
    words: tuple[str, ...],
    parse: Callable[[CommandResult], T],
    timeout: float,
) -> Command[T]:
    argv = script(name, text, words)
    return tool(argv, parse, timeout=timeout, read_only=True, max_output=4 * MIB)


def _numbers(path: str, text: bytes, expected: int | None = None) -> list[int]:
    words = text.split()
    if not all(word.isdigit() for word in words) or (expected and len(words) != expected):
        raise BadFrame(f"{path}: the answer is damaged: {text[:100]!r}")
    return [int(word) for word in words]
