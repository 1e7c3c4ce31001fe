"""Hints: sent after commit, one for many, and again once somebody has heard."""

from __future__ import annotations

import pytest
from django.db import transaction

from pipeline_management.services import dispatch, submission
from pipeline_management.tasks.runs import submit_due

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The accounts that were rung for."""
    sent: list[int] = []
    monkeypatch.setattr(dispatch, "ring", lambda task, account_id: sent.append(account_id))
    return sent


def post(account_id: int) -> None:
    with transaction.atomic():
        dispatch.ring_on_commit(dispatch.SUBMIT, account_id)


def test_many_commits_ring_once_until_heard(rung: list[int]) -> None:
    for _ in range(5):
        post(1)
    assert rung == [1]
    dispatch.heard(dispatch.SUBMIT, 1)
    post(1)
    assert rung == [1, 1]


def test_accounts_and_kinds_ring_for_themselves(rung: list[int]) -> None:
    post(1)
    post(2)
    with transaction.atomic():
        dispatch.ring_on_commit(dispatch.CANCEL, 1)
    assert rung == [1, 2, 1]


def test_nothing_rings_for_what_was_rolled_back(rung: list[int]) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        dispatch.ring_on_commit(dispatch.SUBMIT, 1)
        raise RuntimeError
    assert rung == []
    post(1)
    assert rung == [1]


def test_what_is_committed_during_the_look_rings_again(
    rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task marks the hint as heard before it looks for work, not after."""
    monkeypatch.setattr(submission, "submit_due", post)
    post(1)
    submit_due(1)
    assert rung == [1, 1]


def test_a_hint_that_nobody_heard_holds_others_back_for_seconds_only(
    rung: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[float] = []
    monkeypatch.setattr(dispatch.cache, "add", lambda key, value, timeout: kept.append(timeout) or True)
    post(1)
    assert kept == [dispatch.UNHEARD_SECONDS]
    assert dispatch.UNHEARD_SECONDS <= 5  # the interval of the sweep
