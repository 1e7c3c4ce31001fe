"""The newest of the runs that a word finds are found by way of the words, and no other comes into the list."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from pipeline_management import run_sequences
from pipeline_management.models import Run, RunLabel, RunWord
from pipeline_management.querysets import RunQuerySet
from pipeline_management.run_sequences import ActiveFirst, by_time
from pipeline_management.search import apply, meaning, parse
from pipeline_management.services import exports, grouping, words
from pipeline_management.tables import BoundedPaginator, table_data
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> RunQuerySet:
    """Twelve of which every other is a trio; the run made last is the oldest."""
    monkeypatch.setattr(meaning, "FEW", 1)
    monkeypatch.setattr(run_sequences, "SORTED_HERE", 0)
    now = timezone.now()
    for number in range(12):
        run = factories.make_run(
            name=("trio" if number % 2 else "panel") + f" {number}",
            state="running" if number == 5 else "failed",
            cause="TIMEOUT",
        )
        RunLabel.objects.create(run=run, name="odd")
        created_at = now - timedelta(minutes=number)
        Run.objects.filter(pk=run.pk).update(created_at=created_at)
        RunWord.objects.filter(run=run).update(created_at=created_at)
    return Run.objects.all()


def names(runs: list[Run]) -> list[str]:
    return [run.name for run in runs]


TRIOS = [f"trio {number}" for number in (1, 3, 5, 7, 9, 11)]


def test_a_word_knows_the_time_of_its_run() -> None:
    run = factories.make_run(name="trio", reason_text="disk quota")
    words.index_reasons({run.pk: "disk quota"})
    times = RunWord.objects.filter(run=run).values_list("created_at", flat=True)
    assert set(times) == {Run.objects.get(pk=run.pk).created_at}
    assert len(times) == 3


@pytest.mark.parametrize("latest", [1000, 8, 2])
@pytest.mark.parametrize("needed", [1, 3, 6, 50])
def test_the_same_are_found_by_way_of_the_newest_words(
    runs: RunQuerySet, latest: int, needed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_sequences, "LATEST_HITS", latest)
    found = runs.mentioning("trio")
    assert found.hits is not None
    rows, count = by_time(found, "name", needed=needed, limit=100)
    assert [row[2] for row in rows][:needed] == TRIOS[:needed]
    assert len(rows) == count.number
    if count.is_all:
        assert count.number == 6
    oldest, _count = by_time(found, "name", needed=needed, limit=100, oldest_first=True)
    assert [row[2] for row in oldest][:needed] == TRIOS[::-1][:needed]


@pytest.mark.parametrize("latest", [1000, 8, 2])
def test_every_page_of_the_list(
    runs: RunQuerySet, latest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_sequences, "LATEST_HITS", latest)
    seen: list[Run] = []
    for number in (1, 2, 3):
        rows = ActiveFirst(runs.mentioning("trio"))
        page = BoundedPaginator(rows, 2, number).get_page(number)
        seen += list(page)
        assert page.has_next() == (number < 3)
    assert names(seen) == ["trio 5", *(name for name in TRIOS if name != "trio 5")]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("trio", 6), ("trio panel", 0), ("trio 3", 1), ("trio label:odd", 6), ("trio state:running", 1),
        ("-trio", 6), ("trio -label:odd", 0), ("trio user:nobody", 0),
    ],
)  # fmt: skip
def test_searches_by_way_of_their_words(runs: RunQuerySet, text: str, number: int) -> None:
    viewer = runs[0].submitter
    found = apply(runs, parse(text), viewer)
    assert found.count() == found.by_hits().count() == number
    assert len(list(ActiveFirst(found)[:])) == number
    assert len(table_data(found, ["name"])[:]) == number


def test_exports_and_causes_are_of_the_same_runs(runs: RunQuerySet) -> None:
    found = runs.mentioning("trio")
    assert [row["name"] for row in exports.run_rows(found)] == TRIOS
    (group,) = grouping.by_cause(found)
    assert (group.cause, group.count) == ("TIMEOUT", 5)


def test_a_word_or_a_job_has_no_words_that_name_all(runs: RunQuerySet) -> None:
    Run.objects.filter(name="panel 2").update(job_id="trio")
    found = runs.mentioning("trio")
    assert found.hits is None
    assert found.count() == 7
    rows, _count = by_time(found, "name", needed=50, limit=100)
    assert [row[2] for row in rows] == ["trio 1", "panel 2", *TRIOS[1:]]
