"""A person with a running run, and scenarios played in an event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # at import time Django is not set up
    from django.contrib.auth.models import User

    from pipeline_management.models import Run
    from tests.websockets.clients import Scenario


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plays a scenario; see `play`."""
    from tests.websockets.clients import play

    def go(scenario: Scenario, **options: Any) -> None:
        play(scenario, monkeypatch, **options)

    return go


@pytest.fixture
def alice(transactional_db: None) -> User:
    from tests.factories import make_user

    return make_user("alice")


@pytest.fixture
def run(alice: User) -> Run:
    from accounts.models import Role
    from pipeline_management.choices import RunState
    from tests.factories import make_lab, make_run

    lab = make_lab("lab-a", alice=Role.SUBMITTER)
    return make_run(lab=lab, submitter=alice, state=RunState.RUNNING)
