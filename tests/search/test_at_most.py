"""What a search knows of the number of its runs."""

from __future__ import annotations

import pytest
from django.db.models import Q

from pipeline_management.models import Run, RunLabel, RunWord
from pipeline_management.rows_in_time import about
from pipeline_management.search import apply, meaning, parse
from pipeline_management.search.meaning import Fits
from tests import factories

pytestmark = pytest.mark.django_db
A, B, UNKNOWN = Fits.those(Q(name="a"), 3), Fits.those(Q(name="b"), 5), Q(name="c")


@pytest.mark.parametrize(
    ("joined", "at_most"),
    [(A & B, 3), (A | B, 8), (A & UNKNOWN, 3), (A | UNKNOWN, None), ((A | B) & A, 3)],
)
def test_conditions_joined(joined: Fits, at_most: int | None) -> None:
    assert joined.at_most == at_most


@pytest.mark.parametrize(
    ("text", "at_most", "number"),
    [
        ("trio", 3, 3),
        ("trio label:odd", 1, 1),
        ("trio state:failed", 3, 0),
        ("label:odd", 1, 1),
        ("state:queued", None, 4),
        ("state:queued -trio", None, 1),
        ("nothinglikethis", 0, 0),
    ],
)
@pytest.mark.parametrize("few", [400, 1])
def test_searches(
    text: str, at_most: int | None, number: int, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("trio 1", "trio 2", "trio 3", "panel"):
        run = factories.make_run(name=name)
    labelled = run if text == "label:odd" else Run.objects.get(name="trio 1")
    RunLabel.objects.create(run=labelled, name="odd")
    monkeypatch.setattr(meaning, "FEW", few)
    found = apply(Run.objects.all(), parse(text), run.submitter)
    many = few == 1 and "trio" in text.split()
    expected = None if many and at_most == 3 else at_most
    for runs in (found, found.filter(state="queued").order_by("pk")):
        assert (runs.at_most, runs.hits is not None) == (expected, many)
    assert found.count() == number


def test_of_very_many_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        factories.make_run(name=f"trio {number}")
    monkeypatch.setattr(meaning, "FEW", 1)
    monkeypatch.setattr(meaning, "MANY_WORDS", 0)
    found = Run.objects.all().mentioning("trio")
    assert (found.at_most, found.hits, found.count()) == (None, None, 3)


def test_a_guess_is_near_the_number() -> None:
    for number in range(30):
        factories.make_run(name=f"trio {number}")
    rows = RunWord.objects.filter(word__istartswith="trio")
    assert about(rows, 100) in range(15, 61)
    assert about(rows.filter(word="nowhere"), 100) <= 1
