"""A run again: resubmitted, edited, resumed, and what is other than before."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from pipeline_management.choices import Desired, OriginKind, RunSource, RunState
from pipeline_management.errors import Conflict, InvalidRequest, NotAllowed
from pipeline_management.models import AuditEvent, Run
from pipeline_management.services.control import again
from pipeline_management.services.control.difference import MOST, Kind, differences
from pipeline_management.services.engines.shell import ShellEngine
from pipeline_management.services.intake import Origin, create_run, prepare
from tests.factories import make_job, make_user
from tests.pipeline_management.intake.small_site import Site


def first(site: Site, **changes: Any) -> Run:
    prepared = prepare(user=site.alice, document={"pipeline": "hello", "name": "x", **changes})
    return create_run(user=site.alice, prepared=prepared, source=RunSource.API)[0]


def ended(site: Site, state: RunState = RunState.FAILED) -> Run:
    run = first(site)
    ago = timezone.now() - timedelta(minutes=5)
    Run.objects.filter(pk=run.pk).update(
        state=state, started_at=ago, ended_at=ago, created_at=ago, next_at=None
    )
    run.refresh_from_db()
    return run


@pytest.fixture
def resumable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShellEngine, "can_resume", True)


def resume(site: Site, run: Run, key: str | None = None) -> tuple[Run, bool]:
    return again.resume(run=run, user=site.alice, source=RunSource.API, idempotency_key=key)


def test_the_same_again(site: Site) -> None:
    run = ended(site)
    new, created = again.resubmit(run=run, user=site.alice, source=RunSource.API)
    assert created and new.pk != run.pk
    assert (new.origin, new.origin_kind) == (run, OriginKind.RESUBMIT)
    assert new.configuration_sha256 == run.configuration_sha256
    assert (new.version, new.lab, new.system) == (run.version, run.lab, run.system)
    assert new.works_in == new.directory != run.directory
    assert list(run.successors.all()) == [new]
    assert new.events.get(seq=1).data["origin"] == str(run.pk)
    assert AuditEvent.objects.get(target=str(new.pk)).data["origin"] == str(run.pk)


def test_a_key_makes_one_run_of_one_origin(site: Site) -> None:
    run, other = ended(site), ended(site)
    new, created = again.resubmit(
        run=run, user=site.alice, source=RunSource.API, idempotency_key="k"
    )
    same, again_created = again.resubmit(
        run=run, user=site.alice, source=RunSource.API, idempotency_key="k"
    )
    assert (created, again_created, same) == (True, False, new)
    with pytest.raises(Conflict, match="already used"):
        again.resubmit(run=other, user=site.alice, source=RunSource.API, idempotency_key="k")


def test_a_version_that_is_gone_is_a_problem(site: Site) -> None:
    run = ended(site)
    assert run.version is not None
    run.version.all_labs = False
    run.version.save()
    run.version.labs.clear()
    with pytest.raises((InvalidRequest, NotAllowed)):
        again.resubmit(run=run, user=site.alice, source=RunSource.API)
    assert run.successors.count() == 0


def test_a_held_configuration_is_held_again(site: Site) -> None:
    new, _ = again.resubmit(run=first(site, holdConfig=True), user=site.alice, source=RunSource.API)
    assert (new.desired, new.next_at, new.is_held) == (Desired.HOLD, None, True)


@pytest.mark.parametrize("value", ["yes", 1, None, [True]])
def test_hold_config_is_true_or_false(site: Site, value: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        first(site, holdConfig=value)
    assert ("/holdConfig", "type") in [(p.pointer, p.code) for p in refused.value.problems]


def test_job_scripts_and_strangers(site: Site) -> None:
    with pytest.raises(Conflict, match="job script"):
        again.resubmit(run=make_job(), user=make_user(staff=True), source=RunSource.PAGE)
    with pytest.raises(NotAllowed):
        again.resubmit(run=ended(site), user=make_user(), source=RunSource.PAGE)


def test_resume_goes_on_in_the_same_directory(site: Site, resumable: None) -> None:
    run = ended(site)
    assert again.why_no_resume(run) == ""
    new, _ = resume(site, run, "key")
    assert (new.origin_kind, new.works_in) == (OriginKind.RESUME, run.directory)
    assert new.directory != run.directory
    assert resume(site, run, "key") == (new, False)
    with pytest.raises(Conflict, match=f"{new.pk} has gone on"):
        resume(site, run)
    Run.objects.filter(pk=new.pk).update(state=RunState.CANCELLED, started_at=timezone.now())
    new.refresh_from_db()
    assert "has gone on" in again.why_no_resume(run)
    third, _ = resume(site, new)
    assert (third.origin, third.works_in) == (new, run.directory)


def test_a_resubmission_takes_no_directory(site: Site, resumable: None) -> None:
    run = ended(site)
    again.resubmit(run=run, user=site.alice, source=RunSource.API)
    assert again.why_no_resume(run) == ""


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": RunState.RUNNING}, "not over yet"),
        ({"state": RunState.SUCCEEDED}, "has succeeded"),
        ({"started_at": None}, "never started"),
    ],
)
def test_what_cannot_be_resumed(
    site: Site, resumable: None, fields: dict[str, Any], why: str
) -> None:
    run = ended(site)
    Run.objects.filter(pk=run.pk).update(**fields)
    run.refresh_from_db()
    assert why in again.why_no_resume(run)
    with pytest.raises(Conflict, match=why):
        resume(site, run)
    assert run.successors.count() == 0


def test_a_plain_script_is_not_resumed(site: Site) -> None:
    with pytest.raises(Conflict, match="submit the run again"):
        resume(site, ended(site))


def test_only_the_same_cluster_user_resumes(site: Site, resumable: None) -> None:
    run = ended(site)
    other = run.account
    other.pk, other.username, other.user = None, "somebody", make_user()
    other.save()
    Run.objects.filter(pk=run.pk).update(account=other)
    run = Run.objects.get(pk=run.pk)
    with pytest.raises(NotAllowed, match="cluster user somebody"):
        resume(site, run)


def test_an_edited_run_names_its_origin(site: Site) -> None:
    run = ended(site)
    prepared = prepare(
        user=site.alice,
        document={"pipeline": "hello", "name": "y"},
        origin=Origin(run, OriginKind.EDIT),
    )
    new, _ = create_run(user=site.alice, prepared=prepared, source=RunSource.PAGE)
    assert (new.origin, new.origin_kind, new.lab) == (run, OriginKind.EDIT, run.lab)


def test_differences_by_pointer() -> None:
    old = {
        "a": 1,
        "b": {"x/y": [1, 2, 3], "~": None},
        "gone": "g",
        "t": True,
        "same": {"p": 1, "q": 2},
    }
    new = {
        "same": {"q": 2, "p": 1},
        "a": 2,
        "b": {"x/y": [0, 1, 2, 3], "~": []},
        "t": 1,
        "new": {"k": []},
    }
    found = [(d.pointer, d.kind, d.before, d.after) for d in differences(old, new)]
    assert found == [
        ("/a", Kind.CHANGED, "1", "2"),
        ("/b/x~1y/0", Kind.ADDED, "", "0"),
        ("/b/~0", Kind.CHANGED, "null", "[]"),
        ("/gone", Kind.REMOVED, '"g"', ""),
        ("/t", Kind.CHANGED, "true", "1"),
        ("/new", Kind.ADDED, "", '{"k": []}'),
    ]


def test_a_changed_row_in_a_list_of_objects_is_shown_alone() -> None:
    old = {"rows": [{"n": n, "v": "x"} for n in range(50)]}
    new = {"rows": [{"n": n, "v": "y" if n == 30 else "x"} for n in range(50) if n != 10]}
    found = [(d.pointer, d.kind) for d in differences(old, new)]
    assert found == [("/rows/10", Kind.REMOVED), ("/rows/29/v", Kind.CHANGED)]


def test_differences_are_bounded() -> None:
    old, new = {"l": list(range(5000))}, {"l": list(range(1, 5001))}
    assert len(differences(old, new)) == MOST


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_json, _json)
def test_no_difference_means_the_same(old: object, new: object) -> None:
    same = json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)
    assert (differences(old, new) == []) is same
