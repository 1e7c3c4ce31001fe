"""A file that appears between two looks at it is taken for what it is: what stat(1) says is never its content."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpc.files.browsing import browse, peek
from hpc.files.changes import copy, rename
from hpc.files.status import kind
from hpc.transports.base import Command
from hpc.transports.local import LocalTransport

# makes what is missing, then answers as the real one does
_STAT = """#!/bin/sh
case $* in *late*) [ -e {made} ] || {{ mkdir -p {folder}; printf body >{made}; }};; esac
exec /usr/bin/stat "$@"
"""


@pytest.fixture
def late(tmp_path: Path) -> Path:
    """A file, in a folder, that is there only after stat(1) was asked about either."""
    program = tmp_path / "bin" / "stat"
    program.parent.mkdir()
    made = tmp_path / "late" / "file"
    program.write_text(_STAT.format(made=made, folder=made.parent))
    program.chmod(0o755)
    return made


def run(command: Command[Any], late: Path) -> Any:
    """The command's answer with the program of ``late`` in front of the others."""
    path = f"PATH={late.parents[1]}/bin:{os.environ['PATH']}"
    slow = dataclasses.replace(command, argv=("/usr/bin/env", path, *command.argv))
    transport = LocalTransport()
    try:
        return transport.execute(slow)
    finally:
        transport.close()


def test_its_bytes_are_read(late: Path) -> None:
    assert run(peek(str(late), 0, 9), late).data == b"body"


def test_its_folder_is_listed(late: Path) -> None:
    assert [entry.name for entry in run(browse(str(late.parent)), late).entries] == ["file"]


def test_its_type_is_told(late: Path) -> None:
    assert "text" in run(kind(str(late)), late)


@pytest.mark.parametrize("change", [rename, copy])
def test_it_is_moved_or_copied(late: Path, change: Callable[[str, str], Command[None]]) -> None:
    target = late.parents[1] / "target"
    run(change(str(late), str(target)), late)
    assert target.read_text() == "body"
    assert late.exists() is (change is copy)
