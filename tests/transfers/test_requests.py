"""What people may ask for, and what becomes of transfers that nobody goes on with. No server is needed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from hpc.errors import FileMissing, IsADirectory, ParentMissing
from pipeline_management.choices import TaskStatus
from pipeline_management.errors import Conflict, InvalidRequest, TooLarge, Unavailable
from pipeline_management.models import AuditEvent, StoreRoute, SystemAccount, Transfer
from pipeline_management.models.transfer import Direction, Manner, Route, TransferState
from pipeline_management.services.transfers import (
    arrivals,
    changes,
    parts,
    requests,
    routes,
    tidying,
    work,
)
from pipeline_management.services.transfers.area import area, local_area
from pipeline_management.transfer_states import FINAL, TRANSITIONS, WORKING
from staging.base import MIB
from staging.errors import ObjectMissing, StoreUnreachable
from tests.factories import make_account, make_system, make_user
from tests.transfers.desk import Desk, ended

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("local_store")]


@pytest.fixture
def here(person: User) -> SystemAccount:
    """An account on this machine."""
    return make_account(make_system(), user=person)


@pytest.fixture
def near(person: User, here: SystemAccount) -> Desk:
    return Desk(person, here)


def make_late(transfer: Transfer) -> None:
    Transfer.objects.filter(pk=transfer.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def test_every_state_has_its_moves_and_final_ones_go_nowhere_but_to_invalid() -> None:
    assert set(TRANSITIONS) == set(TransferState)
    for state in FINAL - {TransferState.FAILED, TransferState.READY}:
        assert TRANSITIONS[state] <= {TransferState.INVALID}
    assert TransferState.AWAITING not in WORKING


@pytest.mark.parametrize("state", list(TransferState))
@pytest.mark.parametrize("direction", list(Direction))
def test_every_reachable_state_has_a_code_of_firecrest(
    direction: Direction, state: TransferState
) -> None:
    never = {(Direction.UPLOAD, TransferState.READY), (Direction.DOWNLOAD, TransferState.AWAITING),
             (Direction.DOWNLOAD, TransferState.DONE)}  # fmt: skip
    transfer = Transfer(direction=direction, state=state)
    if (direction, state) in never:
        with pytest.raises(KeyError):
            changes.task_status(transfer)
    else:
        assert changes.task_status(transfer) in TaskStatus


def test_a_move_that_the_table_does_not_have_is_a_bug(near: Desk, tmp_path: Path) -> None:
    transfer = near.upload(tmp_path, b"x")
    with pytest.raises(changes.IllegalMove):
        changes.change(transfer, TransferState.READY)


def test_an_upload_is_awaited_noticed_and_done(near: Desk, tmp_path: Path) -> None:
    transfer = requests.request_upload(
        near.person,
        near.account,
        str(tmp_path),
        "C/my file.txt",
        with_task=True,
        address="10.0.0.1",
    )
    assert transfer.path == f"{tmp_path}/my file.txt"
    assert transfer.key == f"{transfer.id.hex}/my_file.txt"
    assert transfer.api_task is not None
    assert (transfer.api_task.id, transfer.api_task.status) == (transfer.id.hex, "111")
    assert not arrivals.look(transfer)
    assert near.fresh(transfer).next_at is not None
    area().put(transfer.key, b"content")
    arrivals.arrived(transfer.key)
    done = near.fresh(transfer)
    assert (done.state, done.size) == (TransferState.QUEUED, 7)
    assert done.api_task is not None and done.api_task.status == "112"
    ended(near.work(done), TransferState.DONE)
    assert (tmp_path / "my file.txt").read_bytes() == b"content"
    event = AuditEvent.objects.get(action="transfer.upload")
    assert (event.actor, event.address) == (near.person, "10.0.0.1")


def test_the_store_is_asked_often_while_an_upload_is_fresh(near: Desk, tmp_path: Path) -> None:
    transfer = requests.request_upload(near.person, near.account, str(tmp_path), "x")
    pauses = []
    for age in (0, 100, 1000, 10_000):
        created = timezone.now() - timedelta(seconds=age)
        Transfer.objects.filter(pk=transfer.pk).update(created_at=created, next_at=timezone.now())
        arrivals.sweep()
        found = near.fresh(transfer)
        assert found.next_at is not None
        pauses.append(round((found.next_at - timezone.now()).total_seconds()))
    assert pauses == [1, 5, 15, 60]
    area().put(transfer.key, b"x")
    Transfer.objects.filter(pk=transfer.pk).update(next_at=timezone.now())
    arrivals.sweep()
    assert near.fresh(transfer).state == TransferState.QUEUED


def test_a_store_that_is_away_is_asked_later(
    near: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = requests.request_upload(near.person, near.account, str(tmp_path), "x")

    def away(*_: Any, **__: Any) -> Any:
        raise StoreUnreachable("The store does not answer: no route to host")

    monkeypatch.setattr(type(area()), "stat", away)
    Transfer.objects.filter(pk=transfer.pk).update(next_at=timezone.now())
    arrivals.sweep()
    assert near.fresh(transfer).state == TransferState.AWAITING
    monkeypatch.setattr(type(area()), "upload_form", away)
    with pytest.raises(Unavailable, match="no route to host"):
        requests.request_upload(near.person, near.account, str(tmp_path), "x")
    assert Transfer.objects.count() == 1


def test_what_cannot_be_meant_is_refused_at_once(near: Desk, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    def upload(target: str, name: str = "x", **fields: Any) -> Transfer:
        return requests.request_upload(near.person, near.account, target, name, **fields)

    with pytest.raises(ParentMissing):
        upload(f"{tmp_path}/gone/x")
    with pytest.raises(IsADirectory):
        upload(str(tmp_path), "folder")
    with pytest.raises(ValueError, match="name"):
        upload(str(tmp_path), "..")
    with pytest.raises(ValueError, match="size"):
        upload(str(tmp_path), manner=Manner.PARTS)
    with pytest.raises(FileMissing):
        requests.request_download(near.person, near.account, f"{tmp_path}/gone")
    with pytest.raises(IsADirectory):
        requests.request_download(near.person, near.account, str(tmp_path))
    assert not Transfer.objects.exists()


def test_limits_are_kept(near: Desk, tmp_path: Path, settings: Any) -> None:
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"max_size_mb": 1, "open_transfers": 2}
    with pytest.raises(TooLarge, match="1048576"):
        requests.request_upload(near.person, near.account, str(tmp_path), "x", size=MIB + 1)
    (tmp_path / "big").write_bytes(b"x" * (MIB + 1))
    with pytest.raises(TooLarge):
        requests.request_download(near.person, near.account, f"{tmp_path}/big")
    for _ in range(2):
        last = requests.request_upload(near.person, near.account, str(tmp_path), "x")
    assert last.limit == MIB
    with pytest.raises(Conflict, match="2 open"):
        requests.request_upload(near.person, near.account, str(tmp_path), "x")
    requests.cancel(last, user=near.person)
    requests.request_upload(near.person, near.account, str(tmp_path), "x")


def test_a_file_that_grew_over_the_limit_is_told(near: Desk, tmp_path: Path, settings: Any) -> None:
    (tmp_path / "log").write_bytes(b"x")
    transfer = near.download(tmp_path / "log")
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"max_size_mb": 1}
    (tmp_path / "log").write_bytes(b"x" * (MIB + 1))
    failed = near.work(transfer)
    assert failed.state == TransferState.FAILED and "at most 1048576" in failed.error
    assert failed.api_task is not None and failed.api_task.status == TaskStatus.STORE_ERROR


def test_a_person_sees_his_own_only(near: Desk, tmp_path: Path) -> None:
    transfer = near.upload(tmp_path, b"x")
    assert list(requests.visible(near.person)) == [transfer]
    assert not requests.visible(make_user()).exists()
    assert not requests.visible(make_user(staff=True)).exists()


def test_a_cancelled_upload_takes_nothing_any_more(near: Desk, tmp_path: Path) -> None:
    transfer = requests.request_upload(
        near.person, near.account, str(tmp_path), "x", with_task=True
    )
    requests.cancel(transfer, user=near.person)
    with pytest.raises(Conflict, match="cancelled"):
        requests.cancel(transfer, user=near.person)
    ended(near.work(transfer), TransferState.CANCELLED)
    store = local_area()
    assert store is not None
    with pytest.raises(ObjectMissing):
        store.check_form(transfer.form["fields"])
    with pytest.raises(ObjectMissing):
        store.put(transfer.key, b"late")
    assert near.fresh(transfer).state == TransferState.CANCELLED


@pytest.mark.parametrize("state", list(TransferState))
def test_a_link_can_be_taken_back_from_any_state(
    near: Desk, tmp_path: Path, state: TransferState
) -> None:
    transfer = near.upload(tmp_path, b"x")
    Transfer.objects.filter(pk=transfer.pk).update(state=state)
    for _ in range(2):
        requests.invalidate(transfer, user=near.person)
    found = near.fresh(transfer)
    assert found.state == TransferState.INVALID
    assert area().stat(transfer.key) is None


def test_only_what_failed_is_tried_again_and_only_while_it_is_there(
    near: Desk, tmp_path: Path
) -> None:
    transfer = near.upload(tmp_path, b"x")
    with pytest.raises(Conflict, match="Only a failed"):
        requests.retry(transfer, user=near.person)
    (tmp_path / "sent.bin").mkdir()
    failed = near.work(transfer)
    assert failed.state == TransferState.FAILED and "directory" in failed.error
    area().revoke(transfer.key)
    with pytest.raises(Conflict, match="send it again"):
        requests.retry(failed, user=near.person)


def test_what_nobody_sent_or_fetched_expires(near: Desk, tmp_path: Path) -> None:
    (tmp_path / "result").write_bytes(b"result")
    never = requests.request_upload(near.person, near.account, str(tmp_path), "x", with_task=True)
    ready = near.work(near.download(tmp_path / "result"))
    assert ready.state == TransferState.READY
    tidying.sweep()
    assert {near.fresh(never).state, near.fresh(ready).state} == {"awaiting", "ready"}
    for transfer in (never, ready):
        make_late(transfer)
    tidying.sweep()
    for transfer in (never, ready):
        expired = near.work(transfer)
        assert (expired.state, expired.leftovers) == (TransferState.EXPIRED, False)
    assert near.fresh(never).error == "The file was not sent in time."
    assert area().stat(ready.key) is None


def test_objects_without_a_transfer_are_removed_and_others_are_not(
    near: Desk, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = near.upload(tmp_path, b"x")
    area().put("0123/stray", b"stray")
    upload = area().begin_parts("0123/unfinished", 5 * MIB)
    assert tidying.sweep_area() == 0
    later = timezone.now() + timedelta(days=9)
    monkeypatch.setattr(
        "pipeline_management.services.transfers.tidying.timezone.now", lambda: later
    )
    assert tidying.sweep_area() == 2
    assert area().stat("0123/stray") is None and area().stat(kept.key) is not None
    with pytest.raises(ObjectMissing):
        area().parts("0123/unfinished", upload)


def test_one_account_moves_no_more_than_two_at_once(near: Desk, tmp_path: Path) -> None:
    made = [near.upload(tmp_path, b"x", name=f"f{n}") for n in range(3)]
    other = Desk(near.person, make_account(make_system())).upload(tmp_path, b"x", name="other")
    taken = [work.take("me"), work.take("me"), work.take("me"), work.take("me")]
    assert [one.pk if one else None for one in taken] == [made[0].pk, made[1].pk, other.pk, None]
    assert taken[0] is not None and taken[0].fence == 1


def test_the_route_is_known_without_asking_where_there_is_no_choice(
    near: Desk, settings: Any
) -> None:
    system = near.account.system
    found = routes.known_route(system)
    assert found is not None and found.route == Route.THROUGH and "Centro keeps" in found.reason
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"kind": "s3", "route": "direct"}
    found = routes.known_route(system)
    assert found is not None and found.route == Route.DIRECT
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"route": "auto"}
    assert routes.known_route(system) is None
    routes.distrust(system, "curl: no route to host")
    found = routes.known_route(system)
    assert found is not None and found.route == Route.THROUGH
    StoreRoute.objects.update(probed_at=timezone.now() - routes.KEPT_AFTER_FAILURE)
    assert routes.known_route(system) is None


def test_parts_come_in_any_order_and_the_upload_goes_on(near: Desk, tmp_path: Path) -> None:
    size = 40 * MIB
    transfer = requests.request_upload(
        near.person, near.account, str(tmp_path), "big", size=size, manner=Manner.PARTS
    )
    assert (parts.count(transfer), parts.there(transfer)) == (3, [])
    links = parts.links(transfer, [3, 1])
    assert [(link.number, link.offset, link.size) for link in links] == [
        (3, 32 * MIB, 8 * MIB),
        (1, 0, 16 * MIB),
    ]
    for wrong in ([0], [4], [1] * 101):
        with pytest.raises(InvalidRequest, match="1 to 3"):
            parts.links(transfer, wrong)
    store = area()
    for number in (3, 1):
        part = parts.size_of(transfer, number)
        with store.part_writer(transfer.key, transfer.upload_id, number, part) as sink:
            sink.write(bytes([number]) * part)
    with pytest.raises(Conflict, match="Part 2 of 3"):
        parts.finish(transfer)
    assert [part.number for part in parts.there(transfer)] == [1, 3]
    with store.part_writer(transfer.key, transfer.upload_id, 2, 16 * MIB) as sink:
        sink.write(bytes([2]) * 16 * MIB)
    parts.finish(transfer)
    parts.finish(transfer)
    with pytest.raises(Conflict, match="does not wait"):
        parts.links(transfer, [1])
    ended(near.work(transfer), TransferState.DONE)
    content = (tmp_path / "big").read_bytes()
    assert len(content) == size and content[16 * MIB - 1 : 16 * MIB + 1] == b"\x01\x02"
