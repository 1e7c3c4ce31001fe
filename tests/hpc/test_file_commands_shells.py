"""The scripts of the file commands in other shells than Debian's: /bin/sh of most clusters is bash."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hpc.commands import Command
from hpc.errors import (
    BadArchive,
    FileMissing,
    FileTooLarge,
    HpcError,
    IsADirectory,
    NotADirectory,
    NotRegular,
    ParentMissing,
    PatternNotFound,
)
from hpc.files.archives import compress, extract
from hpc.files.changes import copy, rename
from hpc.files.content import head, tail, upload, view
from hpc.files.listing import listing
from hpc.files.names import names
from hpc.files.status import kind
from hpc.transports.framing import BOOTSTRAP, KEPT_SHELL, frame
from hpc.transports.local import LocalTransport


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A program called sh, as which bash behaves like one."""
    program = shutil.which(request.param)
    assert program is not None
    path = tmp_path / "sh"
    path.symlink_to(program)
    return str(path)


@pytest.fixture
def run(shell: str) -> Callable[[Command], object]:
    def execute(command: Command, stdin: bytes | None = None) -> object:
        assert "/bin/sh" in command.argv
        argv = [shell if word == "/bin/sh" else word for word in command.argv]
        with LocalTransport() as here:
            return command.parse(here.run(argv, stdin=stdin, env=command.env))

    return execute


def test_scripts_do_their_work(run: Callable, tmp_path: Path) -> None:
    here = f"{tmp_path}/a 'b'\n"
    os.makedirs(f"{here}/d")
    Path(f"{here}/d/f").write_text("one\ntwo\n")
    os.symlink("d", f"{here}/l")
    os.symlink("d/f", f"{here}/ends\n")
    assert [e.name for e in run(listing(f"{here}/l", follow=True))] == ["f"]
    assert run(names([0], [0])) == ({"0": "root"}, {"0": "root"})
    assert run(kind(f"{here}/d/f")) == "ASCII text"
    assert run(view(f"{here}/d/f", 8)) == b"one\ntwo\n"
    assert run(head(f"{here}/d/f", grep="n")) == b"one\n"
    run(upload(f"{here}/new", 3), b"new")
    run(upload(f"{here}/ends\n", 7), b"through")
    assert Path(f"{here}/d/f").read_text() == "through"
    run(copy(f"{here}/d", f"{here}/e"))
    run(rename(f"{here}/new", f"{here}/e/new"))
    run(compress(f"{here}/e", f"{here}/e.tgz"))
    run(extract(f"{here}/e.tgz", f"{here}/d"))
    assert Path(f"{here}/d/e/new").read_text() == "new"
    with zipfile.ZipFile(f"{here}/z.zip", "w") as archive:
        archive.writestr("e/new", "new")
    run(extract(f"{here}/z.zip", f"{here}/d/e"))
    assert Path(f"{here}/d/e/e/new").read_text() == "new"
    assert sorted(os.listdir(here)) == ["d", "e", "e.tgz", "ends\n", "l", "z.zip"]


def test_scripts_refuse_alike(run: Callable, tmp_path: Path) -> None:
    here = str(tmp_path / "w")
    os.mkdir(here)
    Path(f"{here}/f").write_text("one\n")
    os.mkfifo(f"{here}/p")
    wrong: list[tuple[Command, type[HpcError]]] = [
        (listing(f"{here}/no", follow=True), FileMissing),
        (kind(f"{here}/no"), FileMissing),
        (kind(f"{here}/f/x"), NotADirectory),
        (view(f"{here}/no", 9), FileMissing),
        (view(here, 9), IsADirectory),
        (view(f"{here}/p", 9), NotRegular),
        (view(f"{here}/f", 3), FileTooLarge),
        (tail(f"{here}/f", grep="x"), PatternNotFound),
        (tail(f"{here}/no", grep="x"), FileMissing),
        (rename(f"{here}/no", f"{here}/x"), FileMissing),
        (copy(f"{here}/f", f"{here}/no/x"), ParentMissing),
        (compress(f"{here}/f", f"{here}/no/x"), ParentMissing),
        (compress(f"{here}/no", f"{here}/x"), FileMissing),
        (extract(f"{here}/f", here, extension="tgz"), BadArchive),
        (extract(f"{here}/f", here, extension="zip"), BadArchive),
        (extract(f"{here}/f", f"{here}/no", extension="zip"), ParentMissing),
        (upload(f"{here}/no/x", 3), ParentMissing),
        (upload(f"{here}/f/x", 3), NotADirectory),
        (upload(here, 3), IsADirectory),
    ]
    for command, expected in wrong:
        with pytest.raises(HpcError) as caught:
            run(command, b"new" if "centro-write" in command.argv else None)
        assert type(caught.value) is expected, (command.argv, repr(caught.value))
    assert sorted(os.listdir(here)) == ["f", "p"]


def test_a_kept_shell_takes_one_command_after_the_other(shell: str) -> None:
    """Also words that make its script long or give it newlines, and commands that try to leave it."""
    lines = [["printf", "%s", "a"], ["printf", "%s", "b\n'c'"], ["exit", "5"], ["sh", "-c", "exit 7"],
             ["printf", "%s", "x" * 9000], ["cat"]]
    frames = [frame(words, has_stdin=False, nested=True) for words in lines]
    frames.append(frame(["pwd"], has_stdin=False, cwd="/no/such", nested=True))
    frames.append(frame(["pwd"], has_stdin=False, cwd="/usr", nested=True))
    command = KEPT_SHELL.replace("/bin/sh", shell).removeprefix("exec ")
    done = subprocess.run(
        ["/bin/sh", "-c", command], input=b"".join(f.head for f in frames), capture_output=True, check=False
    )
    answers: list[object] = []
    for one in frames:
        out: list[bytes] = []
        readers = one.readers(out.append, lambda _: None)
        readers[0].feed(done.stdout)
        readers[1].feed(done.stderr)
        try:
            answers.append((one.exit_code(*readers), b"".join(out)))
        except FileMissing:
            answers.append("missing")
    assert answers == [
        (0, b"a"), (0, b"b\n'c'"), (127, b""), (7, b""), (0, b"x" * 9000), (0, b""), "missing", (0, b"/usr\n"),
    ]


@pytest.mark.parametrize("line", [KEPT_SHELL, BOOTSTRAP])
def test_the_command_line_means_the_same_in_every_login_shell(line: str) -> None:
    asked = frame(["printf", "%s", "a!b'c\nd$HOME"], has_stdin=False, nested=line is KEPT_SHELL)
    tried = 0
    for login in ("sh", "bash", "dash", "tcsh", "csh", "zsh", "ksh", "fish"):
        if shutil.which(login) is None:
            continue
        tried += 1
        done = subprocess.run([login, "-c", line], input=asked.head, capture_output=True, check=False)
        out: list[bytes] = []
        readers = asked.readers(out.append, lambda _: None)
        readers[0].feed(done.stdout)
        readers[1].feed(done.stderr)
        assert (asked.exit_code(*readers), b"".join(out)) == (0, b"a!b'c\nd$HOME"), login
    assert tried >= 3
