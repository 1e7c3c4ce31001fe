"""The dashboard shows the first runs that need a person and leads to the rest of them."""

from __future__ import annotations

import pytest
from django.utils import timezone

from pipeline_management.choices import Attention, RunState
from tests.pages.site import Site

pytestmark = pytest.mark.django_db


def page(site: Site) -> str:
    return site.client("viewer").get("/").content.decode()


def test_eight_are_shown_and_the_rest_is_one_link_away(site: Site) -> None:
    for number in range(8):
        site.run(state=RunState.SUBMITTED, attention=Attention.CLUSTER_DOWN, name=f"stuck {number}")
    assert 'id="attention-more"' not in page(site)
    site.run(state=RunState.FAILED, finished_at=timezone.now(), name="failed")
    text = page(site)
    assert "The first 8 of 9" in text
    assert "?state=failed&amp;created_after=" in text.split('id="attention-more"')[1].split("</p>")[0]
    site.run(state=RunState.SUBMITTED, attention=Attention.CLUSTER_DOWN, name="stuck too")
    assert "?attention=on" in page(site).split('id="attention-more"')[1].split("</p>")[0]
