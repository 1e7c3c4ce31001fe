"""What each key of a search finds, on the database that the tests run on."""

from __future__ import annotations

import uuid

import pytest

from pipeline_management.choices import Attention, Desired, Reason, RunSource, RunState
from pipeline_management.models import Run
from pipeline_management.search import apply, meaning, parse
from pipeline_management.search.suggesting import suggest
from pipeline_management.services import marks
from tests.factories import make_account, make_run, make_system, make_version
from tests.pages.site import Site

FILES = {"dataFiles": [{"fastqPath": "/data/GIAB_NA12878_R1.fastq.gz", "sampleName": "NA12878"}]}


def found(site: Site, text: str, who: str = "manager") -> set[uuid.UUID]:
    runs = Run.objects.visible_to(site.people[who])
    return set(apply(runs, parse(text), site.people[who]).values_list("pk", flat=True))


@pytest.fixture
def wanted(site: Site) -> Run:
    """The run that every search here is about, among others that differ in everything."""
    for _ in range(2):
        site.run(state=RunState.SUCCEEDED)
    second = make_system("second")
    run = site.run(
        state=RunState.FAILED,
        version=make_version("phoenix", "1.2", system=second),
        account=make_account(second),
        submitter=site.people["manager"],
        name="Trio exome",
        job_id="4711",
        reason=Reason.NO_RESULT,
        cause="NO_RESULT",
        cause_text="align: disk quota exceeded on /scratch",
        reason_text="the node went away",
        attention=Attention.STALE,
        source=RunSource.PAGE,
        configuration=FILES,
    )
    Run.objects.filter(pk=run.pk).update(created_at="2020-03-10T12:00:00Z")
    marks.label_run(run, site.people["manager"], add=["Cohort-7"])
    marks.star(site.people["manager"], [run.pk], on=True)
    marks.add_note(run, site.people["manager"], "looks odd")
    return run


@pytest.mark.parametrize(
    "text",
    [
        "trio", "EXO", '"trio exome"', "quota", "went away", "4711", "NA12878", "12878", "giab trio",
        "state:failed", "state:lost", "state:failed state:cancelled", "user:manager", "user:me", "is:mine",
        "pipeline:phoenix", "pipeline:phoenix@1.2", "version:1.2", "system:second", "cluster:second",
        "GIAB_NA12878_R1.fastq.gz", "R1.fastq trio", "input:NA12878", "sample:na12878",
        "input:GIAB_NA12878_R1.fastq.gz", "input:/data/GIAB_NA12878_R1",
        "label:cohort-7", "is:starred", "is:noted", "is:attention", "cause:NO_RESULT", "cause:no_result",
        "before:2020-03-10", "before:2020-03 after:2020-03", "job:4711", "source:page", "-state:succeeded",
        "-system:cluster", "lab:genomics -state:succeeded", "-input:NA999 trio", "trio user:nobody user:me",
    ],
)  # fmt: skip
def test_each_key_finds_the_one_run(site: Site, wanted: Run, text: str) -> None:
    assert found(site, text) == {wanted.pk}


@pytest.mark.parametrize(
    "text",
    [
        "rio", "trio nowhere", "state:running", "user:nobody", "pipeline:nope", "pipeline:phoenix@9", "lab:imaging",
        "system:none", "input:NA1287x", "label:cohort", "-trio is:starred", "after:today state:failed", "...",
        "input:%", "input:_A12878", "state:held", "label:cohort-7 -label:cohort-7", "job:47",
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_found(site: Site, wanted: Run, text: str) -> None:
    assert found(site, text) == set()


@pytest.mark.parametrize("many", [0, 1000])
@pytest.mark.parametrize("text", ["NA12878", "input:NA12878", "label:cohort-7", "-label:other trio"])
def test_many_hits_are_found_as_few_are(
    site: Site, wanted: Run, text: str, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "FEW", 0)
    monkeypatch.setattr(meaning, "MANY", many)
    monkeypatch.setattr(meaning, "MANY_WORDS", many)
    assert found(site, text) == {wanted.pk}


def test_an_id_finds_its_run_and_held_ones_are_a_state(site: Site) -> None:
    run = site.run(state=RunState.QUEUED, desired=Desired.HOLD)
    site.run()
    assert found(site, f"id:{run.pk}") == found(site, str(run.pk)) == {run.pk}
    assert found(site, "state:held") == {run.pk}


def test_stars_are_each_persons_own_and_nobody_finds_what_he_may_not_see(
    site: Site, wanted: Run
) -> None:
    theirs = make_run(lab=site.other_lab, name="trio elsewhere", configuration=FILES)
    assert found(site, "is:starred", "submitter") == set()
    assert found(site, "trio", "outsider") == found(site, "NA12878", "outsider") == {theirs.pk}
    assert found(site, f"id:{wanted.pk}", "outsider") == set()
    assert found(site, "trio", "administrator") == {wanted.pk, theirs.pk}


def texts(site: Site, text: str, who: str = "submitter") -> list[str]:
    return [one.text for one in suggest(site.people[who], text)]


def test_keys_and_values_are_suggested_as_far_as_one_may_know_them(site: Site, wanted: Run) -> None:
    make_run(lab=site.other_lab, submitter=site.people["outsider"])
    assert texts(site, "trio st") == ["trio state:"]
    assert "-state:failed " in texts(site, "-state:f")
    assert texts(site, "user:man") == ["user:manager "]
    assert texts(site, "user:out") == []
    assert texts(site, "lab:") == ["lab:genomics "]
    assert texts(site, "label:coh") == ["label:cohort-7 "]
    assert texts(site, "label:coh", "outsider") == []
    assert texts(site, "x cause:OUT_OF") == ["x cause:OUT_OF_MEMORY "]
    assert texts(site, "nonsense:") == []
    assert texts(site, "") != []
