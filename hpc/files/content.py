"""What is in a file: its beginning, its end, all of it, and a new content."""

from __future__ import annotations

import posixpath
import re
import secrets

from hpc.commands import DEFAULT_MAX_OUTPUT, Command, CommandResult
from hpc.errors import (
    FileMissing,
    FileTooLarge,
    InvalidCount,
    ParentMissing,
    PatternNotFound,
)
from hpc.files.tool import (
    C_LOCALE,
    FORBIDDEN,
    INTERACTIVE,
    IS_DIRECTORY,
    NO_DIRECTORY,
    NOT_REGULAR,
    TOO_LARGE,
    accept,
    far_path,
    nothing,
    quick,
    script,
    tool,
)

STREAM_SECONDS = 60.0
STREAM_RATE = 256 * 1024
"""A content may take a minute, and longer where it comes slower than 256 KiB/s."""

_NO_LIMIT = 2**62
_COUNT = re.compile(r"[0-9]+(?:b|[kKmMGTPEZY](?:B|iB)?)?")
_PART = ".centro-{}.part"

# the size first: a file of a gigabyte costs no more than its refusal. Of a file that grows meanwhile, and
# of one in /proc that says 0, no more than one byte too many comes.
_READ = (
    f'[ ! -d "$1" ] || exit {IS_DIRECTORY}; '
    f'[ -f "$1" ] || [ ! -e "$1" ] || exit {NOT_REGULAR}; '
    's=$(stat -L -c %s -- "$1") || exit 1; '
    f'[ "$s" -le "$2" ] || exit {TOO_LARGE}; '
    'exec head -c "$3" -- "$1"'
)
_FILTER = (
    f'[ ! -d "$3" ] || exit {IS_DIRECTORY}; '
    '[ -r "$3" ] || head -c 1 -- "$3" >/dev/null || exit 1; '
    '"$1" "$2" -- "$3" | grep -a -F -e "$4"'
)
# a link is followed, so that it stays one; the temporary name stands beside what is replaced
_WRITE = (
    f'[ -d "$1" ] || {{ [ ! -e "$1" ] || exit {NO_DIRECTORY}; stat -L -- "$1" >/dev/null || exit 1; }}; t=$2; '
    'if [ -L "$t" ] && [ -e "$t" ]; then t=$(readlink -f -- "$t" && echo .) || exit 1; t=${t%??}; fi; '
    f'[ ! -d "$t" ] || exit {IS_DIRECTORY}; '
    f'if [ -e "$t" ]; then [ -f "$t" ] || exit {NOT_REGULAR}; [ -w "$t" ] || exit {FORBIDDEN}; umask 077; fi; '
    "p=${t%/*}/$3; set -C; "
    # nothing is said before the part is gone: where nobody listens any more, SIGPIPE ends who speaks
    'cat >"$p" && { [ "$(wc -c <"$p")" -eq "$4" ] || '
    '{ rm -f -- "$p"; echo "the content came incomplete" >&2; exit 1; }; } '
    '&& { [ ! -e "$t" ] || chmod --reference="$t" -- "$p"; } '
    '&& mv -f -T -- "$p" "$t" || { rm -f -- "$p"; exit 1; }'
)


def head(
    path: str,
    *,
    lines: str | None = None,
    count: str | None = None,
    skip_ending: bool = False,
    grep: str | None = None,
    timeout: float = INTERACTIVE,
    max_output: int = DEFAULT_MAX_OUTPUT,
) -> Command[bytes]:
    """The first ``lines`` lines or ``count`` bytes of a file, ten lines where nothing is said.

    The number may carry a suffix of coreutils (``K``, ``KB``, …). ``skip_ending``: all but the last so
    many. ``grep``: of these only the lines that contain this text.

    Raises ``InvalidCount``, and ``ValueError`` where both are given or ``grep`` holds a newline. The
    command raises ``FileMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``,
    ``PatternNotFound``, and ``OutputTooLarge`` beyond ``max_output`` bytes.
    """
    option = _option(path, lines, count, "-" if skip_ending else "")
    return _part("head", option, path, grep, timeout, max_output)


def tail(
    path: str,
    *,
    lines: str | None = None,
    count: str | None = None,
    skip_beginning: bool = False,
    grep: str | None = None,
    timeout: float = INTERACTIVE,
    max_output: int = DEFAULT_MAX_OUTPUT,
) -> Command[bytes]:
    """The last lines or bytes of a file; see ``head``.

    ``skip_beginning``: all from line or byte number so many on, counted from 1.
    """
    option = _option(path, lines, count, "+" if skip_beginning else "")
    return _part("tail", option, path, grep, timeout, max_output)


def _option(path: str, lines: str | None, count: str | None, sign: str) -> str:
    if lines is not None and count is not None:
        raise ValueError("lines and bytes cannot be specified at the same time")
    name, value = ("bytes", count) if count is not None else ("lines", lines or "10")
    # head and tail take a sign themselves where none is meant by the caller
    bare = value[1:] if value[:1] in ("+", "-") and not sign else value
    if not _COUNT.fullmatch(bare):
        raise InvalidCount(path, f"invalid number of {name}: {value!r}")
    return f"--{name}={sign}{value}"


def _part(
    program: str, option: str, path: str, grep: str | None, timeout: float, max_output: int
) -> Command[bytes]:
    far = far_path(path)
    if not grep:
        return tool(
            (program, option, "--", far),
            lambda result: accept(path, result).stdout,
            timeout=timeout,
            read_only=True,
            max_output=max_output,
        )
    if "\n" in grep:
        raise ValueError("grep holds a newline, expected text within one line")

    def parse(result: CommandResult) -> bytes:
        if result.exit_code == 1 and not result.stderr:
            raise PatternNotFound(path, "pattern not found")
        return accept(path, result).stdout

    argv = script(program, _FILTER, (program, option, far, grep))
    return tool(argv, parse, timeout=timeout, read_only=True, max_output=max_output)


def view(path: str, limit: int, *, timeout: float = INTERACTIVE) -> Command[bytes]:
    """The whole content, at most ``limit`` bytes.

    The command raises ``FileMissing``, ``FileForbidden``, ``IsADirectory``, ``NotADirectory``,
    ``NotRegular``, ``FileTooLarge``.
    """

    def parse(result: CommandResult) -> bytes:
        data = _read(path, limit, result).stdout
        if len(data) > limit:
            raise FileTooLarge(path, limit)
        return data

    argv = script("read", _READ, (far_path(path), str(limit), str(limit + 1)))
    return quick(argv, parse, timeout=timeout, max_output=limit + DEFAULT_MAX_OUTPUT)


def download(path: str, limit: int | None = None, *, timeout: float | None = None) -> Command[None]:
    """The whole content on stdout, for ``SystemClient.fetch``; the errors are those of ``view``.

    Of a file that grows beyond ``limit`` while it is read one byte more than that comes.
    """
    most = _NO_LIMIT if limit is None else limit
    argv = script("read", _READ, (far_path(path), str(most), str(most + 1)))

    def parse(result: CommandResult) -> None:
        _read(path, most, result)

    seconds = stream_seconds(limit) if timeout is None else timeout
    return Command(
        argv, parse, env=C_LOCALE, timeout=seconds, max_output=-1, read_only=True, kept=True
    )


def _read(path: str, limit: int, result: CommandResult) -> CommandResult:
    if result.exit_code == TOO_LARGE:
        raise FileTooLarge(path, limit)
    return accept(path, result)


def upload(path: str, size: int, *, timeout: float | None = None) -> Command[None]:
    """Put stdin, ``size`` bytes of it, in the place of a file, for ``SystemClient.feed``.

    The new content appears at once and whole, or not at all. An existing file keeps its permissions, a
    new one gets those of the account's umask; where the path is a link, what it points to is replaced.

    The command raises ``ParentMissing``, ``FileForbidden``, ``IsADirectory`` (the path is one),
    ``NotADirectory`` (what should hold it is none), ``NotRegular``.
    """
    far = far_path(path)
    words = (posixpath.dirname(far), far, part_name(), str(size))

    seconds = stream_seconds(size) if timeout is None else timeout
    parse = nothing(path, {FileMissing: ParentMissing})
    return Command(script("write", _WRITE, words), parse, env=C_LOCALE, timeout=seconds)


def part_name() -> str:
    """A temporary name that is never too long and that nobody can guess."""
    return _PART.format(secrets.token_hex(8))


def stream_seconds(size: int | None) -> float:
    """How long a content of so many bytes may be on its way; None is a size that is not known."""
    return STREAM_SECONDS + (6 * 3600.0 if size is None else size / STREAM_RATE)
