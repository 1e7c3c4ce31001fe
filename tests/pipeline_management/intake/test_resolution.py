"""Who may run what, where, in whose name; each refusal says what is expected, and tells strangers nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from accounts.models import Lab, Membership, Role
from pipeline_management.errors import InvalidRequest, NotAllowed, Problem
from pipeline_management.models import PipelineSystem, PipelineVersion, System, SystemAccount
from pipeline_management.services.intake import PreparedRun, prepare
from tests.pipeline_management.intake.small_site import Site, make_version

GOOD = {"pipeline": "hello", "name": "x"}


def problems(user: User, document: dict[str, Any], **more: Any) -> list[Problem]:
    with pytest.raises(InvalidRequest) as caught:
        prepare(user=user, document=document, **more)
    return caught.value.problems


def ready(user: User, **changes: Any) -> PreparedRun:
    document = {key: value for key, value in (GOOD | changes).items() if value is not None}
    return prepare(user=user, document=document)


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        ("hello", "1.1"),
        ("hello@latest", "1.1"),
        ("hello@development", "2.0b"),
        ("hello@1.0", "1.0"),
        ("hello@2.0b", "2.0b"),
    ],
)
def test_references(site: Site, reference: str, version: str) -> None:
    prepared = ready(site.alice, pipeline=reference)
    assert prepared.version == site.versions[version]
    assert prepared.reference == reference


@pytest.mark.parametrize(
    ("document", "code", "pointer", "words"),
    [
        ({"name": "x"}, "required", "", 'lacks pipeline: name it like "pipeline": "name"'),
        (GOOD | {"pipeline": 3}, "type", "/pipeline", "is 3; expected its name as a string"),
        (GOOD | {"pipeline": ""}, "type", "/pipeline", "an empty string"),
        (GOOD | {"pipeline": None}, "type", "/pipeline", "is null"),
        (GOOD | {"pipeline": ["hello"]}, "type", "/pipeline", "a list of 1"),
        (GOOD | {"pipeline": "@1.0"}, "pipeline", "/pipeline", "expected name or name@version"),
        (GOOD | {"pipeline": "hello@"}, "pipeline", "/pipeline", "expected name or name@version"),
        (GOOD | {"pipeline": "helo"}, "pipeline", "/pipeline", 'did you mean "hello"?'),
        (GOOD | {"pipeline": "HELLO"}, "pipeline", "/pipeline", "There is no pipeline"),
        (
            GOOD | {"pipeline": "hello@9"},
            "pipeline",
            "/pipeline",
            'no version "9"; there are 2.0b (development), 1.1, 1.0',
        ),
        (GOOD | {"lab": 1}, "type", "/lab", "expected its name"),
        (
            GOOD | {"lab": "lab-b"},
            "lab",
            "/lab",
            'There is no lab "lab-b" of yours; expected "lab-a"',
        ),
        (
            GOOD | {"lab": "nowhere"},
            "lab",
            "/lab",
            'There is no lab "nowhere" of yours; expected "lab-a"',
        ),
        (GOOD | {"system": {}}, "type", "/system", "is an object"),
        (
            GOOD | {"system": "moon"},
            "system",
            "/system",
            'is not one on which hello@1.1 runs; expected one of "near"',
        ),
        ({"pipeline": "hello"}, "required", "", "lacks name"),
        (GOOD | {"name": ""}, "minLength", "/name", "at least 1 character"),
        (GOOD | {"nmae": "x"}, "additionalProperties", "/nmae", 'did you mean "name"?'),
    ],
)
def test_refusals(
    site: Site, document: dict[str, Any], code: str, pointer: str, words: str
) -> None:
    (problem,) = problems(site.alice, document)
    assert (problem.code, problem.pointer) == (code, pointer)
    assert words in problem.message


def test_everything_wrong_is_told_at_once_with_its_place(site: Site) -> None:
    text = '{\n "pipeline": "hello",\n "lab": "x",\n "system": "y",\n "name": 5\n}'
    document = {"pipeline": "hello", "lab": "x", "system": "y", "name": 5}
    found = problems(site.alice, document, text="\ufeff" + text)
    assert [(p.code, p.line, p.column) for p in found] == [
        ("lab", 3, 9),
        ("system", 4, 12),
        ("type", 5, 10),
    ]


def test_an_unknown_and_an_invisible_pipeline_are_the_same(site: Site) -> None:
    for version in site.versions.values():
        version.all_labs = False
        version.save()
        version.labs.set([site.other_lab])
    (hidden,) = problems(site.alice, GOOD)
    (unknown,) = problems(site.alice, GOOD | {"pipeline": "nohow"})
    assert hidden.message.replace("hello", "nohow") == unknown.message


def test_without_any_lab(site: Site) -> None:
    with pytest.raises(NotAllowed, match="not a member of any lab"):
        ready(site.stranger)


def test_a_viewer_may_not_submit(site: Site) -> None:
    with pytest.raises(NotAllowed, match="not submit"):
        ready(site.viewer)
    with pytest.raises(NotAllowed, match="not submit in its name"):
        ready(site.viewer, lab="lab-a")


def test_two_labs_need_a_choice(site: Site) -> None:
    Membership.objects.create(lab=site.other_lab, user=site.alice, role=Role.MANAGER)
    (problem,) = problems(site.alice, GOOD)
    assert (problem.code, problem.pointer) == ("lab", "/lab")
    assert 'expected one of "lab-a", "lab-b"' in problem.message
    assert ready(site.alice, lab="lab-b").lab == site.other_lab
    assert ready(site.alice, lab="Lab A").lab == site.lab


def test_the_version_must_be_for_the_lab(site: Site) -> None:
    Membership.objects.create(lab=site.other_lab, user=site.alice, role=Role.VIEWER)
    version = site.versions["1.1"]
    version.all_labs = False
    version.save()
    version.labs.set([site.other_lab])
    with pytest.raises(NotAllowed, match="None of the labs"):
        ready(site.alice, pipeline="hello@1.1")
    with pytest.raises(NotAllowed, match="Lab A may not run"):
        ready(site.alice, pipeline="hello@1.1", lab="lab-a")
    version.labs.add(site.lab)
    assert ready(site.alice, pipeline="hello@1.1").lab == site.lab


def test_administrators_use_any_lab(site: Site) -> None:
    (problem,) = problems(site.admin, GOOD)
    assert problem.pointer == "/lab"
    assert ready(site.admin, lab="lab-b").lab == site.other_lab
    (problem,) = problems(site.admin, GOOD | {"lab": "none"})
    assert problem.message == 'There is no lab "none".'
    Membership.objects.create(lab=site.lab, user=site.admin, role=Role.MANAGER)
    assert ready(site.admin).lab == site.lab


def test_an_administrator_of_a_site_with_one_lab(site: Site) -> None:
    site.other_lab.delete()
    assert ready(site.admin).lab == site.lab
    Membership.objects.all().delete()
    Lab.objects.all().delete()
    (problem,) = problems(site.admin, GOOD)
    assert "no lab yet" in problem.message


def test_systems(site: Site) -> None:
    assert ready(site.alice).system == site.near
    named = ready(site.alice, system="far")
    assert named.account.username == "test1"
    assert named.directory_hint == f"/home/test1/centro/{named.run_id}"
    site.near.enabled = False
    site.near.save()
    assert ready(site.alice).system == site.far
    (problem,) = problems(site.alice, GOOD | {"system": "near"})
    assert 'is switched off at present; expected "far"' in problem.message


def test_the_own_account_goes_before_the_one_for_everybody(site: Site) -> None:
    assert ready(site.alice).account.username == "svc"
    SystemAccount.objects.create(system=site.near, user=site.alice, username="alice")
    assert ready(site.alice).account.username == "alice"


def test_no_account(site: Site) -> None:
    Membership.objects.create(lab=site.lab, user=site.stranger, role=Role.SUBMITTER)
    (problem,) = problems(site.stranger, GOOD | {"system": "far"})
    assert (problem.code, problem.pointer) == ("account", "/system")
    assert "ask an administrator" in problem.message
    SystemAccount.objects.filter(user__isnull=True).delete()
    (problem,) = problems(site.stranger, GOOD)
    assert 'one of "near", "far": ask an administrator' in problem.message


def test_a_version_without_a_system(site: Site) -> None:
    PipelineSystem.objects.all().delete()
    (problem,) = problems(site.alice, GOOD)
    assert "no system that is switched on" in problem.message


def test_a_version_may_prefer_another_system(site: Site) -> None:
    other = System.objects.create(
        name="other", transport="local", scheduler="local", workdir="/w/{username}/"
    )
    SystemAccount.objects.create(system=other, user=None, username="u")
    version = make_version(site.pipeline, "3.0", key="9")
    PipelineSystem.objects.create(version=version, system=other, position=0)
    PipelineSystem.objects.create(version=version, system=site.near, position=1)
    prepared = ready(site.alice)
    assert (prepared.system, prepared.version) == (other, version)
    assert prepared.directory_hint == f"/w/u/{prepared.run_id}"


def test_the_argument_names_the_pipeline_where_the_document_does_not(site: Site) -> None:
    prepared = prepare(user=site.alice, document={"name": "x"}, pipeline="hello@1.0")
    assert prepared.version == site.versions["1.0"]
    assert prepared.configuration_json == '{"name":"x"}'


def test_only_development_versions(site: Site) -> None:
    PipelineVersion.objects.filter(is_development=False).delete()
    (problem,) = problems(site.alice, GOOD)
    assert "no released version; there are 2.0b (development)" in problem.message
    PipelineVersion.objects.update(is_development=False)
    (problem,) = problems(site.alice, GOOD | {"pipeline": "hello@development"})
    assert "no development version" in problem.message
