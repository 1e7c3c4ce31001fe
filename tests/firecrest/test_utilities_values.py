"""What each endpoint of /utilities/ answers, and does, when all is well."""

from __future__ import annotations

import hashlib
import os
import stat
import time

import pytest

from tests.firecrest.desk import Desk, error_headers

pytestmark = pytest.mark.lab


def value(answer: object, status: int = 200) -> object:
    """The output, after a look at what every success has in common."""
    assert answer.status_code == status, answer.content  # type: ignore[attr-defined]
    assert error_headers(answer) == {}
    body = answer.json()  # type: ignore[attr-defined]
    assert set(body) == {"description", "output"}
    assert isinstance(body["description"], str)
    return body["output"]


def test_ls(desk: Desk) -> None:
    desk.write("b $x.txt", "12345", 0o640)
    desk.write(".hidden")
    (desk.make("dir") / "deep").touch()
    (desk.folder / "link").symlink_to("b $x.txt")
    plain = value(desk.utility("GET", "ls", targetPath=desk.folder))
    assert [entry["name"] for entry in plain] == ["b $x.txt", "dir", "link"]
    file, folder, link = plain
    assert all(isinstance(text, str) for entry in plain for text in entry.values())
    assert set(file) == {
        "name", "type", "link_target", "user", "group", "permissions", "last_modified", "size",
    }  # fmt: skip
    assert (file["type"], file["permissions"], file["size"]) == ("-", "rw-r-----", "5")
    assert (file["user"], file["link_target"]) == (desk.unix_user, "")
    assert (
        abs(time.mktime(time.strptime(file["last_modified"], "%Y-%m-%dT%H:%M:%S")) - time.time())
        < 60
    )
    assert (folder["type"], link["type"], link["link_target"]) == ("d", "l", "b $x.txt")


def test_ls_with_options(desk: Desk) -> None:
    desk.write(".hidden")
    (desk.make("dir") / "deep").touch()
    (desk.folder / "link").symlink_to("dir")

    def names(**options: object) -> list[str]:
        found = value(desk.utility("GET", "ls", targetPath=desk.folder, **options))
        return [entry["name"] for entry in found]

    assert names(showhidden="True") == [".hidden", "dir", "link"]
    assert names(showhidden="YES") == names(showhidden="1") == names(showhidden="true")
    assert (
        names(showhidden="False")
        == names(showhidden="on")
        == names(showhidden="")
        == ["dir", "link"]
    )
    assert names(recursive="true") == ["dir", "dir/deep", "link"]
    numeric = value(desk.utility("GET", "ls", targetPath=desk.folder, numericUid="true"))
    assert all(entry["user"].isdigit() and entry["group"].isdigit() for entry in numeric)
    followed = value(desk.utility("GET", "ls", targetPath=desk.folder, followLinks="true"))
    assert [entry["type"] for entry in followed] == ["d", "d"]


def test_ls_of_a_file_and_of_nothing(desk: Desk) -> None:
    path = desk.write("file", "x")
    found = value(desk.utility("GET", "ls", targetPath=path))
    assert [entry["name"] for entry in found] == [str(path)]
    assert value(desk.utility("GET", "ls", targetPath=desk.make("empty"))) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"pageSize": "2", "pageNumber": "1"}, "ab"),
        ({"pageSize": "2", "pageNumber": "3"}, "e"),
        ({"pageSize": "2", "pageNumber": "4"}, "abcde"),
        ({"pageSize": "2"}, "abcde"),
        ({"pageNumber": "1"}, "abcde"),
        ({"pageSize": "x", "pageNumber": "1"}, "abcde"),
        ({"pageSize": "2", "pageNumber": "0"}, "abcde"),
    ],
)
def test_pages_of_ls(desk: Desk, options: dict[str, str], expected: str) -> None:
    for name in "abcde":
        desk.write(name)
    found = value(desk.utility("GET", "ls", targetPath=desk.folder, **options))
    assert "".join(entry["name"] for entry in found) == expected


def test_names_that_the_api_cannot_be_asked_for_are_listed(desk: Desk) -> None:
    names = ["quote'", "new\nline", "back`tick", "-rf", "semi;colon", "ümlaut", "\udcff\udcfe"]
    for name in names:
        desk.write(name)
    found = value(desk.utility("GET", "ls", targetPath=desk.folder))
    assert sorted(entry["name"] for entry in found) == sorted(names)


def test_bytes_that_are_no_utf8_reach_the_file(desk: Desk) -> None:
    desk.write("caf\udce9", "content")
    path = f"{desk.folder}/caf\udce9"
    found = value(desk.utility("GET", "checksum", targetPath=path))
    assert found == hashlib.sha256(b"content").hexdigest()
    assert value(desk.utility("PUT", "chmod", targetPath=path, mode="600")) is not None
    assert os.stat(path).st_mode & 0o777 == 0o600
    sent = desk.ask("PUT", "/utilities/chmod", {"targetPath": path.replace("\udce9", "\ufffd"), "mode": "644"},
                    multipart=True)  # fmt: skip
    assert sent.status_code == 400  # there the bytes are lost: it might be another file
    assert sent.json()["error"] == "'targetPath' has invalid char"


def test_mkdir(desk: Desk) -> None:
    assert value(desk.utility("POST", "mkdir", targetPath=f"{desk.folder}/new dir"), 201) == ""
    assert (desk.folder / "new dir").is_dir()
    deep = f"{desk.folder}/a/b/c"
    for present in ("", "false", "True"):  # it is the presence that counts
        assert value(desk.utility("POST", "mkdir", targetPath=deep, p=present), 201) == ""
    assert os.path.isdir(deep)
    assert (desk.folder / "a").stat().st_uid == desk.folder.stat().st_uid


@pytest.mark.parametrize("multipart", [False, True])
def test_changes_of_files(desk: Desk, multipart: bool) -> None:
    """Forms of both kinds, for PUT and DELETE as well."""
    source = desk.write("from", "content", 0o644)

    def change(method: str, name: str, status: int, **fields: object) -> object:
        return value(desk.ask(method, f"/utilities/{name}", fields, multipart=multipart), status)

    copied, moved, link = (str(desk.folder / name) for name in ("copied", "moved", "link"))
    assert change("POST", "copy", 201, sourcePath=source, targetPath=copied) == ""
    assert change("PUT", "rename", 200, sourcePath=copied, targetPath=moved) == ""
    assert change("POST", "symlink", 201, targetPath=moved, linkPath=link) == ""
    assert os.readlink(link) == moved
    assert not os.path.exists(copied)
    assert isinstance(change("PUT", "chmod", 200, targetPath=moved, mode="u=rw,go="), str)
    assert stat.S_IMODE(os.stat(moved).st_mode) == 0o600
    group = os.stat(source).st_gid
    assert isinstance(change("PUT", "chown", 200, targetPath=moved, group=str(group)), str)
    assert isinstance(
        change("PUT", "chown", 200, targetPath=moved, owner=desk.unix_user, group=""), str
    )
    answer = desk.ask("DELETE", "/utilities/rm", {"targetPath": moved}, multipart=multipart)
    assert (answer.status_code, b"".join(answer)) == (204, b"")
    assert not {"Content-Type", "Content-Length"} & set(answer.headers)
    assert error_headers(answer) == {}
    assert sorted(os.listdir(desk.folder)) == ["from", "link"]


def test_rm_of_a_tree(desk: Desk) -> None:
    (desk.make("tree") / "leaf").touch()
    answer = desk.utility("DELETE", "rm", targetPath=desk.folder / "tree")
    assert answer.status_code == 204
    assert os.listdir(desk.folder) == []


def test_file(desk: Desk) -> None:
    path = desk.write("script", "#!/bin/sh\necho\n")
    assert "shell script" in value(desk.utility("GET", "file", targetPath=path))
    assert value(desk.utility("GET", "file", targetPath=desk.folder)) == "directory"


def test_stat(desk: Desk) -> None:
    path = desk.write("file", "12345", 0o644)
    (desk.folder / "link").symlink_to("file")
    found = value(desk.utility("GET", "stat", targetPath=path))
    own = path.stat()
    assert found == {
        name: int(getattr(own, f"st_{name}"))
        for name in ("mode", "ino", "dev", "nlink", "uid", "gid", "size", "atime", "mtime", "ctime")
    }
    assert found["mode"] == 33188
    link = desk.folder / "link"
    assert value(desk.utility("GET", "stat", targetPath=link))["mode"] == 41471
    assert value(desk.utility("GET", "stat", targetPath=link, dereference="True"))["mode"] == 33188


def test_checksum(desk: Desk) -> None:
    data = os.urandom(100_000)
    path = desk.write("file", data)
    found = value(desk.utility("GET", "checksum", targetPath=path))
    assert found == hashlib.sha256(data).hexdigest()


def test_whoami(desk: Desk) -> None:
    assert value(desk.utility("GET", "whoami")) == desk.unix_user
    assert value(desk.utility("GET", "whoami", groups="False")) == desk.unix_user
    found = value(desk.utility("GET", "whoami", groups="True"))
    assert found["user"]["name"] == desk.unix_user
    assert found["user"]["id"] == str(desk.folder.stat().st_uid)
    assert found["group"] in found["groups"]
    assert all(group["id"].isdigit() for group in found["groups"])


def test_paths_are_relative_to_the_home(desk: Desk) -> None:
    found = value(desk.utility("GET", "stat", targetPath="."))
    assert found["ino"] == os.stat(os.path.expanduser(f"~{desk.unix_user}")).st_ino


def test_a_dollar_is_a_dollar(desk: Desk) -> None:
    value(desk.utility("POST", "mkdir", targetPath=f"{desk.folder}/f7t-$UID"), 201)
    assert os.listdir(desk.folder) == ["f7t-$UID"]
