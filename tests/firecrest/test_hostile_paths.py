"""Paths and names that would do harm if any of them ever reached a shell as code, at every endpoint."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.firecrest.desk import Desk, error_headers
from tests.firecrest.test_utilities_errors import METHODS, REQUIRED, label, snapshot

pytestmark = pytest.mark.lab

# @ becomes a marker file that only an executed command would make
REFUSED = {
    "quote": "'; touch @; '",
    "double quote": '"; touch @; "',
    "substitution": "$(touch @)",
    "backticks": "`touch @`",
    "newline": "x\ntouch @\n",
    "carriage return": "x\rtouch @",
    "pipe": "x | touch @",
    "background": "x & touch @ &",
    "redirection": "x > @",
    "input": "x < /etc/passwd",
    "escape": "x\\' touch @",
    "null": "x\0touch @",
}
"""With forbidden characters: refused before anything is asked of the system."""

LITERAL = {
    "option": "-rf",
    "long option": "--help",
    "variable": "$HOME",
    "braces": "${IFS}touch${IFS}@",
    "star": "*",
    "set": "[a-z]?",
    "tilde": "~root",
    "alternatives": "{a,b}",
    "comment": "#x !x %s %n",
    "blanks": " two  blanks ",
    "long": "n" * 255,
    "unicode": "ü\u202e日本",
}
"""Without: names like any other."""


@pytest.fixture
def marker(desk: Desk) -> Path:
    """Where a command that was executed would leave its trace: Alice may write there."""
    return desk.folder / "executed"


def fields_of(desk: Desk, op: str) -> dict[str, Any]:
    """Complete fields for an endpoint, all about a file of Alice's."""
    own = str(desk.folder / "own")
    values = {
        "targetPath": own,
        "sourcePath": own,
        "linkPath": str(desk.folder / "new"),
        "mode": "600",
    }
    return {name: values[name] for name, ops in REQUIRED.items() if op in ops}


@pytest.mark.parametrize("op", [op for op in METHODS if op != "whoami"])
def test_refused_at_every_endpoint_in_every_field(desk: Desk, op: str, marker: Path) -> None:
    desk.write("own", "content")
    before = snapshot(desk.folder)
    fields = fields_of(desk, op)
    assert fields
    for field in fields:
        for name, text in REFUSED.items():
            for value in (text, f"{desk.folder}/{text}"):
                changed = fields | {field: value.replace("@", str(marker))}
                if op == "upload":
                    changed["file"] = (desk.folder / "own").open("rb")
                answer = desk.ask(
                    METHODS[op], f"/utilities/{op}", changed, multipart=op == "upload"
                )
                assert answer.status_code == 400, (field, name)
                assert answer.json() == {
                    "description": f"Error on {op} operation",
                    "error": f"{label(field)} has invalid char",
                }
                assert error_headers(answer) == {}
    assert snapshot(desk.folder) == before


@pytest.mark.parametrize("name", REFUSED)
def test_hostile_values_of_other_fields(desk: Desk, name: str, marker: Path) -> None:
    """Those that are no paths, and those that upstream hands to a shell."""
    path = desk.write("own", "content\n")
    text = REFUSED[name].replace("@", str(marker))
    before = snapshot(desk.folder)
    for op, field in (("head", "lines"), ("head", "bytes"), ("tail", "lines"), ("chown", "owner"),
                      ("chown", "group"), ("chmod", "mode")):  # fmt: skip
        answer = desk.ask(METHODS[op], f"/utilities/{op}", {"targetPath": path, field: text})
        assert (answer.status_code, answer.json()["error"]) == (400, f"'{field}' has invalid char")
    for op in ("head", "tail"):
        answer = desk.ask("GET", f"/utilities/{op}", {"targetPath": path, "grep": text})
        assert answer.status_code in (400, 404)
        assert answer.json()["error"] in ("pattern not found", "'grep' has invalid char")
    sent = {"sourcePath": path, "targetPath": desk.folder, "extension": text}
    assert desk.ask("POST", "/utilities/extract", sent).status_code == 400
    assert snapshot(desk.folder) == before
    machine = text.replace("\n", " ").replace("\r", " ").replace("\0", " ")
    answer = desk.ask("GET", "/utilities/ls", {"targetPath": path}, machine=machine)
    assert list(error_headers(answer)) == ["X-Machine-Does-Not-Exist"]


@pytest.mark.parametrize("name", LITERAL)
def test_literal_names_are_names(desk: Desk, name: str) -> None:
    """Made, looked at, changed, packed and removed: each endpoint does to it what it does to any file."""
    text = LITERAL[name].replace("@", "x")
    folder, path = desk.folder, str(desk.folder / text)
    bystander = desk.write("bystander", "stays")

    def ask(op: str, **fields: Any) -> Any:
        answer = desk.ask(METHODS[op], f"/utilities/{op}", fields)
        assert answer.status_code in (200, 201, 204), (op, answer.content)
        return answer

    ask("mkdir", targetPath=path)
    assert (folder / text).is_dir()
    ask("rm", targetPath=path)
    desk.write(text, "line\n")
    assert [e["name"] for e in ask("ls", targetPath=path).json()["output"]] == [path]
    assert text in [e["name"] for e in ask("ls", targetPath=folder).json()["output"]]
    assert ask("file", targetPath=path).json()["output"] == "ASCII text"
    assert ask("stat", targetPath=path).json()["output"]["ino"] == (folder / text).stat().st_ino
    digest = hashlib.sha256(b"line\n").hexdigest()
    assert ask("checksum", targetPath=path).json()["output"] == digest
    for op in ("head", "tail", "view"):
        assert ask(op, targetPath=path).json()["output"] == "line\n"
    assert b"".join(ask("download", sourcePath=path)) == b"line\n"
    ask("chmod", targetPath=path, mode="640")
    assert (folder / text).stat().st_mode & 0o777 == 0o640
    ask("chown", targetPath=path, owner=desk.unix_user)
    ask("copy", sourcePath=path, targetPath=folder / "copied")
    ask("rm", targetPath=path)
    ask("rename", sourcePath=folder / "copied", targetPath=path)
    ask("symlink", targetPath=text, linkPath=folder / "link")
    assert os.readlink(folder / "link") == text
    ask("rm", targetPath=folder / "link")
    ask("compress", sourcePath=path, targetPath=folder / "packed.tgz")
    ask("rm", targetPath=path)
    ask("extract", sourcePath=folder / "packed.tgz", targetPath=folder)
    assert (folder / text).read_text() == "line\n"
    ask("rm", targetPath=path)
    assert sorted(os.listdir(folder)) == ["bystander", "packed.tgz"]
    assert bystander.read_text() == "stays"


def names_in(home: Path) -> set[str]:
    """Without what other tests and jobs may make there meanwhile."""
    others = re.compile(r"firecrest.*|centro-.*|slurm-.*|\..*|.*\.[oe]\d+")
    return {name for name in os.listdir(home) if not others.fullmatch(name)}


@pytest.mark.parametrize("name", ["-rf", "--help", "$HOME", "*", "~root", "{a,b}"])
def test_literal_names_below_the_home(desk: Desk, name: str) -> None:
    """Relative, so that nothing stands before the name."""
    home = Path(os.path.expanduser(f"~{desk.unix_user}"))
    before = names_in(home)
    assert desk.utility("POST", "mkdir", targetPath=name).status_code == 201
    assert names_in(home) == before | {name}
    answer = desk.utility("GET", "ls", targetPath=name)
    assert (answer.status_code, answer.json()["output"]) == (200, [])
    for op, fields in (("copy", {"sourcePath": name, "targetPath": f"{name}/in"}),
                       ("chmod", {"targetPath": name, "mode": "-w"})):  # fmt: skip
        desk.ask(METHODS[op], f"/utilities/{op}", fields)
    desk.ask("PUT", "/utilities/chmod", {"targetPath": name, "mode": "u+w"})
    assert desk.utility("DELETE", "rm", targetPath=name).status_code == 204
    assert names_in(home) == before


@pytest.mark.parametrize("path", ["..", "../..", "sub/..", "sub/../..", ".", "/", "//", "/."])
def test_paths_that_lead_up(desk: Desk, path: str) -> None:
    """They are looked at as the account may; removing them is refused, and nothing goes."""
    desk.make("sub")
    desk.write("file")
    full = path if path.startswith("/") else f"{desk.folder}/{path}"
    before = snapshot(desk.folder)
    assert (
        desk.utility("GET", "stat", targetPath=full).json()["output"]["ino"] == os.stat(full).st_ino
    )
    if os.geteuid() == 0 or not os.access("/", os.W_OK):  # never as a user who could do it
        answer = desk.utility("DELETE", "rm", targetPath=full)
        assert answer.status_code == 400
        assert error_headers(answer)
    answer = desk.utility("PUT", "rename", sourcePath=full, targetPath=f"{desk.folder}/moved")
    assert answer.status_code == 400
    assert error_headers(answer)
    assert snapshot(desk.folder) == before


def test_a_link_is_removed_and_not_what_it_points_to(desk: Desk) -> None:
    target = desk.make("target")
    (target / "kept").touch()
    (desk.folder / "link").symlink_to(target)
    assert desk.utility("DELETE", "rm", targetPath=desk.folder / "link").status_code == 204
    assert sorted(os.listdir(desk.folder)) == ["target"]
    assert os.listdir(target) == ["kept"]
