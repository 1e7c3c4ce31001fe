"""What the tests of file commands share: names that break shells, and how a refusal is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hpc.commands import Command
from hpc.errors import HpcError
from hpc.transports.base import Transport

HOSTILE = [
    "'; touch ran; '", '"; touch ran; "', "$(touch ran)", "`touch ran`", "$HOME", "a b", "new\nline",
    "-rf", "--help", "-", "*", "[a]", "?", "~", "!", "(", "\\", "back\\slash", "tab\t", "é", "\udcff\udcfe",
    "x" * 255, ".hidden", "a:b", "@x", "=", "%s%n", "ends\n", " ", "&", "|", "<in", ">out", "#", "{}", ";",
]
"""Each a legal file name; none may run anything, nor be taken for an option, a pattern or a place."""



def refused(
    transport: Transport, command: Command[object], kind: type[HpcError], path: str | None = None
) -> HpcError:
    """The command ends in exactly this class, about this path."""
    with pytest.raises(HpcError) as caught:
        transport.execute(command)
    assert type(caught.value) is kind, repr(caught.value)
    if path is not None:
        assert getattr(caught.value, "path", None) == path
    return caught.value


def shell(transport: Transport, folder: str, text: str) -> str:
    """Run a line of shell in a folder of the system; what it printed."""
    result = transport.run(["sh", "-c", text], cwd=folder)
    assert result.exit_code == 0, result.error_text
    return result.text


def names(transport: Transport, folder: str) -> list[str]:
    return [entry.name for entry in transport.listdir(folder)]


def hostile_names(transport: Transport, folder: str) -> Iterator[tuple[str, str]]:
    """Each hostile name with an empty folder of its own; one connection serves them all."""
    for number, name in enumerate(HOSTILE):
        own = f"{folder}/{number}"
        transport.run(["mkdir", own])
        yield own, name
        assert "ran" not in names(transport, own), repr(name)
