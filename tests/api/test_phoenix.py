"""Defective Phoenix configurations posted with curl's header: refused in words that help, and no run comes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline_management.models import Run
from tests.api.site import Site
from tests.api.test_new_run import post
from tests.factories import make_version
from tests.pipeline_management.check import phoenix
from tests.pipeline_management.check.test_phoenix import ERRORS, Damage

pytestmark = pytest.mark.django_db


@pytest.fixture
def posted(site: Site) -> Any:
    given = phoenix.version()
    make_version(
        "phoenix",
        given.version,
        system=site.account.system,
        schema=given.schema,
        rules=given.rules,
        script="#!/bin/sh\n",
    )

    def post_it(document: dict[str, Any]) -> Any:
        return post(site.client(site.submitter), json.dumps(document, indent=2))

    return post_it


def test_the_example_as_it_is_becomes_a_run(site: Site, posted: Any) -> None:
    answer = posted(phoenix.example() | {"pipeline": "phoenix"})
    assert answer.status_code == 201, answer.content
    assert Run.objects.exclude(pk=site.run.pk).count() == 1


@pytest.mark.parametrize(
    ("damage", "sentences"), [(one[1], one[3]) for one in ERRORS], ids=[one[0] for one in ERRORS]
)
def test_each_defect_is_refused_with_its_sentence(
    site: Site, posted: Any, damage: Damage, sentences: list[str]
) -> None:
    document = phoenix.example() | {"pipeline": "phoenix"}
    damage(document)
    answer = posted(document)
    assert answer.status_code == 400
    said = [error["message"] for error in answer.json()["errors"]]
    assert len(said) == len(sentences)
    for sentence, text in zip(sentences, said, strict=True):
        assert sentence in text
    assert not Run.objects.exclude(pk=site.run.pk).exists()
