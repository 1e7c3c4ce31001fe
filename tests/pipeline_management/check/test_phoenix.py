"""The defects that Phoenix configurations really have, each caught before submission, in words that help."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pipeline_management.errors import Problem
from pipeline_management.services.judging import judge
from pipeline_management.services.rules.checking import Findings
from pipeline_management.services.rules.vocabulary import check_rules
from pipeline_management.services.schema_check import check_schema
from tests.pipeline_management.check import phoenix

Document = dict[str, Any]
Damage = Callable[[Document], object]


def judged(damage: Damage) -> tuple[Findings, str]:
    document = phoenix.example()
    damage(document)
    text = json.dumps(document, indent=2)
    return judge(document, phoenix.version(), text), text


def test_schema_and_rules_are_usable_and_the_example_has_no_fault() -> None:
    version = phoenix.version()
    assert check_schema(version.schema) == []
    assert check_rules(version.rules, version.schema) == []
    assert judge(phoenix.example(), version, None) == Findings([], [])


def same_file(document: Document) -> None:
    document["dataFiles"].append(document["dataFiles"][0] | {"limsLibraryRecordId": 7})


def misspell(document: Document) -> None:
    document["tasks"]["Exome_alignment_base_recalibration_gtak"] = True
    del document["tasks"]["Exome_alignment_base_recalibration_gatk"]


ERRORS: list[tuple[str, Damage, list[tuple[str, str, int | None]], list[str]]] = [
    (
        "no glType in row 1",
        lambda d: d["dataFiles"][0].pop("glType"),
        [("required", "/dataFiles/0", 1)],
        [
            'dataFiles row 1 lacks glType, which is required (one of "Genome", "GenomePhased", "Exome", "RNA", '
            '"SingleCellRNA", "SingleCellDNA", "MatePair", "ChIP").'
        ],
    ),
    (
        "same fastq twice",
        same_file,
        [("rule_unique", "/dataFiles/8/fastqPath", 9)],
        ["dataFiles rows 1 and 9 are the same file."],
    ),
    (
        "numberOfReads missing",
        lambda d: d["dataFiles"][2].pop("numberOfReads"),
        [("required", "/dataFiles/2", 3)],
        ["dataFiles row 3 lacks numberOfReads, which is required (reads in the file)."],
    ),
    (
        "numberOfReads as a string",
        lambda d: d["dataFiles"][1].update(numberOfReads="228228468"),
        [("type", "/dataFiles/1/numberOfReads", 2)],
        [
            'dataFiles row 2, numberOfReads is the string "228228468"; expected an integer, a number without '
            "quotes (reads in the file)."
        ],
    ),
    (
        "no data files",
        lambda d: d.update(dataFiles=[]),
        [("rule_not_empty", "/dataFiles", None)],
        ["No data files are given."],
    ),
    (
        "a shell command as project",
        lambda d: d.update(project="a; rm -rf /"),
        [("pattern", "/project", None)],
        [
            'project is "a; rm -rf /"; expected text of the form ^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$ '
            "(name of the project, also of its directory: letters, digits, dot, dash and underscore); "
            'not allowed in it: ";", " ", "/".'
        ],
    ),
    (
        "R1 without R2",
        lambda d: d["dataFiles"].pop(3),
        [("rule_pairs", "/dataFiles/2/fastqCode", 3)],
        [
            'dataFiles row 3 with rgid "SUPERFQS01_2_K18088": there is "R1", but no row has '
            'fastqCode "R2".'
        ],
    ),
    (
        "one sample, two kinds of library",
        lambda d: d["dataFiles"][7].update(glType="RNA"),
        [("rule_same_within", "/dataFiles/7/glType", 8)],
        ['but different glType ("Genome", "RNA").'],
    ),
]


@pytest.mark.parametrize(
    ("name", "damage", "expected", "sentences"), ERRORS, ids=[one[0] for one in ERRORS]
)
def test_an_error(
    name: str,
    damage: Damage,
    expected: list[tuple[str, str, int | None]],
    sentences: list[str],
) -> None:
    found, text = judged(damage)
    assert [(p.code, p.pointer, p.row) for p in found.errors] == expected, name
    for problem, sentence in zip(found.errors, sentences, strict=True):
        assert sentence in problem.message
        assert problem.line is not None and problem.column is not None
        assert 1 <= problem.line <= text.count("\n") + 1


def only_warning(damage: Damage) -> Problem:
    found, _ = judged(damage)
    assert found.errors == []
    (warning,) = found.warnings
    return warning


@pytest.mark.parametrize("value", ["", {}, None])
def test_no_task_switches_means_everything_optional_and_that_is_told(value: Any) -> None:
    def damage(document: Document) -> None:
        if value is None:
            del document["tasks"]
        else:
            document["tasks"] = value

    warning = only_warning(damage)
    assert warning.code == "rule_not_empty"
    assert warning.message == (
        "No task switches are given, so everything optional is on. “Plan” shows what that costs."
    )


def test_a_misspelt_switch_is_not_just_ignored() -> None:
    warning = only_warning(misspell)
    assert warning.code == "unknown_key"
    assert warning.pointer == "/tasks/Exome_alignment_base_recalibration_gtak"
    assert (
        'is not a known key (did you mean "Exome_alignment_base_recalibration_gatk"?)'
        in warning.message
    )


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (
            "Exome_alignment_base_recalibration_gtak",
            '(did you mean "Exome_alignment_base_recalibration_gatk"?)',
        ),
        ("somatic_callers", "so nothing may come of it"),
    ],
)
def test_nor_is_one_beside_all_that_there_are(key: str, words: str) -> None:
    """The example names every switch, so that none of them is missing."""
    warning = only_warning(lambda document: document["tasks"].update({key: True}))
    assert (warning.code, warning.pointer) == ("unknown_key", f"/tasks/{key}")
    assert words in warning.message


def test_a_key_that_is_no_switch_may_be_anything() -> None:
    """A laboratory system writes more into a row, and beside the rows, than the pipeline reads."""
    document = phoenix.example() | {"ticket": "LIMS-7"}
    document["dataFiles"][0]["freezer"] = "B12"
    assert judge(document, phoenix.version(), None) == Findings([], [])


def test_a_tumour_without_its_normal() -> None:
    def damage(document: Document) -> None:
        for row in document["dataFiles"]:
            row["subGroup"] = "Tumor"

    warning = only_warning(damage)
    assert warning.code == "rule_matches"
    assert warning.message.startswith("dataFiles rows 1, 2, 3, 4, 5, 6, 7 and 8 are of a tumour")
