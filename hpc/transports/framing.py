"""How a command travels to a shell and how its answer is told from a login shell's noise.

The command line of the far shell is the constant ``BOOTSTRAP``. It holds no variable data, so quoting
rules of the account's login shell (sh, csh, fish …) never matter. Standard input then carries one line,
read and evaluated by ``/bin/sh``, and after it the bytes that the command itself reads.

A shell reads a line from a pipe byte by byte, so nothing behind the line is swallowed (``sh -s`` may read
ahead). That costs a system call a byte: scripts that are long, or that contain a newline, are fetched in
one piece by ``head -c`` instead, which costs a process.

The answer stands, on stdout and on stderr alike, between a BEGIN and an END line that carry a nonce of 128
random bits; the END line carries the exit code. What stands outside them is noise.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hpc.errors import BadFrame, ConnectionLost, RemoteFileError
from hpc.quoting import shell_words
from hpc.transports.base import check_path, file_error

KEPT_SHELL = "exec /bin/sh -c 'while IFS= read -r _centro; do eval \"$_centro\"; done'"
"""The command line of a shell that takes one command after the other, each in a subshell of its own."""

BOOTSTRAP = "exec /bin/sh -c 'IFS= read -r _centro && eval \"$_centro\"'"

_LINE_LIMIT = 4096
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARG_LIMIT = 128 * 1024 - 1  # MAX_ARG_STRLEN of Linux, with its terminating NUL

# Words that a shell would run itself with another meaning than the program of that name, or that would
# end or change the shell that still has to print the END line. They are started through env(1).
_SHELL_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
    . : alias bg bind break builtin caller case cd chdir command compgen complete compopt
    continue declare dirs disown do done echo elif else enable esac eval exec exit export fc
    fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd
    printf pushd pwd read readarray readonly return select set shift shopt source suspend test
    then time times trap type typeset ulimit umask unalias unset until wait while [ [[ { } !
""",
    )
)

_CD = {
    "missing": "No such file or directory",
    "forbidden": "Permission denied",
    "nodir": "Not a directory",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """One command made ready to send: ``head`` goes to stdin first, then the command's own input."""

    head: bytes
    nonce: str
    cwd: str | None
    has_stdin: bool

    def readers(
        self, out: Callable[[bytes], object], err: Callable[[bytes], object]
    ) -> tuple[FrameReader, FrameReader]:
        """A reader for stdout and one for stderr; each hands on what stands between its markers."""
        return FrameReader(self.nonce, out), FrameReader(self.nonce, err)

    def exit_code(self, out: FrameReader, err: FrameReader) -> int:
        """The command's exit code, once the far side has no more to say.

        Raises ``BadFrame`` when the two streams disagree, ``ConnectionLost`` when an END line is missing,
        and the ``RemoteFileError`` family when the working directory could not be entered.
        """
        if out.end is None or err.end is None:
            begun = out.begun or err.begun
            raise ConnectionLost(
                "the answer ended before the command did: its outcome is unknown"
                if begun
                else "the login shell ended without running the command or its end was lost"
            )
        if out.end != err.end:
            raise BadFrame("the END lines of stdout and stderr differ")
        code, word = out.end
        if word != "ok" and self.cwd is not None:
            raise self._cd_error(word)
        return code

    def _cd_error(self, word: str) -> RemoteFileError:
        path = self.cwd or ""
        return file_error(path, _CD.get(word, "cannot be entered"))


def frame(
    argv: Iterable[str],
    *,
    has_stdin: bool,
    cwd: str | None = None,
    env: Iterable[tuple[str, str]] = (),
    nested: bool = False,
) -> Frame:
    """Build what is sent for one command; ``nested`` for a kept shell, in which it must change nothing.

    Raises ``ValueError`` for an empty argv, a NUL, an argument of 128 KiB or more (no Linux kernel passes
    one on: send such data on stdin), a relative ``cwd`` or a bad variable name.
    """
    words = list(argv)
    _check(words)
    nonce = secrets.token_hex(16)
    script = _script(words, nonce, has_stdin, cwd, tuple(env))
    if (
        nested
    ):  # a subshell that was killed prints no END line: the end of the shell says it instead
        script = f"( {script} ); [ $? -lt 128 ] || exit 1"
    body = script.encode("utf-8", "surrogateescape")
    if len(body) > _LINE_LIMIT or b"\n" in body:
        loader = f'_centro=$(head -c {len(body)}) && eval "$_centro"\n'
        return Frame(loader.encode("ascii") + body, nonce, cwd, has_stdin)
    return Frame(body + b"\n", nonce, cwd, has_stdin)


def _check(words: list[str]) -> None:
    if not words:
        raise ValueError("argv is empty")
    for word in words:
        if "\0" in word:
            raise ValueError(f"argument {word[:80]!r} contains a NUL byte")
        if (
            len(word) > _ARG_LIMIT // 4
            and len(word.encode("utf-8", "surrogateescape")) > _ARG_LIMIT
        ):
            raise ValueError(f"argument {word[:40]!r}… is 128 KiB or longer: send it on stdin")


def _script(
    words: list[str],
    nonce: str,
    has_stdin: bool,
    cwd: str | None,
    env: tuple[tuple[str, str], ...],
) -> str:
    begin = f"printf '\\n@%s begin\\n' {nonce}; printf '\\n@%s begin\\n' {nonce} >&2; "
    end = "printf '\\n@%s end %d %s\\n' " + nonce + ' "$1" "$2"'
    parts = [f"_centro_end() {{ {end}; {end} >&2; }}; ", begin]
    if cwd is not None:
        parts.append(_cd(check_path(cwd)))
    for name, value in env:
        if not _ENV_NAME.fullmatch(name) or "\0" in value:
            raise ValueError(f"environment variable {name!r} has a bad name or a NUL in its value")
        parts.append(f"export {name}={shell_words([value])}; ")
    # "command --" keeps the first word from being read as a reserved word, a function or an assignment.
    prefix = "env -- " if words[0] in _SHELL_WORDS else "command -- "
    if "=" in words[0] and prefix.startswith("env"):
        raise ValueError(f"command name {words[0]!r} contains '='")
    source = "" if has_stdin else " </dev/null"
    parts.append(f"{prefix}{shell_words(words)}{source}; _centro_end $? ok")
    if has_stdin:
        # Stay until the input ends. A session that closes just while our end of input is on its way makes
        # sshd drop the whole connection ("nonexistent channel"), with all other commands on it.
        parts.append("; while IFS= read -r _centro; do :; done")
    return "".join(parts)


def _cd(path: str) -> str:
    quoted = shell_words([path])
    why = (
        f"if [ -d {quoted} ]; then _centro=forbidden; elif [ -e {quoted} ]; then _centro=nodir; "
        "else _centro=missing; fi; "
    )
    return f"cd {quoted} 2>/dev/null || {{ {why}_centro_end 126 $_centro; exit 126; }}; "


class FrameReader:
    """Cuts one stream into noise, content and noise, in whatever pieces it arrives.

    Keeps no more than the length of a marker line, so streaming a large file costs no memory.
    ``size`` counts the content's bytes handed on so far; ``end`` is (exit code, word) once seen.
    """

    def __init__(self, nonce: str, sink: Callable[[bytes], object]) -> None:
        self._begin = f"\n@{nonce} begin\n".encode("ascii")
        self._end_start = f"\n@{nonce} end ".encode("ascii")
        self._hold = len(self._end_start) + 24
        self._buffer = b""
        self._sink = sink
        self.begun = False
        self.size = 0
        self.end: tuple[int, str] | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self.end is not None:
            return
        self._buffer = self._buffer + data if self._buffer else data
        if not self.begun:
            self._seek_begin()
        if self.begun:
            self._pass_on()

    def _seek_begin(self) -> None:
        at = self._buffer.find(self._begin)
        if at < 0:
            self._buffer = self._buffer[-(len(self._begin) - 1) :]
            return
        self.begun = True
        self._buffer = self._buffer[at + len(self._begin) :]

    def _pass_on(self) -> None:
        at = self._buffer.find(self._end_start)
        if at >= 0:
            line_end = self._buffer.find(b"\n", at + len(self._end_start))
            if line_end < 0:
                return  # the rest of the END line is still on its way
            self._emit(self._buffer[:at])
            self._read_end(self._buffer[at + len(self._end_start) : line_end])
            self._buffer = b""
        elif len(self._buffer) > self._hold:
            cut = len(self._buffer) - self._hold
            self._emit(self._buffer[:cut])
            self._buffer = self._buffer[cut:]

    def _emit(self, data: bytes) -> None:
        if data:
            self.size += len(data)
            self._sink(data)

    def _read_end(self, fields: bytes) -> None:
        match = re.fullmatch(rb"(\d{1,3}) ([a-z]+)", fields)
        if match is None:
            raise BadFrame("the END line of the answer is damaged")
        self.end = (int(match[1]), match[2].decode("ascii"))
