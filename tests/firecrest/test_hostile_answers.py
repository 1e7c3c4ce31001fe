"""What hostile files of a real system make of answers and pages: valid JSON, clean headers, nothing executed."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from pipeline_management.file_names import quoted
from tests.firecrest.desk import error_headers
from tests.firecrest.jobs import SCRIPT, one_thread, submitted, upload
from tests.hostile.judging import UNSEEN, judge
from tests.hostile.values import TABS_AND_LINES, VALUES

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

__all__ = ["one_thread"]
pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]
CANARY = f"canary-{secrets.token_hex(6)}"
"""What a command made of a name would leave behind, wherever it would be executed."""
COMMANDS = [
    f"$(touch {CANARY})", f"`touch {CANARY}`", f"; touch {CANARY} #", f"x\ntouch {CANARY}\n", f"x\rtouch {CANARY}",
    f"'; touch {CANARY}; '", f'"; touch {CANARY}; "', f"| touch {CANARY}", f"& touch {CANARY} &", f"> {CANARY}",
]  # fmt: skip
ODD = [
    "-rf", "--help", "-", "--", "*", "?", "[a-z]", "~", "~root", "{a,b}", "!x", "#x", "\\", " ", "\t", "...", "n" * 255,
    "\u65e5" * 85, "x\nX-Injected: 1", "x\r\nX-Injected: 1\r\n\r\n<b>",
    "\udcff\udcfe", "caf\udce9", "\udced\udca0\udc80",
    "a\x01b", "\x7f", "{{7*7}}", "%s%n", "%0d%0a",
]  # fmt: skip
NAMES = list(dict.fromkeys(
    [*COMMANDS, *ODD, *(text.replace("/", "\u2215") for text in (*VALUES.values(), *TABS_AND_LINES.values()))]
))  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_executed(desk: Desk) -> Iterator[None]:
    """No canary in any directory in which a command of Centro's could begin."""
    yield
    home = Path(os.path.expanduser(f"~{desk.unix_user}"))
    for place in (home, desk.folder, Path("/tmp"), Path("/"), Path.cwd()):  # noqa: S108  where it would be
        assert not (place / CANARY).exists(), place
    assert not Path("/tmp/xq7").exists()  # noqa: S108  as above


def clean(answer: Any) -> None:
    """No header that a name has made, and none with anything unseen in it."""
    assert "X-Injected" not in answer and "Bcc" not in answer and "Set-Cookie" not in answer
    for name, value in answer.items():
        assert not UNSEEN.search(value) and "\n" not in value and "\r" not in value, name
        assert value.isascii(), name


def body(answer: Any) -> dict[str, Any]:
    """The JSON of an answer with clean headers."""
    clean(answer)
    assert answer["Content-Type"].startswith("application/json"), answer["Content-Type"]
    found: dict[str, Any] = json.loads(answer.content)
    return found


def filled(desk: Desk) -> list[str]:
    """Files of all these names in Alice's folder, each with its own content."""
    for number, name in enumerate(NAMES):
        desk.write(name, f"content {number}\n")
    return sorted(NAMES)


def test_all_names_are_listed_as_they_are(desk: Desk) -> None:
    names = filled(desk)
    for options in ({}, {"recursive": "true"}, {"numericUid": "true"}):
        answer = desk.utility("GET", "ls", targetPath=desk.folder, showhidden="true", **options)
        entries = body(answer)["output"]
        assert sorted(entry["name"] for entry in entries) == names
        assert {len(entry) for entry in entries} == {8}, "no name made a row or a column"


OPERATIONS = ("stat", "file", "checksum", "head", "tail", "view", "download")


def test_each_name_is_reached_or_refused(desk: Desk) -> None:
    """By one operation each, in turn: what is answered is about this very file."""
    filled(desk)
    reached = 0
    for number, name in enumerate(NAMES):
        operation = OPERATIONS[number % len(OPERATIONS)]
        field = "sourcePath" if operation == "download" else "targetPath"
        answer = desk.utility("GET", operation, **{field: f"{desk.folder}/{name}"})
        content = f"content {number}\n"
        if answer.status_code == 400:
            assert body(answer)["error"].endswith("has invalid char"), (operation, name)
            continue
        assert answer.status_code == 200, (operation, name, answer.content)
        clean(answer)
        reached += 1
        if operation == "download":
            assert b"".join(answer) == content.encode()
        else:
            expected = {
                "stat": None, "file": "ASCII text", "checksum": hashlib.sha256(content.encode()).hexdigest(),
            }.get(operation, content)  # fmt: skip
            output = body(answer)["output"]
            assert expected in (None, output), (operation, name)
            if operation == "stat":
                assert output["ino"] == os.lstat(os.path.join(desk.folder, name)).st_ino
    assert reached > len(NAMES) // 3


def test_refusals_have_clean_headers(desk: Desk) -> None:
    """Names of nothing, in every operation's own words."""
    for number, name in enumerate(NAMES):
        operation = OPERATIONS[number % len(OPERATIONS)]
        field = "sourcePath" if operation == "download" else "targetPath"
        answer = desk.utility("GET", operation, **{field: f"{desk.folder}/missing/{name}"})
        assert answer.status_code == 400, (operation, name)
        assert set(body(answer)) >= {"description"}
        assert all(len(value) < 1000 for value in error_headers(answer).values())


def test_targets_of_links_are_told_as_they_are(desk: Desk) -> None:
    for number, name in enumerate(NAMES):
        (desk.folder / f"link{number:03}").symlink_to(name)
    (desk.folder / "long").symlink_to("/".join(["d" * 200] * 20))
    entries = body(desk.utility("GET", "ls", targetPath=desk.folder))["output"]
    assert [entry["link_target"] for entry in entries if entry["name"] != "long"] == NAMES
    for number in range(0, len(NAMES), 9):
        link = f"{desk.folder}/link{number:03}"
        for operation in ("stat", "head"):
            body(desk.utility("GET", operation, targetPath=link))


CONTENTS = {
    "terminal": b"\x1b]0;owned\x07\x1b[2J\x9b31m" + b"a\rb\n",
    "NUL": b"a\0b\n\0\0",
    "no UTF-8": bytes(range(256)) + b"\n",
    "half a character": "\u65e5".encode()[:2],
    "one line": b"<b xq7>" * 30_000,
    "header": b"HTTP/1.1 200 OK\r\nX-Injected: 1\r\n\r\n",
    "JSON": b'"}, "status": 500, "output": {"',
    "values": "\n".join(VALUES.values()).encode(),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_contents_come_as_text_in_json(desk: Desk, kind: str) -> None:
    """Or are said to be none."""
    content = CONTENTS[kind]
    path = desk.write("file", content)
    for operation in ("view", "head", "tail"):
        fields = {} if operation == "view" else {"bytes": "1000000"}
        answer = desk.utility("GET", operation, targetPath=path, **fields)
        if answer.status_code == 400:
            assert "the content is not UTF-8 text" in body(answer)["error"]
            assert kind in ("terminal", "no UTF-8", "half a character")
        else:
            assert body(answer)["output"].encode() == content
    answer = desk.utility("GET", "download", sourcePath=path)
    clean(answer)
    assert b"".join(answer) == content
    assert isinstance(body(desk.utility("GET", "file", targetPath=path))["output"], str)


def form(target: str, name: bytes, content: bytes) -> bytes:
    """A multipart body by hand: no client would send such names."""
    parts = [
        b'Content-Disposition: form-data; name="targetPath"\r\n\r\n' + target.encode(),
        b'Content-Disposition: form-data; name="file"; filename="' + name + b'"\r\n\r\n' + content,
    ]
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + b"--xyz--\r\n"


OUTSIDE = secrets.token_hex(8)
LEADING = [
    f"../{OUTSIDE}",
    f"/tmp/{OUTSIDE}",
    "..",
    f"a/../../{OUTSIDE}",
    f"..\\{OUTSIDE}",
    f"../../{OUTSIDE}/x",
]  # noqa: S108


def test_names_of_uploads(desk: Desk) -> None:
    """A name in a multipart body becomes a file in the folder or is refused; it leads nowhere else."""
    taken = 0
    kind = "multipart/form-data; boundary=xyz"
    for number, name in enumerate([*NAMES, *LEADING]):
        raw = form(str(desk.folder), os.fsencode(name), f"content {number}\n".encode())
        answer = desk.raw("POST", "/utilities/upload", raw, kind)
        assert answer.status_code in (201, 400), (name, answer.content)
        body(answer)
        taken += answer.status_code == 201
    made = list(desk.folder.iterdir())
    assert taken >= len(made) > 20
    assert all(path.is_file() and path.read_text().startswith("content") for path in made)
    home = Path(os.path.expanduser(f"~{desk.unix_user}"))
    for place in (desk.folder.parent, home, home.parent, Path("/")):
        assert not (place / OUTSIDE).exists()


def test_a_hostile_job_is_told_as_text(desk: Desk) -> None:
    """A name that Slurm takes as it is."""
    name = f"$(touch {CANARY});`touch {CANARY}`|<b/xq7>&;%s%n"
    script = SCRIPT + f"#SBATCH --job-name='{name}'\n#SBATCH --comment=x\ntrue\n"
    answer = upload(desk, script, f"$(touch {CANARY}).sh")
    body(answer)
    data, run = submitted(desk, answer)
    assert isinstance(data["jobid"], int)
    for path in (
        f"/compute/jobs/{data['jobid']}",
        "/compute/jobs",
        f"/compute/acct?jobs={data['jobid']}",
    ):
        clean(desk.ask("GET", path))
    client = Client()
    client.force_login(desk.alice)
    judge(client.get(f"/runs/{run.pk}/"), "the job's page")


def test_the_pages_of_files_show_the_same(desk: Desk) -> None:
    names = filled(desk)
    client = Client()
    client.force_login(desk.alice)
    where = f"/files/cluster{quoted(str(desk.folder))}"
    text = judge(client.get(where, {"hidden": "1"}, headers={"HX-Request": "true"}), where)
    assert f"of {len(names)}" in text or text.count("<bdi>") >= len(names)
    for name in NAMES[::6]:
        path = f"/files/cluster{quoted(os.path.join(desk.folder, name))}"
        assert path in text, name
        shown = judge(client.get(path, headers={"HX-Request": "true"}), name)
        assert "content" in shown, name


FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
BODIES: dict[str, tuple[bytes, str]] = {
    "JSON": (b'{"targetPath": "/tmp/x"}', "application/json"),
    "deep JSON": (b"[" * 100_000, "application/json"),
    "packed": (gzip.compress(b"targetPath=/tmp/x"), FORM),
    "NUL": (b"targetPath=/tmp/a%00b", FORM),
    "nothing": (b"", FORM),
    "many fields": (b"&".join(b"f%d=1" % number for number in range(5000)), FORM),
    "a long field": (b"targetPath=/" + b"a" * 2_000_000, FORM),
    "multipart without boundary": (b"--x\r\n\r\n--x--", "multipart/form-data"),
    "multipart without end": (b'--x\r\nContent-Disposition: form-data; name="a"', f"{MULTIPART}; boundary=x"),
    "multipart of nothing": (b"\0" * 1000, "multipart/form-data; boundary=" + "b" * 500),
    "multipart of many parts": (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 3000 + b"--x--",
        f"{MULTIPART}; boundary=x",
    ),
    "no type": (b"targetPath=/tmp/x", ""),
    # the form is read as bytes whatever its set is called, so a good one would be taken
    "charset": (b"other=/tmp/x", f"{FORM}; charset=xq7"),
}  # fmt: skip
DOORS = (
    ("POST", "/utilities/mkdir"), ("PUT", "/utilities/rename"), ("DELETE", "/utilities/rm"),
    ("POST", "/utilities/upload"),
    ("POST", "/compute/jobs/upload"), ("POST", "/compute/jobs/path"), ("POST", "/storage/xfer-external/upload"),
    ("POST", "/storage/xfer-internal/cp"),
)  # fmt: skip


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_bad_bodies_are_refused_in_words(desk: Desk, method: str, path: str) -> None:
    """Never with an error of the server's own, and without a task or a job."""
    for kind, (data, content_type) in BODIES.items():
        answer = desk.raw(method, path, data, content_type)
        assert 400 <= answer.status_code < 500, (kind, answer.status_code, answer.content[:300])
        assert "Traceback" not in json.dumps(body(answer)), kind
    assert list(desk.folder.iterdir()) == []
