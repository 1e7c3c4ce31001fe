"""What is other in one run than in another."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_management.models import RunTask, RunUsage
from pipeline_management.services import compare
from pipeline_management.services.control.difference import MOST, Kind, differences
from tests.factories import make_lab, make_run, make_version

KEYS = st.text("ab/~é", max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, width=16) | st.text("xy", max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def place(document: Any, pointer: str) -> tuple[Any, Any]:
    """What holds the value at a pointer, and under which key or number."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    holder = document
    for part in parts[:-1]:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    return holder, int(parts[-1]) if isinstance(holder, list) else parts[-1]


def text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # says how busy the machine is
@given(JSON, JSON)
def test_what_was_added_removed_and_changed_leads_from_one_to_the_other(old: Any, new: Any) -> None:
    found = differences(old, new)
    assert (found == []) is (text(old) == text(new))
    left, right = {"": copy.deepcopy(old)}, {"": copy.deepcopy(new)}
    for one in found:
        if one.kind is Kind.CHANGED:
            holder, key = place(right, "/" + one.pointer)
            assert text(holder[key]) == text(json.loads(one.after))
            holder[key] = json.loads(one.before)
    # the last first, so that numbers before it stay true
    for one in reversed(found):
        if one.kind is not Kind.CHANGED:
            added = one.kind is Kind.ADDED
            holder, key = place(right if added else left, "/" + one.pointer)
            assert text(holder[key]) == text(json.loads(one.after if added else one.before))
            del holder[key]
    assert text(left) == text(right)


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # says how busy the machine is
@given(JSON, JSON)
def test_the_other_way_round_it_is_the_same_in_number(old: Any, new: Any) -> None:
    there, back = differences(old, new, {"": ("a",)}), differences(new, old, {"": ("a",)})
    assert sum(one.kind is Kind.ADDED for one in there) == sum(
        one.kind is Kind.REMOVED for one in back
    )
    assert [one for one in differences(old, old)] == []


ROWS = [{"fastq": "/a", "lane": 1}, {"fastq": "/b", "lane": 2}, {"fastq": "/c", "lane": 3}]


def test_rows_are_told_by_their_columns() -> None:
    new = [{"fastq": "/c", "lane": 3}, {"fastq": "/a", "lane": 7}, {"fastq": "/d", "lane": 4}]
    found = differences({"rows": ROWS}, {"rows": new}, {"/rows": ("fastq",)})
    assert [(one.pointer, one.kind, one.row) for one in found] == [
        ("/rows/1/lane", Kind.CHANGED, "fastq /a"),
        ("/rows/1", Kind.REMOVED, "fastq /b"),
        ("/rows/2", Kind.ADDED, "fastq /d"),
    ]
    moved = {"rows": list(reversed(ROWS))}
    assert differences({"rows": ROWS}, moved, {"/rows": ("fastq",)}) == []
    assert differences({"rows": ROWS}, moved) != []


@pytest.mark.parametrize(
    "rows", [[*ROWS, ROWS[0]], [{"lane": 1}], ["/a"], [{"fastq": None}, {"fastq": None}]]
)
def test_rows_that_their_columns_do_not_tell_apart_go_by_position(rows: list[Any]) -> None:
    found = differences({"rows": ROWS}, {"rows": rows}, {"/rows": ("fastq",)})
    assert found
    assert all(one.row == "" for one in found)


def test_only_so_many_are_listed() -> None:
    assert len(differences({}, {str(n): n for n in range(MOST + 50)})) == MOST


RULES = [
    {"rule": "unique", "rows": "rows", "columns": ["fastq"]},
    {"rule": "unique", "rows": "other", "columns": ["x"], "when": {"y": "z"}},
]


@pytest.mark.django_db
def test_two_runs_beside_each_other() -> None:
    now = timezone.now()
    old = make_version("align", "1.0", script="#!/bin/sh\none\ntwo\n", rules=RULES)
    new = make_version(
        "align", "1.1", script="#!/bin/sh\none\n2\n", rules=RULES, resources={"cpus": 2}
    )
    lab = make_lab("genomics")
    a = make_run(lab=lab, version=old, configuration={"rows": ROWS}, started_at=now, ended_at=now)
    b = make_run(
        lab=lab, version=new, configuration={"rows": ROWS[::-1]}, started_at=now,
        ended_at=now + timedelta(seconds=90),
    )  # fmt: skip
    for run, times in ((a, {"x": 10, "gone": 5, "same": 3}), (b, {"x": 100, "new": 5, "same": 3})):
        for name, seconds in times.items():
            RunTask.objects.create(
                run=run, name=name, key=name, state="complete", started_at=now,
                ended_at=now + timedelta(seconds=seconds), reported_at=now,
            )  # fmt: skip
        run.tasks_total = 3
        run.save()
    RunUsage.objects.create(run=b, cpus=4, memory_mb=16384, max_memory_mb=2150)
    found = compare.compare(a, b)
    assert found.configuration == [], "the rule tells the rows apart, and they have only moved"
    assert compare.row_keys(new) == {"/rows": ("fastq",)}
    assert found.same_pipeline and not found.same_content
    assert "-two" in found.script and "+2" in found.script
    assert [part for part, _changes in found.content] == ["resources"]
    assert [(pair.name, pair.slower) for pair in found.tasks.pairs] == [
        ("new", None), ("gone", None), ("x", 90.0), ("same", 0.0),
    ]  # fmt: skip
    assert (found.tasks.total, found.tasks.only_before, found.tasks.only_after) == (4, 1, 1)
    facts = {fact.name: fact for fact in found.facts}
    assert facts["version"].differs and not facts["lab"].differs
    assert (facts["duration"].before, facts["duration"].after) == ("0 s", "1 min 30 s")
    usage = {fact.name: (fact.before, fact.after) for fact in found.usage}
    assert usage["max_memory_mb"] == (None, "2.1 GB")
    assert "gpu_seconds" not in usage


@pytest.mark.django_db
def test_a_run_is_compared_with_its_origin_and_with_the_one_of_its_name_before() -> None:
    lab = make_lab("genomics", ann="submitter", eve="manager")
    other = make_lab("imaging")
    version = make_version("align")
    common: dict[str, Any] = {"lab": lab, "version": version, "name": "NA12878"}
    origin = make_run(configuration={"n": 1}, **common)
    between = make_run(configuration={"n": 2}, **common)
    make_run(configuration={"n": 9}, **(common | {"lab": other}))
    run = make_run(configuration={"n": 3}, origin=origin, origin_kind="edit", **common)
    ann = lab.memberships.get(user__username="ann").user
    found = compare.with_earlier(run, ann)
    assert [(one.why, one.run.pk) for one in found] == [
        ("origin", origin.pk),
        ("project", between.pk),
    ]
    assert [one.differences[0].before for one in found] == ["1", "2"]
    assert compare.with_earlier(origin, ann) == []
