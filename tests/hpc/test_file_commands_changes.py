"""Directories, names, rights and links changed, over every transport."""

from __future__ import annotations

import stat

import pytest

from hpc.errors import (
    CommandTimeout,
    FileExists,
    FileForbidden,
    FileMissing,
    InvalidGroup,
    InvalidMode,
    InvalidOwner,
    NotADirectory,
    ParentMissing,
    RemoteFileError,
)
from hpc.files.changes import (
    change_mode,
    change_owner,
    copy,
    link,
    make_directory,
    remove,
    rename,
)
from hpc.transports.base import Transport
from hpc.transports.ssh import SSHTransport
from tests.hpc.far_files import hostile_names, names, refused, shell


def test_make_directory(transport: Transport, far_dir: str) -> None:
    transport.execute(make_directory(f"{far_dir}/new"))
    assert transport.stat(f"{far_dir}/new").is_dir
    refused(transport, make_directory(f"{far_dir}/new"), FileExists, f"{far_dir}/new")
    refused(transport, make_directory(f"{far_dir}/a/b"), ParentMissing, f"{far_dir}/a/b")
    for _ in range(2):  # that it exists is no error
        transport.execute(make_directory(f"{far_dir}/a/b/c", parents=True))
    assert transport.stat(f"{far_dir}/a/b/c").is_dir
    transport.write(f"{far_dir}/f", b"x")
    for parents in (False, True):
        refused(transport, make_directory(f"{far_dir}/f/x", parents=parents), NotADirectory)
        refused(transport, make_directory(f"{far_dir}/f", parents=parents), FileExists)
    refused(transport, make_directory(f"{far_dir}/{'x' * 256}"), RemoteFileError)


def test_rename(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "echo 1 > a; echo 2 > b; mkdir d e; ln -s a l; touch d/in")
    a, b = f"{far_dir}/a", f"{far_dir}/b"
    transport.execute(rename(a, b))
    assert transport.read(b) == b"1\n"
    transport.execute(rename(f"{far_dir}/d", f"{far_dir}/dd"))
    transport.execute(rename(f"{far_dir}/l", f"{far_dir}/ll"))
    assert transport.stat(f"{far_dir}/ll", follow=False).is_link
    transport.execute(rename(b, f"{far_dir}/e"))  # into a directory
    assert names(transport, far_dir) == ["dd", "e", "ll"]
    assert names(transport, f"{far_dir}/e") == ["b"]


def test_copy(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "mkdir -p d/sub; echo 1 > d/sub/f; chmod 640 d/sub/f; touch -d @1000000000 d/sub/f; ln -s no d/gone"
    ))
    transport.execute(copy(f"{far_dir}/d", f"{far_dir}/new"))
    found = transport.stat(f"{far_dir}/new/sub/f")
    assert (stat.S_IMODE(found.mode), found.mtime.timestamp()) == (0o640, 1_000_000_000)
    assert transport.stat(f"{far_dir}/new/gone", follow=False).is_link
    assert transport.read(f"{far_dir}/d/sub/f") == b"1\n"
    transport.execute(copy(f"{far_dir}/d/sub/f", f"{far_dir}/new"))
    assert names(transport, f"{far_dir}/new") == ["f", "gone", "sub"]
    shell(transport, far_dir, "echo long and old > old; chmod 400 old")
    transport.execute(copy(f"{far_dir}/d/sub/f", f"{far_dir}/old"))
    assert transport.read(f"{far_dir}/old") == b"1\n"


@pytest.mark.parametrize("act", [rename, copy], ids=["rename", "copy"])
def test_rename_and_copy_say_which_of_the_two_was_wrong(act, transport: Transport, far_dir: str) -> None:  # noqa: ANN001
    shell(transport, far_dir, "echo 1 > f; mkdir d")
    file, missing = f"{far_dir}/f", f"{far_dir}/no"
    refused(transport, act(missing, f"{far_dir}/x"), FileMissing, missing)
    refused(transport, act(missing, f"{far_dir}/no/x"), FileMissing, missing)
    refused(transport, act(f"{file}/x", f"{far_dir}/x"), NotADirectory, f"{file}/x")
    refused(transport, act(file, f"{missing}/x"), ParentMissing, f"{missing}/x")
    refused(transport, act(f"{far_dir}/d", f"{missing}/x"), ParentMissing, f"{missing}/x")
    refused(transport, act(file, f"{file}/x"), NotADirectory, f"{file}/x")
    refused(transport, act(file, file), RemoteFileError)
    refused(transport, act(f"{far_dir}/d", f"{far_dir}/d/in"), RemoteFileError)
    assert transport.read(file) == b"1\n"


def test_change_mode(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "echo 1 > f; chmod 644 f; ln -s no gone; ln -s f l")
    for mode, expected in (("700", 0o700), ("u=rw,go=r", 0o644), ("-w", 0o444), ("+x", 0o555), ("1777", 0o1777)):
        said = transport.execute(change_mode(f"{far_dir}/f", mode))
        assert stat.S_IMODE(transport.stat(f"{far_dir}/f").mode) == expected
        assert f"{far_dir}/f" in said
        assert f"to {expected:04o} (" in said
    assert "retained" in transport.execute(change_mode(f"{far_dir}/f", "1777"))
    transport.execute(change_mode(f"{far_dir}/l", "600"))
    assert stat.S_IMODE(transport.stat(f"{far_dir}/f").mode) == 0o600
    for mode in ("rwx", "888", "u+q", "--help", "77777", "$(id)", "7 7"):
        refused(transport, change_mode(f"{far_dir}/f", mode), InvalidMode, f"{far_dir}/f")
    refused(transport, change_mode(f"{far_dir}/no", "700"), FileMissing)
    refused(transport, change_mode(f"{far_dir}/gone", "700"), FileMissing)
    refused(transport, change_mode(f"{far_dir}/f/x", "700"), NotADirectory)
    with pytest.raises(ValueError, match="mode"):
        change_mode("/x", "")


def test_change_owner(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "echo 1 > f")
    user, group, number = shell(transport, far_dir, "id -un; id -gn; id -u").split()
    path = f"{far_dir}/f"
    for who in (("", group), (user, ""), (user, group), (number, group)):
        assert f"{path}' retained as" in transport.execute(change_owner(path, *who))
    for owner in ("no-such-user", "--help", "a b", "$(id)"):
        refused(transport, change_owner(path, owner), InvalidOwner, path)
    refused(transport, change_owner(path, "", "no-such-group"), InvalidGroup)
    refused(transport, change_owner(path, user, "no-such-group"), InvalidGroup)
    refused(transport, change_owner(path, "no-such-user", group), InvalidOwner)
    refused(transport, change_owner(f"{far_dir}/no", user), FileMissing)
    refused(transport, change_owner(f"{path}/x", user), NotADirectory)


@pytest.mark.parametrize(("owner", "group", "kind"), [("a:b", "", InvalidOwner), ("", "a:b", InvalidGroup)])
def test_an_owner_cannot_smuggle_a_group(owner: str, group: str, kind: type[RemoteFileError]) -> None:
    with pytest.raises(kind):
        change_owner("/x", owner, group)


def test_link(transport: Transport, far_dir: str) -> None:
    transport.execute(link("nothing of that name", f"{far_dir}/l"))
    assert shell(transport, far_dir, "readlink l") == "nothing of that name\n"
    refused(transport, link("x", f"{far_dir}/l"), FileExists, f"{far_dir}/l")
    refused(transport, link("x", far_dir), FileExists, far_dir)
    refused(transport, link("x", f"{far_dir}/no/l"), ParentMissing, f"{far_dir}/no/l")
    transport.write(f"{far_dir}/f", b"x")
    refused(transport, link("x", f"{far_dir}/f/l"), NotADirectory)


def test_remove(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkdir -p d/a/b keep; touch d/f keep/f; chmod 400 d/f; ln -s keep l; ln -s no gone")
    for name in ("d", "l", "gone"):
        transport.execute(remove(f"{far_dir}/{name}"))
    assert names(transport, far_dir) == ["keep"]
    assert names(transport, f"{far_dir}/keep") == ["f"]
    refused(transport, remove(f"{far_dir}/d"), FileMissing, f"{far_dir}/d")
    refused(transport, remove(f"{far_dir}/keep/f/x"), NotADirectory)
    refused(transport, remove("."), RemoteFileError)
    refused(transport, remove("/"), RemoteFileError)


@pytest.mark.lab
def test_changing_without_rights(ssh: SSHTransport, lab: object) -> None:
    folder = ssh.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    shell(ssh, folder, "mkdir shut mine; touch f shut/f; chmod 500 shut; mkdir dark; chmod 0 dark")
    file = f"{folder}/f"
    for command in (
        make_directory("/etc/new"), make_directory("/root/a"), make_directory("/etc/a/b", parents=True),
        rename(file, "/etc/f"), rename("/root/x", f"{folder}/x"), rename("/etc/passwd", f"{folder}/x"),
        rename(f"{folder}/shut/f", f"{folder}/x"), rename(file, f"{folder}/dark/f"),
        copy(file, "/etc/f"), copy("/etc/shadow", f"{folder}/x"), copy("/root/x", f"{folder}/x"),
        change_mode("/etc/passwd", "777"), change_mode("/root/x", "777"),
        change_owner(file, "root"), change_owner(file, "", "root"), change_owner("/etc/passwd", "root"),
        link("x", "/etc/l"), link("x", "/root/l"),
        remove("/etc/passwd"), remove(f"{folder}/shut"), remove(f"{folder}/shut/f"), remove("/root/x"),
    ):
        refused(ssh, command, FileForbidden)
    assert refused(ssh, copy("/etc/shadow", f"{folder}/x"), FileForbidden).path == "/etc/shadow"
    assert refused(ssh, rename(file, "/etc/f"), FileForbidden).path == "/etc/f"
    ssh.run(["sh", "-c", 'chmod -R u+rwx "$1"; rm -r "$1"', "sh", folder])


def test_hostile_names(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        shell(transport, folder, "mkdir w o")
        path, other = f"{folder}/w/{name}", f"{folder}/o/{name}"
        transport.execute(make_directory(path))
        transport.execute(make_directory(f"{path}/{name}", parents=True))
        transport.execute(copy(path, other))
        assert names(transport, other) == [name]
        transport.execute(remove(other))
        transport.execute(rename(path, other))
        assert names(transport, f"{folder}/w") == []
        transport.execute(change_mode(other, "750"))
        assert stat.S_IMODE(transport.stat(other).mode) == 0o750
        transport.execute(link(name, path))
        held = transport.run(["readlink", "-n", "--", path]).stdout
        assert held == name.encode("utf-8", "surrogateescape")
        refused(transport, make_directory(other), FileExists, other)
        refused(transport, remove(f"{folder}/no/{name}"), FileMissing)
        refused(transport, copy(f"{folder}/no/{name}", other), FileMissing)
        assert names(transport, folder) == ["o", "w"]


def test_a_copy_that_takes_too_long_is_ended(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkfifo pipe; mkdir d")
    # cp -a makes a new pipe, so what hangs is a pipe in the place of the target
    shell(transport, far_dir, "echo x > f; mkfifo d/f")
    refused(transport, copy(f"{far_dir}/f", f"{far_dir}/d/f", timeout=0.5), CommandTimeout)
    assert transport.is_usable
    assert transport.run(["pgrep", "-f", f"cp -a -f -- {far_dir}/f"]).text == ""


@pytest.mark.parametrize("make", [
    lambda: change_owner("/x"), lambda: link("", "/x"), lambda: link("a\0b", "/x"), lambda: remove(""),
    lambda: rename("/x", ""), lambda: copy("", "/x"), lambda: make_directory("a\0"),
])
def test_arguments_that_cannot_be_meant(make) -> None:  # noqa: ANN001
    with pytest.raises(ValueError):
        make()
