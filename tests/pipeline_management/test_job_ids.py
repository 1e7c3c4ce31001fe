"""Job ids as people write them, against the rows of a queue."""

from __future__ import annotations

import pytest

from hpc.rows import QueueRow
from pipeline_management.services.job_ids import PLAIN, Listing, base_of, is_id


def row(job_id: str, raw_id: str, tasks: str = "") -> QueueRow:
    return QueueRow(
        job_id, raw_id, tasks, "p", "n", "u", "RUNNING", False, "0:01", "now", "1:00", "1", "vm"
    )


ROWS = [
    row("40_[2-5%2,9,20-40:4]", "40", "2-5%2"), row("40_1", "41", "1"), row("40_6", "47", "6"),
    row("50", "50"), row("60+0", "60"), row("60+1", "61"), row("400", "400"),
    row("70_[1,3,7-20:4]", "70", "1,3,7-20:4"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("50", ["50"]),
        ("4", []),
        ("40", ["40_[2-5%2,9,20-40:4]", "40_1", "40_6"]),
        ("40_1", ["40_1"]),
        ("40_3", ["40_3"]),
        ("40_7", []),
        ("40_[1-2]", ["40_[2-5%2,9,20-40:4]", "40_1"]),
        ("40_[6-9]", ["40_6"]),
        ("60", ["60+0", "60+1"]),
        ("60+1", ["60+1"]),
        ("60+2", []),
        ("47", ["40_6"]),
        ("70_1", ["70_1"]),
        ("70_2", []),
        ("70_7", ["70_7"]),
        ("70_9", []),
        ("70_19", ["70_19"]),
        ("70_[8-10]", []),
        ("70_[8-11]", ["70_[1,3,7-20:4]"]),
        ("50_1", []),
    ],
)
def test_what_an_id_means(asked: str, found: list[str]) -> None:
    assert [r.job_id for r in Listing(ROWS).matching([asked])[asked]] == found


ARRAYS = [row("12", "12"), row("13[]", "13[]", "2-3"), row("13[1]", "13[1]", "1")]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("12", ["12"]),
        ("12.pbs01", ["12"]),
        ("13[]", ["13[]", "13[1]"]),
        ("13[].pbs01", ["13[]", "13[1]"]),
        ("13[1].pbs01", ["13[1]"]),
        ("13[3]", ["13[3]"]),
        ("13[4]", []),
        ("13", []),
    ],
)
def test_what_an_id_of_pbs_means(asked: str, found: list[str]) -> None:
    assert is_id(asked, "pbs")
    assert [r.job_id for r in Listing(ARRAYS).matching([asked])[asked]] == found


@pytest.mark.parametrize("text", ["", "12_1", "12+1", "12.", "12[", "12[a]", "12.-x", "12[].pbs/1", "-12"])
def test_what_is_no_id_of_pbs(text: str) -> None:
    assert not is_id(text, "pbs")


def test_each_scheduler_has_its_own_form() -> None:
    assert is_id("40_[2-5]", "slurm") and not is_id("40[]", "slurm") and not is_id("40.x", "local")


def test_a_task_with_a_row_of_its_own_keeps_nothing_of_the_others() -> None:
    (one,) = Listing(ROWS).matching(["40_3"])["40_3"]
    assert (one.job_id, one.tasks) == ("40_3", "3")


@pytest.mark.parametrize("text", ["1", "40+1", "40_2", "40_[2-5]"])
def test_ids(text: str) -> None:
    assert PLAIN.fullmatch(text)
    assert base_of(text) == text[: 1 if text == "1" else 2]


@pytest.mark.parametrize("text", ["", "-1", "a", "1_", "1+", "1_[2]", "1_[2-3", "1 ", "1\n", "١"])
def test_what_is_no_id(text: str) -> None:
    assert not PLAIN.fullmatch(text)
