"""Large files piece by piece between a system and a store: every piece goes to its place, so one that is sent
again, by whomever and whenever, does no harm.

An incoming file grows under a temporary name beside its target and takes the target's name when it is whole
and proven. Pieces begin at whole MiB. Links are given to curl on its standard input, never in its arguments,
where everybody on the machine could read them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from hpc.commands import MIB, Command, CommandResult
from hpc.errors import FileMissing, HpcError, ParentMissing, RemoteFileError
from hpc.files.content import stream_seconds
from hpc.files.tool import (
    C_LOCALE,
    FORBIDDEN,
    IS_DIRECTORY,
    NO_DIRECTORY,
    NO_TOOL,
    NOT_REGULAR,
    accept,
    far_path,
    nothing,
    refusal,
    script,
    tool,
)

STORE_FAILED = 208
"""What our scripts exit with when curl did not get its way with the store; stderr has curl's words."""
_DIGEST_RATE = 20 * MIB  # bytes per second of a slow disk that is read by checksums

# $1 the target, $2 the temporary name. A link is followed, so that it stays one.
_RESOLVE = (
    't=$1; d=${t%/*}; [ -d "${d:-/}" ] || '
    f'{{ stat -L -- "${{d:-/}}" >/dev/null || exit 1; exit {NO_DIRECTORY}; }}; '
    'if [ -L "$t" ] && [ -e "$t" ]; then t=$(readlink -f -- "$t" && echo .) || exit 1; t=${t%??}; fi; '
    "p=${t%/*}/$2; "
)
_BEGIN = (
    _RESOLVE + f'[ ! -d "$t" ] || exit {IS_DIRECTORY}; '
    f'if [ -e "$t" ]; then [ -f "$t" ] || exit {NOT_REGULAR}; [ -w "$t" ] || exit {FORBIDDEN}; umask 077; fi; '
    f'command -v sha256sum >/dev/null || {{ echo "sha256sum: not found" >&2; exit {NO_TOOL}; }}; '
    '( : >>"$p" ) || exit 1; printf %s "$p"'
)
_PUBLISH = (
    _RESOLVE
    + '[ "$(stat -c %s -- "$p")" = "$3" ] || { echo "the file is not complete" >&2; exit 1; }; '
    'if [ -e "$t" ]; then chmod --reference="$t" -- "$p" || exit 1; fi; '
    'sync -- "$p" 2>/dev/null; mv -f -T -- "$p" "$t"'
)
_DISCARD = 't=$1; d=${t%/*}; [ -d "${d:-/}" ] || exit 0; ' + _RESOLVE + 'rm -f -- "$p"'
# $1 the temporary file, $2 where in MiB, $3 how long it must be then
_PLACE = 'dd of="$1" bs=1M seek="$2" conv=notrunc,nocreat status=none'
_GROWN = (
    '[ "$(stat -c %s -- "$1")" -ge "$3" ] || { echo "the content came incomplete" >&2; exit 1; }'
)
_WRITE = f"{_PLACE} || exit 1; {_GROWN}"
# A shell's pipe tells only of its last program, so curl's end comes through a descriptor of its own.
_PULL = (
    f'r=$( {{ {{ curl -q --config - 2>&4; echo "curl=$?" >&4; }} | {_PLACE} || echo "dd=$?" >&4; }} 4>&1 ); '
    'case $r in *dd=*) exit 1;; *curl=0*) ;; *) printf "%s\\n" "${r%curl=*}" >&2; '
    f"exit {STORE_FAILED};; esac; {_GROWN}"
)
# Lines "offset-in-MiB blocks bytes link"
_PUSH = (
    'while read -r o c n u; do r=$( { dd if="$1" bs=1M skip="$o" count="$c" status=none | head -c "$n" '
    "| curl -q --config /dev/fd/3 2>&1; } 3<<END\n"
    'url = "$u"\nupload-file = "-"\nheader = "Transfer-Encoding:"\nheader = "Content-Length: $n"\n'
    'header = "Expect:"\noutput = "/dev/null"\n%s\nEND\n'
    f') || {{ printf "%s\\n" "$r" >&2; exit {STORE_FAILED}; }}; done'
)
_CURL = "fail\nsilent\nshow-error\nconnect-timeout = 20\nspeed-limit = 1024\nspeed-time = 60"
# $2 the size of parts in MiB of which each MD5 is wanted, 0 for that of the whole, "" for none
_DIGEST = (
    '[ -r "$1" ] && [ -f "$1" ] || head -c 0 -- "$1" || exit 1; '
    '{ s=$(sha256sum <"$1") && echo "S ${s%% *}"; } & '
    'case $2 in "") ;; 0) m=$(md5sum <"$1") && echo "M ${m%% *}";; '
    '*) n=$(stat -L -c %s -- "$1"); i=0; while [ $((i * $2 * 1048576)) -lt "$n" ]; do '
    'm=$(dd if="$1" bs=1M skip=$((i * $2)) count="$2" status=none | md5sum) && echo "M ${m%% *}"; '
    "i=$((i + 1)); done;; esac; wait"
)
_PROBE = (
    'for p in curl dd head md5sum sha256sum; do command -v $p >/dev/null || { echo "no $p"; exit 0; }; done; '
    'if r=$(curl -q --config - 2>&1); then printf "got %s" "$r"; else printf "curl %s" "$r"; fi'
)


class StoreUnanswered(HpcError):
    """The system's curl did not get its way with the store; the text is what curl said."""

    retryable = True


@dataclass(frozen=True, slots=True)
class PartToSend:
    """``size`` bytes of an outgoing file from ``offset`` on, and the link they go to."""

    offset: int
    size: int
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of a file, and the MD5s that were asked for, all in hexadecimal digits."""

    sha256: str
    md5s: tuple[str, ...]


def begin(path: str, name: str) -> Command[str]:
    """Make the temporary file ``name`` for a target, or find it where it is already; its absolute path.

    A new file gets the permissions of the account's umask, one that replaces another the other's. The
    command raises ``ParentMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``, ``NotRegular``,
    ``ToolMissing``.
    """

    def parse(result: CommandResult) -> str:
        return os.fsdecode(accept(path, result, {FileMissing: ParentMissing}).stdout)

    argv = script("begin", _BEGIN, (far_path(path), name))
    return tool(argv, parse, timeout=30, read_only=True)


def write_at(part: str, offset: int, size: int) -> Command[None]:
    """Put stdin, ``size`` bytes, at ``offset`` into a temporary file; for ``SystemClient.feed``.

    The command raises ``FileMissing`` when the file is gone, and what the system says of a full disk.
    """
    words = (far_path(part), _mebi(offset), str(offset + size))
    return _guarded(script("write", _WRITE, words), part, size)


def pull(part: str, offset: int, size: int, url: str) -> Command[None]:
    """Let the system fetch bytes ``offset`` to ``offset + size`` of an object into the same place of a
    temporary file. The errors are those of ``write_at``, and ``StoreUnanswered``."""
    words = (far_path(part), _mebi(offset), str(offset + size))
    config = f'url = "{_quoted(url)}"\nrange = "{offset}-{offset + size - 1}"\n{_CURL}\n'

    def parse(result: CommandResult) -> None:
        _heed_store(result)
        accept(part, result)

    argv = _limited(script("pull", _PULL, words), size)
    return Command(argv, parse, config.encode(), None, C_LOCALE, stream_seconds(size) + 2)


def push(path: str, parts: Sequence[PartToSend]) -> Command[None]:
    """Let the system send parts of a file to their links.

    The command raises ``StoreUnanswered``, ``FileMissing``, ``FileForbidden``.
    """
    total = sum(part.size for part in parts)
    lines = [
        f"{_mebi(part.offset)} {-(-part.size // MIB)} {part.size} {_quoted(part.url)}"
        for part in parts
    ]

    def parse(result: CommandResult) -> None:
        _heed_store(result)
        accept(path, result)
        if result.error_text:  # of dd, whose end a pipe does not tell
            raise refusal(path, result)

    argv = _limited(
        script("push", _PUSH.replace("%s\nEND", f"{_CURL}\nEND"), (far_path(path),)), total
    )
    data = ("\n".join(lines) + "\n").encode()
    return Command(argv, parse, data, None, C_LOCALE, stream_seconds(total) + 2)


def read_at(path: str, offset: int, size: int) -> Command[None]:
    """``size`` bytes of a file from ``offset`` on, to stdout; less where it ends before.

    The command raises ``FileMissing``, ``FileForbidden``, ``IsADirectory``.
    """
    words = ("dd", f"if={far_path(path)}", "bs=1M", f"skip={_mebi(offset)}")
    return _guarded((*words, f"count={-(-size // MIB)}", "status=none"), path, size)


def moment(path: str) -> Command[tuple[int, str]]:
    """The size of a file, links followed, and a text that changes when its content does (size, time, inode).

    The command raises ``FileMissing``, ``FileForbidden``, ``NotADirectory``.
    """

    def parse(result: CommandResult) -> tuple[int, str]:
        words = accept(path, result).text.split()
        if len(words) != 3 or not words[0].isdigit():
            raise RemoteFileError(path, f"stat answered {result.text[:200]!r}")
        return int(words[0]), " ".join(words)

    argv = ("stat", "-L", "-c", "%s %.Y %i", "--", far_path(path))
    return tool(argv, parse, timeout=20, read_only=True)


def digests(path: str, size: int, *, md5_of: int | None = None) -> Command[Digests]:
    """SHA-256 of a file of about ``size`` bytes, and with ``md5_of`` the MD5s of its parts of so many bytes (a
    multiple of 1 MiB), of the whole for 0."""
    asked = "" if md5_of is None else _mebi(md5_of)

    def parse(result: CommandResult) -> Digests:
        words = [line.split() for line in accept(path, result).text.splitlines()]
        sha256 = [word[1] for word in words if word[0] == "S"]
        if len(sha256) != 1 or result.error_text:
            raise refusal(path, result)
        return Digests(sha256[0], tuple(word[1] for word in words if word[0] == "M"))

    argv = script("digest", _DIGEST, (far_path(path), asked))
    return tool(argv, parse, timeout=120 + size / _DIGEST_RATE, read_only=True)


def publish(path: str, name: str, size: int) -> Command[None]:
    """Give the temporary file the target's name. ``FileMissing`` when it is gone: published, or discarded."""
    argv = script("publish", _PUBLISH, (far_path(path), name, str(size)))
    return tool(argv, nothing(path), timeout=120)


def discard(path: str, name: str) -> Command[None]:
    """Remove the temporary file for a target; one that is not there is no error."""
    argv = script("discard", _DISCARD, (far_path(path), name))
    return tool(argv, nothing(path), timeout=30, read_only=True)


def probe(url: str, expected: str) -> Command[str]:
    """Whether the system can fetch a link itself: "" if what it got is ``expected``, else why not."""
    config = f'url = "{_quoted(url)}"\nmax-time = 15\n{_CURL}\n'

    def parse(result: CommandResult) -> str:
        said = accept("curl", result).text.strip()
        if said == f"got {expected}":
            return ""
        if said.startswith("no "):
            return f"The system has {said}."
        if said.startswith("got "):
            return "What the system got is not what the store has; something stands between them."
        return f"The system does not reach the store: {said.removeprefix('curl ')[:300]}"

    argv = ("timeout", "-k", "1", "40", *script("probe", _PROBE, ()))
    return Command(argv, parse, config.encode(), None, C_LOCALE, 42, read_only=True)


def _limited(argv: tuple[str, ...], size: int) -> tuple[str, ...]:
    return ("timeout", "-k", "1", f"{stream_seconds(size):.0f}", *argv)


def _guarded(argv: tuple[str, ...], path: str, size: int) -> Command[None]:
    """A program that moves ``size`` bytes, or is ended."""
    seconds = stream_seconds(size)
    return Command(
        _limited(argv, size), nothing(path), None, None, C_LOCALE, seconds + 2, max_output=-1
    )


def _heed_store(result: CommandResult) -> None:
    if result.exit_code == STORE_FAILED:
        first = result.error_text.split("\n", 1)[0]
        raise StoreUnanswered(first.removeprefix("curl: ") or "curl failed without a word")


def _mebi(size: int) -> str:
    """In MiB. Raises ``ValueError`` for anything between."""
    if size % MIB:
        raise ValueError(f"{size} is not a multiple of 1 MiB")
    return str(size // MIB)


def _quoted(url: str) -> str:
    """A link as it may stand in curl's configuration and in a line of words; presigned links hold nothing that
    would need more. Raises ``ValueError`` otherwise."""
    if any(c.isspace() or c in "\"\\'`$" for c in url):
        raise ValueError("the link holds characters that links do not have")
    return url
