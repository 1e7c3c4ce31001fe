"""The file services on a system of plain processes: limits, text, names, and who did what."""

from __future__ import annotations

import getpass
import hashlib
import io
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from hpc.errors import (
    CommandTimeout,
    FileExists,
    FileMissing,
    FileTooLarge,
    NotText,
    OutputTooLarge,
    PatternNotFound,
)
from hpc.transports.base import MIB
from pipeline_management.models import AuditEvent, SystemAccount
from pipeline_management.services import files
from tests.factories import make_account, make_system, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return make_user("ann")


@pytest.fixture
def account(user: User) -> SystemAccount:
    limits = {"max_file_size_mb": 1, "command_timeout": 3}
    return make_account(make_system("here", limits=limits), user)


def written() -> list[tuple[str, str, str, str | None, dict[str, Any]]]:
    found = AuditEvent.objects.order_by("pk")
    return [(e.actor_name, e.action, e.target, e.address, e.data) for e in found]


def test_a_listing_has_names_or_numbers(account: SystemAccount, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abc")
    (tmp_path / ".h").touch()
    (entry,) = files.listing(account, str(tmp_path))
    assert (entry.name, entry.user, entry.size) == ("f", getpass.getuser(), 3)
    (entry,) = files.listing(account, str(tmp_path), numeric=True)
    assert (entry.user, entry.group) == (str(os.geteuid()), str((tmp_path / "f").stat().st_gid))
    assert [e.name for e in files.listing(account, str(tmp_path), hidden=True)] == [".h", "f"]
    assert written() == []


def test_looking(account: SystemAccount, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("one\ntwo\n")
    os.symlink("f", tmp_path / "l")
    assert files.status(account, str(tmp_path / "l")).mode == 0o120777
    assert files.status(account, str(tmp_path / "l"), follow=True).ino == path.stat().st_ino
    assert files.kind(account, str(path)) == "ASCII text"
    assert files.checksum(account, str(path)) == hashlib.sha256(b"one\ntwo\n").hexdigest()
    assert files.user_name(account) == files.identity(account).user.name == getpass.getuser()
    assert files.head(account, str(path), lines="1") == "one\n"
    assert files.head(account, str(path), count="5", skip_ending=True) == "one"
    assert files.tail(account, str(path), count="2", skip_beginning=True, grep="tw") == "two\n"
    assert files.view(account, str(path)) == "one\ntwo\n"
    with pytest.raises(PatternNotFound):
        files.tail(account, str(path), grep="three")
    assert written() == []


def test_every_change_is_written_down(account: SystemAccount, user: User, tmp_path: Path) -> None:
    who: dict[str, Any] = {"user": user, "address": "192.0.2.7"}
    base = str(tmp_path)
    me = getpass.getuser()
    files.make_directory(account, f"{base}/d", **who)
    files.make_directory(account, f"{base}/p/q", parents=True, **who)
    files.upload(account, f"{base}/d/f", io.BytesIO(b"abc"), 3, **who)
    files.copy(account, f"{base}/d/f", f"{base}/g", **who)
    files.rename(account, f"{base}/g", f"{base}/h", **who)
    assert "0600" in files.change_mode(account, f"{base}/h", "600", **who)
    assert me in files.change_owner(account, f"{base}/h", me, **who)
    files.link(account, "h", f"{base}/l", **who)
    files.compress(account, f"{base}/d", f"{base}/d.tgz", dereference=True, **who)
    files.extract(account, f"{base}/d.tgz", f"{base}/p", extension="tgz", **who)
    files.remove(account, f"{base}/l", **who)
    assert sorted(os.listdir(base)) == ["d", "d.tgz", "h", "p"]
    assert (tmp_path / "p" / "d" / "f").read_bytes() == b"abc"

    found = written()
    assert {(actor, address) for actor, _, _, address, _ in found} == {("ann", "192.0.2.7")}
    assert [(action, target.removeprefix(f"here:{base}/")) for _, action, target, _, _ in found] == [
        ("files.mkdir", "d"), ("files.mkdir", "p/q"), ("files.upload", "d/f"), ("files.copy", "d/f"),
        ("files.rename", "g"), ("files.chmod", "h"), ("files.chown", "h"), ("files.symlink", "l"),
        ("files.compress", "d"), ("files.extract", "d.tgz"), ("files.rm", "l"),
    ]
    by_action = {action: data for _, action, _, _, data in found}
    assert by_action["files.upload"] == {"path": f"{base}/d/f", "as": me, "size": "3"}
    assert by_action["files.copy"] == {"path": f"{base}/d/f", "as": me, "target": f"{base}/g"}
    assert by_action["files.chmod"]["mode"] == "600"
    assert by_action["files.chown"] == {"path": f"{base}/h", "as": me, "owner": me}


def test_what_was_refused_is_not_written_down(account: SystemAccount, user: User, tmp_path: Path) -> None:
    with pytest.raises(FileExists):
        files.make_directory(account, str(tmp_path), user=user)
    with pytest.raises(FileMissing):
        files.remove(account, str(tmp_path / "no"), user=user)
    with pytest.raises(ValueError, match="group or owner must be set"):
        files.change_owner(account, str(tmp_path), user=user)
    assert written() == []


def test_a_change_of_unknown_outcome_is_written_down_as_such(user: User, tmp_path: Path) -> None:
    account = make_account(make_system("slow", limits={"command_timeout": 0.5}), user)
    (tmp_path / "f").write_text("x")
    os.mkdir(tmp_path / "d")
    os.mkfifo(tmp_path / "d" / "f")
    with pytest.raises(CommandTimeout):
        files.copy(account, str(tmp_path / "f"), str(tmp_path / "d"), user=user)
    ((_, action, _, _, data),) = written()
    assert (action, data["outcome"]) == ("files.copy", "unknown")


def test_paths_that_no_database_takes(account: SystemAccount, user: User, tmp_path: Path) -> None:
    name = "\udcff" + "ü" * 120
    files.make_directory(account, f"{tmp_path}/{name}", user=user)
    ((_, _, target, _, data),) = written()
    assert data["path"] == f"{tmp_path}/\\xff" + "ü" * 120
    assert len(target) <= 200
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xff" + "ü".encode() * 120]


def test_an_account_for_everybody(user: User, tmp_path: Path) -> None:
    account = make_account(make_system("shared"))
    files.make_directory(account, str(tmp_path / "d"), user=user)
    files.make_directory(account, str(tmp_path / "e"), user=None)
    assert [actor for actor, *_ in written()] == ["ann", "centro"]


def test_what_is_no_text(account: SystemAccount, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc\xff\n")
    for look in (files.head, files.tail, files.view):
        with pytest.raises(NotText, match="byte 3"):
            look(account, str(path))
    assert b"".join(files.download(account, str(path)).chunks) == b"abc\xff\n"


def test_the_limit_is_the_systems(account: SystemAccount, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * MIB)  # exactly the limit
    assert len(files.view(account, str(path))) == MIB
    found = files.download(account, str(path))
    assert (found.name, found.size, len(b"".join(found.chunks))) == ("f", MIB, MIB)
    assert len(files.head(account, str(path), count=str(MIB))) == MIB
    path.write_bytes(b"x" * (MIB + 1))
    for look in (files.view, files.download):
        with pytest.raises(FileTooLarge, match=str(MIB)):
            look(account, str(path))
    with pytest.raises(OutputTooLarge):
        files.tail(account, str(path), lines="1")
    assert files.download(account, str(path), limit=2 * MIB).size == MIB + 1


def test_time_is_the_systems(user: User, tmp_path: Path) -> None:
    account = make_account(make_system("slow", limits={"command_timeout": 0.5}), user)
    os.mkfifo(tmp_path / "pipe")
    for look in (files.checksum, files.head, files.tail):
        with pytest.raises(CommandTimeout):
            look(account, str(tmp_path / "pipe"))


def test_a_gigabyte_costs_no_memory(account: SystemAccount, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with open(path, "wb") as file:
        file.truncate(2**30)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for look in (files.view, files.download):
        with pytest.raises(FileTooLarge):
            look(account, str(path))
    found = files.download(account, str(path), limit=2**30)
    assert (found.size, sum(map(len, found.chunks))) == (2**30, 2**30)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 32 * 1024  # KiB
