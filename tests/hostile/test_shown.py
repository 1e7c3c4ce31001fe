"""Every address shows the hostile world, and nothing of it does anything."""

from __future__ import annotations

import json

import pytest
from django.apps import apps
from django.test import Client

from tests.hostile.addresses import paths_of, shown, statuses
from tests.hostile.fields import OURS, columns
from tests.hostile.judging import judge
from tests.hostile.values import VALUES
from tests.hostile.world import World, untouched

pytestmark = pytest.mark.xdist_group("hostile")


def test_the_table_has_no_column_that_is_none() -> None:
    assert set(OURS) <= set(columns())
    assert len(VALUES) == 50


def test_every_column_that_others_fill_holds_hostile_values(world: World) -> None:
    for label in ("accounts", "auth", "pipeline_management"):
        for model in apps.get_app_config(label).get_models():
            assert untouched(model) == []


@pytest.mark.parametrize("name", shown())
def test_every_page_shows_it_harmlessly(world: World, name: str) -> None:
    client = Client(raise_request_exception=True)
    client.force_login(world.administrator)
    visited = 0
    for path in paths_of(shown()[name], world):
        answer = client.get(path, secure=False)
        where = f"{name} {path}"
        assert answer.resolver_match.view_name == name or "(" in name, where
        if answer.streaming:
            body = b"".join(answer.streaming_content)
            assert answer.status_code == 200 and body, where
        elif answer["Content-Type"].startswith("application/json"):
            assert answer.status_code in statuses(name), f"{where}: {answer.content[:300]!r}"
            json.loads(answer.content)
        elif answer["Content-Type"].startswith("text/"):
            judge(answer, where, *statuses(name))
        assert answer["X-Content-Type-Options"] == "nosniff", where
        visited += 1
    assert visited


def test_people_with_hostile_names_see_their_pages(world: World) -> None:
    for number in range(0, 50, 5):
        client = Client()
        client.force_login(world.people[number])
        run = world.runs[number // 5]
        for path in ("/", f"/runs/{run.pk}/", "/notifications/"):
            judge(client.get(path), f"{number} {path}")
