"""Files arrive whole and proven or not at all, by every store and route."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpc.client import SystemClient
from hpc.errors import ConnectionLost
from hpc.files import moving
from pipeline_management.choices import TaskStatus
from pipeline_management.models import AuditEvent, StoreRoute, Transfer
from pipeline_management.models.transfer import Route, TransferState
from pipeline_management.services.transfers import requests, routes, work
from pipeline_management.services.transfers.area import area
from pipeline_management.services.transfers.job import Job
from staging.base import MIB
from tests.staging.areas import get
from tests.transfers.desk import Desk, ended, sha256

pytestmark = [
    pytest.mark.lab,
    pytest.mark.xdist_group("lab"),
    pytest.mark.django_db,
]

CONTENT = os.urandom(20 * MIB + 12345)
SMALL = os.urandom(3 * MIB + 5)


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces and parts, so that things happen between two."""
    monkeypatch.setattr(Job, "adapt", lambda *_: None)
    monkeypatch.setattr("pipeline_management.services.transfers.job._FIRST_PIECE", 5 * MIB)
    monkeypatch.setattr("staging.base._USUAL_PART", 5 * MIB)


def test_an_upload_arrives_whole(way: str, desk: Desk, far: Path) -> None:
    transfer = desk.upload(far, CONTENT)
    assert transfer.api_task is not None and transfer.percent == 0
    done = desk.work(transfer)
    ended(done, TransferState.DONE)
    target = far / "sent.bin"
    assert target.read_bytes() == CONTENT
    assert done.sha256 == sha256(CONTENT)
    assert target.owner() == desk.account.username
    assert os.listdir(far) == ["sent.bin"]
    assert done.api_task is not None and done.api_task.status == TaskStatus.FETCHED
    assert (done.bytes_done, done.percent) == (len(CONTENT), 100)
    assert done.route == (Route.DIRECT if way == "s3-direct" else Route.THROUGH)
    assert area().stat(done.key) is None
    assert AuditEvent.objects.filter(action="transfer.upload").count() == 1


def test_a_download_becomes_a_link(way: str, desk: Desk, far: Path) -> None:
    (far / "result ü.bin").write_bytes(CONTENT)
    (far / "result ü.bin").chmod(0o644)
    transfer = desk.download(far / "result ü.bin")
    assert transfer.api_task is not None and transfer.api_task.status == TaskStatus.QUEUED
    ready = desk.work(transfer)
    ended(ready, TransferState.READY)
    assert ready.api_task is not None and ready.api_task.status == TaskStatus.STORED
    assert ready.sha256 == sha256(CONTENT)
    if area().kind == "s3":
        assert get(ready.link).body == CONTENT
    else:
        with area().reader(ready.key) as source:
            assert source.read(len(CONTENT) + 1) == CONTENT
    requests.invalidate(ready, user=desk.person)
    assert area().stat(ready.key) is None
    assert desk.fresh(ready).state == TransferState.INVALID
    ended(desk.work(ready), TransferState.INVALID)


def test_an_empty_file_is_a_file(way: str, desk: Desk, far: Path) -> None:
    ended(desk.work(desk.upload(far, b"")), TransferState.DONE)
    assert (far / "sent.bin").read_bytes() == b""
    ready = desk.work(desk.download(far / "sent.bin"))
    ended(ready, TransferState.READY)
    found = area().stat(ready.key)
    assert found is not None and found.size == 0


def test_what_is_replaced_keeps_its_permissions(way: str, desk: Desk, far: Path) -> None:
    target = far / "sent.bin"
    target.write_bytes(b"old")
    os.chown(target, far.stat().st_uid, -1)
    target.chmod(0o640)
    ended(desk.work(desk.upload(target, SMALL)), TransferState.DONE)
    assert target.read_bytes() == SMALL
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_directory_that_was_closed_is_told_and_the_file_stays_for_another_try(
    way: str, desk: Desk, far: Path
) -> None:
    transfer = desk.upload(far, SMALL)
    far.chmod(0o555)
    failed = desk.work(transfer)
    ended(desk.work(failed), TransferState.FAILED)
    assert "permission denied" in failed.error.lower() and str(far) in failed.error
    assert failed.api_task is not None and failed.api_task.status == TaskStatus.FETCH_ERROR
    assert os.listdir(far) == []
    far.chmod(0o755)
    requests.retry(failed, user=desk.person)
    ended(desk.work(failed), TransferState.DONE)
    assert (far / "sent.bin").read_bytes() == SMALL


@pytest.fixture
def small_disk(far: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    folder = far / "small"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "tmpfs", str(folder)], check=True
    )
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_in_the_systems_words(way: str, desk: Desk, small_disk: Path) -> None:
    (small_disk / "sent.bin").write_bytes(b"old")
    (small_disk / "sent.bin").chmod(0o666)
    failed = desk.work(desk.upload(small_disk, CONTENT))
    assert failed.state == TransferState.FAILED
    assert "No space left on device" in failed.error
    ended(desk.work(failed), TransferState.FAILED)
    assert os.listdir(small_disk) == ["sent.bin"]
    assert (small_disk / "sent.bin").read_bytes() == b"old"


def test_another_checksum_than_announced_leaves_the_target_alone(
    way: str, desk: Desk, far: Path
) -> None:
    (far / "sent.bin").write_bytes(b"old")
    os.chown(far / "sent.bin", far.stat().st_uid, -1)
    transfer = desk.upload(far, SMALL, sha256=sha256(b"something else"))
    for _ in range(work.DAMAGED_TRIES):
        assert (far / "sent.bin").read_bytes() == b"old"
        transfer = desk.work(transfer)
    assert transfer.state == TransferState.FAILED
    assert sha256(SMALL) in transfer.error
    desk.work(transfer)
    assert os.listdir(far) == ["sent.bin"]
    assert (far / "sent.bin").read_bytes() == b"old"


def test_bytes_that_change_on_the_way_are_noticed(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SystemClient.run

    def meddle(self: SystemClient, command: Any) -> Any:
        if "centro-digest" in command.argv:
            for part in far.glob(".centro-*.part"):
                with part.open("r+b") as file:
                    file.write(b"meddled")
        return real(self, command)

    monkeypatch.setattr(SystemClient, "run", meddle)
    transfer = desk.work(desk.upload(far, SMALL))
    assert transfer.state == TransferState.QUEUED and "differ" in transfer.error
    assert not (far / "sent.bin").exists()
    monkeypatch.undo()
    monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)
    ended(desk.work(transfer), TransferState.DONE)
    assert (far / "sent.bin").read_bytes() == SMALL


def test_a_file_that_changes_while_it_is_read_is_read_again(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = far / "log"
    source.write_bytes(SMALL)
    source.chmod(0o644)
    real = SystemClient.run

    def change(self: SystemClient, command: Any) -> Any:
        if "centro-digest" in command.argv:
            source.write_bytes(SMALL[::-1])
        return real(self, command)

    monkeypatch.setattr(SystemClient, "run", change)
    transfer = desk.work(desk.download(source))
    assert (transfer.state, transfer.error) == (
        TransferState.QUEUED,
        "The file changed while it was read.",
    )
    monkeypatch.setattr(SystemClient, "run", real)
    ended(desk.work(transfer), TransferState.READY)


class Broken:
    """The connection breaks at the ``at``-th piece; afterwards all is well. ``sent`` counts pieces."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.sent = 0
        self.at = at
        for name in ("pull", "push", "write_at", "read_at"):
            monkeypatch.setattr(moving, name, self._counting(getattr(moving, name)))

    def _counting(self, real: Any) -> Any:
        def count(*arguments: Any) -> Any:
            self.sent += 1
            if self.sent == self.at:
                raise ConnectionLost("the connection broke")
            return real(*arguments)

        return count


@pytest.mark.usefixtures("short_pieces")
def test_an_upload_goes_on_where_it_stopped(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = Broken(monkeypatch, at=4)
    stopped = desk.work(desk.upload(far, CONTENT))
    assert (stopped.state, stopped.tries) == (TransferState.QUEUED, 1)
    assert stopped.confirmed == 15 * MIB
    ended(desk.work(stopped), TransferState.DONE)
    assert pieces.sent == 5 + 1
    assert (far / "sent.bin").read_bytes() == CONTENT


@pytest.mark.usefixtures("short_pieces")
def test_a_download_goes_on_where_it_stopped(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (far / "result").write_bytes(CONTENT)
    (far / "result").chmod(0o644)
    pieces = Broken(monkeypatch, at=4)
    stopped = desk.work(desk.download(far / "result"))
    assert (stopped.state, stopped.tries) == (TransferState.QUEUED, 1)
    ready = desk.work(stopped)
    ended(ready, TransferState.READY)
    assert pieces.sent == 5 + 1
    assert ready.sha256 == sha256(CONTENT)


@pytest.mark.usefixtures("short_pieces")
def test_a_cancelled_upload_stops_and_leaves_nothing(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Job.note

    def note(self: Job, **fields: Any) -> None:
        if fields.get("confirmed") == 10 * MIB:
            requests.cancel(Transfer.objects.get(pk=self.transfer.pk), user=desk.person)
        real(self, **fields)

    monkeypatch.setattr(Job, "note", note)
    cancelled = desk.work(desk.upload(far, CONTENT))
    assert cancelled.state == TransferState.CANCELLED
    assert cancelled.api_task is not None and cancelled.api_task.status == TaskStatus.ERROR
    ended(desk.work(cancelled), TransferState.CANCELLED)
    assert os.listdir(far) == []
    assert area().stat(cancelled.key) is None


def test_a_try_that_died_after_giving_the_name_is_not_done_again(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise ConnectionLost("killed just here")

    monkeypatch.setattr(Job, "finished", die)
    transfer = desk.upload(far, SMALL)
    desk.work(transfer)
    assert (far / "sent.bin").read_bytes() == SMALL
    Transfer.objects.filter(pk=transfer.pk).update(
        state=TransferState.CHECKING
    )  # as a kill leaves it
    monkeypatch.undo()
    monkeypatch.setattr("pipeline_management.services.leases._start_renewer", lambda: None)
    pieces = Broken(monkeypatch, at=0)
    ended(desk.work(transfer), TransferState.DONE)
    assert pieces.sent == 0
    assert os.listdir(far) == ["sent.bin"]


def test_the_temporary_file_may_vanish(
    way: str, desk: Desk, far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moving.digests

    def remove(*arguments: Any, **more: Any) -> Any:
        for part in far.glob(".centro-*.part"):
            part.unlink()
        return real(*arguments, **more)

    monkeypatch.setattr(moving, "digests", remove)
    transfer = desk.work(desk.upload(far, SMALL))
    assert transfer.state == TransferState.QUEUED
    monkeypatch.setattr(moving, "digests", real)
    ended(desk.work(transfer), TransferState.DONE)
    assert (far / "sent.bin").read_bytes() == SMALL


@pytest.mark.parametrize("way", ["s3-direct"], indirect=True)
def test_a_system_that_fails_by_itself_is_helped(
    way: str, desk: Desk, far: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = desk.upload(far, SMALL)
    inside = type(area()).download_url

    def closed(self: Any, key: str, seconds: int, **more: Any) -> str:
        url = inside(self, key, seconds, **more)
        return url.replace("127.0.0.1", "127.0.0.9") if key == transfer.key else url

    monkeypatch.setattr(type(area()), "download_url", closed)
    for _ in range(work.DIRECT_TRIES):
        transfer = desk.work(transfer)
        assert transfer.state == TransferState.QUEUED and "own transfer failed" in transfer.error
    ended(desk.work(transfer), TransferState.DONE)
    assert desk.fresh(transfer).route == Route.THROUGH
    known = routes.known_route(desk.account.system)
    assert known is not None and known.route == Route.THROUGH
    StoreRoute.objects.all().delete()
    assert routes.known_route(desk.account.system) is None


@pytest.mark.parametrize("way", ["s3-direct"], indirect=True)
def test_the_store_may_restart(way: str, desk: Desk, far: Path, lab: Any) -> None:
    transfer = desk.upload(far, SMALL)
    lab.s3.kill()
    stopped = desk.work(transfer)
    assert stopped.state in (TransferState.QUEUED, TransferState.MOVING)
    assert "does not answer" in stopped.error
    lab.s3.start()
    ended(desk.work(stopped), TransferState.DONE)
    assert (far / "sent.bin").read_bytes() == SMALL
