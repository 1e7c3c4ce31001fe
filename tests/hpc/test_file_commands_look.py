"""Listing, status, type, checksum and identity, over every transport."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
import time

import pytest

from hpc.commands import CommandResult
from hpc.errors import (
    CommandTimeout,
    FileForbidden,
    FileMissing,
    IsADirectory,
    NotADirectory,
    ParentForbidden,
    RemoteFileError,
    ToolMissing,
)
from hpc.files.identity import Name, identity, user_name
from hpc.files.listing import Entry, listing
from hpc.files.names import REMEMBERED, NameBook, names
from hpc.files.status import FileStatus, checksum, kind, status
from hpc.files.tool import far_path
from hpc.transports.base import Transport
from hpc.transports.local import LocalTransport
from hpc.transports.ssh import SSHTransport
from tests.hpc.far_files import HOSTILE, hostile_names, refused, shell


def listed(transport: Transport, path: str, **options: bool) -> dict[str, Entry]:
    found = transport.execute(listing(path, **options))
    assert len({entry.name for entry in found}) == len(found)
    return {entry.name: entry for entry in found}


def test_every_kind_of_entry_with_all_its_fields(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "umask 022; mkdir d; printf abc > f; chmod 4750 f; ln -s 'some where' l; mkfifo p; chmod 1777 d; "
        "touch -d '2001-02-03 04:05:06' f; touch -h -d '1999-12-31 23:59:59.9' l"
    ))
    uid, gid = shell(transport, far_dir, "id -u; id -g").split()
    found = listed(transport, far_dir)
    assert found["f"] == Entry("f", "-", "", uid, gid, "rwsr-x---", "2001-02-03T04:05:06", 3)
    assert found["l"] == Entry("l", "l", "some where", uid, gid, "rwxrwxrwx", "1999-12-31T23:59:59", 10)
    assert (found["d"].kind, found["d"].permissions) == ("d", "rwxrwxrwt")
    assert found["p"].kind == "p"
    assert list(found) == ["d", "f", "l", "p"]
    assert listed(transport, "/dev")["null"].kind == "c"


def test_the_time_is_that_of_the_system(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "touch f")
    theirs = shell(transport, far_dir, "date -r f +%Y-%m-%dT%H:%M:%S").strip()
    assert listed(transport, far_dir)["f"].last_modified == theirs


def test_hidden_and_empty(transport: Transport, far_dir: str) -> None:
    assert listed(transport, far_dir) == {}
    shell(transport, far_dir, "touch .a b; mkdir .d")
    assert list(listed(transport, far_dir)) == ["b"]
    assert list(listed(transport, far_dir, hidden=True)) == [".a", ".d", "b"]


def test_recursive(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkdir -p a/b/c e .h/i; touch a/b/c/deep.txt a/.x .h/i/y z; ln -s a link")
    assert list(listed(transport, far_dir, recursive=True)) == [
        "a", "a/b", "a/b/c", "a/b/c/deep.txt", "e", "link", "z",
    ]
    assert list(listed(transport, far_dir, recursive=True, hidden=True)) == [
        ".h", ".h/i", ".h/i/y", "a", "a/.x", "a/b", "a/b/c", "a/b/c/deep.txt", "e", "link", "z",
    ]
    # the folder that is asked for may itself be hidden
    assert list(listed(transport, f"{far_dir}/.h", recursive=True)) == ["i", "i/y"]


def test_a_file_is_one_entry_named_as_asked(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "printf 12345 > f; mkdir d; ln -s d to-d; ln -s f to-f; ln -s no gone")
    path = f"{far_dir}/f"
    assert [(e.name, e.kind, e.size) for e in transport.execute(listing(path))] == [(path, "-", 5)]
    path = f"{far_dir}/.f"
    shell(transport, far_dir, "touch .f d/in")
    assert [e.name for e in transport.execute(listing(path, recursive=True))] == [path]
    for name, target in (("to-d", "d"), ("to-f", "f"), ("gone", "no")):
        (entry,) = transport.execute(listing(f"{far_dir}/{name}"))
        assert (entry.name, entry.kind, entry.link_target) == (f"{far_dir}/{name}", "l", target)
    assert list(listed(transport, f"{far_dir}/to-d", follow=True)) == ["in"]
    assert list(listed(transport, f"{far_dir}/to-d/")) == ["in"]
    (entry,) = transport.execute(listing(f"{far_dir}/to-f", follow=True))
    assert (entry.kind, entry.size) == ("-", 5)


def test_links_followed_and_loops(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "mkdir d; printf 123 > d/f; ln -s d/f l; ln -s self self; ln -s . here; ln -s .. d/up; ln -s no gone; "
        "ln -s two one; ln -s one two; ln -s d dd"
    ))
    plain = listed(transport, far_dir, recursive=True)
    assert list(plain) == ["d", "d/f", "d/up", "dd", "gone", "here", "l", "one", "self", "two"]
    assert {n for n, e in plain.items() if e.kind == "l"} == set(plain) - {"d", "d/f"}
    followed = listed(transport, far_dir, follow=True)
    assert list(followed) == ["d", "dd", "gone", "here", "l", "one", "self", "two"]
    assert (followed["l"].kind, followed["l"].size, followed["l"].link_target) == ("-", 3, "")
    assert followed["dd"].kind == "d"
    for name in ("gone", "self", "one", "two", "here"):
        assert followed[name].kind == "l"
    assert {"dd/f", "d/f", "d/up", "self"} <= set(listed(transport, far_dir, follow=True, recursive=True))


def test_hostile_names(transport: Transport, far_dir: str) -> None:
    for folder, name in hostile_names(transport, far_dir):
        path = f"{folder}/{name}"
        transport.run(["sh", "-c", 'printf x >"$1"', "sh", f"./{name}"], cwd=folder)
        (entry,) = transport.execute(listing(folder, hidden=True, recursive=True))
        assert (entry.name, entry.size) == (name, 1)
        (entry,) = transport.execute(listing(path))
        assert entry.name == path
        assert transport.execute(status(path)).size == 1
        assert transport.execute(checksum(path)) == hashlib.sha256(b"x").hexdigest()
        assert transport.execute(kind(path)).startswith("very short file")


def test_hostile_names_from_the_home_directory(transport: Transport) -> None:
    for name in HOSTILE:
        for command in (listing(name), status(name), checksum(name), kind(name)):
            # "~" and "*" are names here, as everything else
            refused(transport, command, FileMissing, name)


def test_relative_paths_start_at_home(transport: Transport) -> None:
    home = transport.run(["sh", "-c", "cd; pwd -P"]).text.strip()
    assert transport.execute(status(".")).ino == transport.execute(status(home)).ino
    mine = transport.run(["mktemp", "-d", "-p", home, "centro-XXXXXX"]).text.strip()
    try:
        assert os.path.basename(mine) in listed(transport, ".")
        assert transport.execute(status(os.path.basename(mine))).size >= 0
    finally:
        transport.run(["rmdir", mine])


def test_four_thousand_entries(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "seq -f 'file %g' 4000 | tr '\\n' '\\0' | xargs -0 touch")
    found = listed(transport, far_dir)
    assert list(found) == sorted(f"file {number}" for number in range(1, 4001))


def test_listing_is_refused(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "touch 'No such file: Permission denied'")
    odd = f"{far_dir}/No such file: Permission denied"
    for options in ({}, {"follow": True}, {"recursive": True}, {"recursive": True, "follow": True}):
        refused(transport, listing(f"{far_dir}/no", **options), FileMissing, f"{far_dir}/no")
        refused(transport, listing(f"{odd}/x", **options), NotADirectory)
    refused(transport, listing(f"{far_dir}/no/x: Permission denied"), FileMissing)
    refused(transport, listing("x" * 5000), RemoteFileError)


@pytest.mark.lab
def test_listing_without_rights(ssh: SSHTransport, lab: object) -> None:
    folder = ssh.run(["mktemp", "-d", "/tmp/centro-far-XXXXXX"]).text.strip()
    shell(ssh, folder, "mkdir -p shut/in dark/in open/shut names; touch open/f names/a; chmod 0 shut open/shut; "
                       "chmod 300 dark; chmod 400 names")
    for options in ({}, {"follow": True}, {"recursive": True}):
        refused(ssh, listing(f"{folder}/shut", **options), FileForbidden)
        refused(ssh, listing(f"{folder}/dark", **options), FileForbidden)
        refused(ssh, listing(f"{folder}/names", **options), FileForbidden)
        refused(ssh, listing(f"{folder}/shut/in", **options), ParentForbidden)
    refused(ssh, listing(folder, recursive=True), FileForbidden)
    assert list(listed(ssh, f"{folder}/open")) == ["f", "shut"]
    assert list(listed(ssh, f"{folder}/dark/in")) == []
    ssh.run(["chmod", "-R", "700", folder])
    ssh.run(["rm", "-r", folder])


def test_names_of_users_are_asked_for_once(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "touch a b")
    entries = transport.execute(listing(far_dir)) + transport.execute(listing("/etc"))[:5]
    entries.append(Entry("odd", "-", "", "3999999991", "3999999992", "rwxrwxrwx", "", 0))
    asked: list[object] = []
    now = [0.0]
    book = NameBook(lambda: now[0])

    def name(again: list[Entry]) -> None:
        book.name(again, lambda command: (asked.append(command), transport.execute(command))[1])

    first = [(pwd.getpwuid(int(e.user)).pw_name, grp.getgrgid(int(e.group)).gr_name) for e in entries[:-1]]
    again = [Entry("x", "-", "", e.user, e.group, "", "", 0) for e in entries]
    later = [Entry("x", "-", "", e.user, e.group, "", "", 0) for e in entries]
    name(entries)
    name(again)
    assert [(e.user, e.group) for e in entries] == [*first, ("3999999991", "3999999992")]
    assert [(e.user, e.group) for e in again] == [(e.user, e.group) for e in entries]
    assert len(asked) == 1
    now[0] = REMEMBERED + 1
    name(later)
    assert len(asked) == 2


def test_only_one_sort_of_names_is_asked_for(transport: Transport) -> None:
    assert transport.execute(names([0], [])) == ({"0": "root"}, {})
    assert transport.execute(names([], [0])) == ({}, {"0": "root"})
    assert transport.execute(names([], [])) == ({}, {})


def test_status_has_ten_numbers(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "umask 022; printf 12 > f; ln f g; ln -s f l; touch -d @1000000001 f; mkdir d")
    found = transport.execute(status(f"{far_dir}/f"))
    uid, gid = map(int, shell(transport, far_dir, "id -u; id -g").split())
    assert (found.mode, found.nlink, found.size, found.mtime) == (33188, 2, 2, 1000000001)
    assert (found.uid, found.gid) == (uid, gid)
    theirs = os.stat(f"{far_dir}/f")  # the lab's system is this machine
    assert found == FileStatus(
        theirs.st_mode, theirs.st_ino, theirs.st_dev, theirs.st_nlink, theirs.st_uid, theirs.st_gid,
        theirs.st_size, int(theirs.st_atime), int(theirs.st_mtime), int(theirs.st_ctime),
    )
    assert transport.execute(status(f"{far_dir}/l")).mode == 41471
    assert transport.execute(status(f"{far_dir}/l", follow=True)) == found
    assert transport.execute(status(f"{far_dir}/d")).mode == 16877


def test_status_kind_and_checksum_are_refused(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "echo x > f; ln -s no gone; mkdir d; ln -s loop loop")
    for make in (status, kind, checksum):
        refused(transport, make(f"{far_dir}/no"), FileMissing, f"{far_dir}/no")
        refused(transport, make(f"{far_dir}/f/x"), NotADirectory, f"{far_dir}/f/x")
    refused(transport, status(f"{far_dir}/gone", follow=True), FileMissing)
    refused(transport, status(f"{far_dir}/loop", follow=True), RemoteFileError)
    refused(transport, checksum(f"{far_dir}/d"), IsADirectory)
    assert transport.execute(kind(f"{far_dir}/gone")) == "broken symbolic link to no"
    assert transport.execute(kind(f"{far_dir}/d")) == "directory"
    assert transport.execute(kind(f"{far_dir}/f")) == "ASCII text"


@pytest.mark.lab
def test_looking_without_rights(ssh: SSHTransport, lab: object) -> None:
    for make in (kind, checksum):
        refused(ssh, make("/etc/shadow"), FileForbidden, "/etc/shadow")
    for make in (status, kind, checksum):
        refused(ssh, make("/root/x"), FileForbidden, "/root/x")
    assert ssh.execute(status("/etc/shadow")).uid == 0


def test_a_checksum_that_takes_too_long_leaves_no_process(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, "mkfifo pipe")
    began = time.monotonic()
    refused(transport, checksum(f"{far_dir}/pipe", timeout=0.5), CommandTimeout)
    assert time.monotonic() - began < 4
    assert transport.is_usable  # the connection was not given up for it
    running = transport.run(["pgrep", "-f", f"sha256sum -- {far_dir}/pipe"])
    assert running.text == ""


def test_a_missing_program_is_told() -> None:
    for code, text in ((127, b"timeout: failed to run command 'sha256sum': No such file or directory"),
                       (205, b"no program file(1)")):
        command = checksum("/x")
        with pytest.raises(ToolMissing, match="program|sha256sum"):
            command.parse(CommandResult(code, b"", text, 0.1))


def test_a_system_without_file(transport: Transport, far_dir: str) -> None:
    shell(transport, far_dir, (
        "mkdir bin; for i in sh timeout stat head; do ln -s $(command -v $i) bin/; done; echo x > f"
    ))
    command = kind(f"{far_dir}/f")
    found = transport.run(command.argv, env=(("PATH", f"{far_dir}/bin"), ("LC_ALL", "C")))
    with pytest.raises(ToolMissing, match="file"):
        command.parse(found)


def test_who_we_are(transport: Transport) -> None:
    name = transport.run(["id", "-un"]).text.strip()
    assert transport.execute(user_name()) == name
    found = transport.execute(identity())
    theirs = pwd.getpwnam(name)
    assert found.user == Name(name, theirs.pw_uid)
    assert found.group == Name(grp.getgrgid(theirs.pw_gid).gr_name, theirs.pw_gid)
    assert found.group in found.groups
    assert {group.id for group in found.groups} == set(os.getgrouplist(name, theirs.pw_gid))


@pytest.mark.parametrize(("text", "user", "group", "groups"), [
    ("uid=5(a b) gid=7(domain users) groups=7(domain users),8(x (y),9", ("a b", 5), ("domain users", 7),
     [("domain users", 7), ("x (y", 8), ("9", 9)]),
    ("uid=5 gid=7 groups=7 context=unconfined_u:r:t:s0", ("5", 5), ("7", 7), [("7", 7)]),
    ("uid=5(a) gid=7(b) euid=0(root) egid=0(root) groups=0(root)", ("a", 5), ("b", 7), [("b", 7), ("root", 0)]),
    ("uid=5(a) gid=7(b)", ("a", 5), ("b", 7), [("b", 7)]),
])
def test_odd_identities(
    text: str, user: tuple[str, int], group: tuple[str, int], groups: list[tuple[str, int]]
) -> None:
    found = identity().parse(CommandResult(1, f"{text}\n".encode(), b"id: cannot find name", 0.1))
    assert (found.user, found.group) == (Name(*user), Name(*group))
    assert list(found.groups) == [Name(*one) for one in groups]


def test_an_answer_that_makes_no_sense() -> None:
    for command in (identity(), status("/x"), checksum("/x")):
        with pytest.raises(RemoteFileError, match="answered"):
            command.parse(CommandResult(0, b"?\n", b"", 0.1))


@pytest.mark.parametrize("path", ["", "a\0b", "\ud800"])
def test_paths_that_cannot_be_meant(path: str) -> None:
    for make in (listing, status, kind, checksum):
        with pytest.raises(ValueError):
            make(path)


def test_far_paths() -> None:
    assert [far_path(p) for p in ("/a", "a", "-rf", "~", "./a")] == ["/a", "./a", "./-rf", "./~", "././a"]
    with LocalTransport() as here:
        assert re.fullmatch(r"[0-9a-f]{64}", here.execute(checksum("/etc/passwd")))
