"""Hostile workbooks are refused with a sentence, before or while they are read."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline_management.errors import InvalidRequest, TooLarge, Unavailable
from pipeline_management.services.workbook import process
from pipeline_management.services.workbook.child import cells, package
from tests.workbook import hostile

IN_A_PROCESS = ("a billion laughs", "too many columns", "half a file")


def verdict(data: bytes) -> str:
    """As the process of its own decides, in this one."""
    try:
        package.check(data)
        cells.read(data)
    except package.Refused as error:
        assert str(error).endswith(".")
        return error.code
    except Exception:  # as child/main.py: openpyxl raises any kind for a damaged file
        return "workbook_broken"
    return "read"


def test_a_good_one_is_read() -> None:
    assert verdict(hostile.plain()) == "read"


@pytest.mark.parametrize("what", hostile.REFUSED)
def test_hostile_files_are_refused(what: str) -> None:
    make, code = hostile.REFUSED[what]
    assert verdict(make()) == code


@pytest.mark.parametrize("what", IN_A_PROCESS)
def test_the_refusal_comes_out_of_the_process(what: str) -> None:
    make, code = hostile.REFUSED[what]
    with pytest.raises(InvalidRequest) as caught:
        process.opened(make())
    assert [problem.code for problem in caught.value.problems] == [code]


def test_what_needs_gigabytes_is_stopped_by_the_limits() -> None:
    row = "".join(f'<c t="inlineStr"><is><t>{n}</t></is></c>' for n in range(200_000))
    with pytest.raises(InvalidRequest) as caught:
        process.opened(hostile.sheet(f'<row r="1">{row}</row>'))
    assert caught.value.problems[0].code in (
        "workbook_memory",
        "workbook_too_many",
        "workbook_slow",
    )


def test_too_many_tags_are_counted_before_anything_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(package, "MAX_TAGS", 1000)
    assert verdict(hostile.sheet("".join(f'<row r="{n}"/>' for n in range(1, 1200)))) == (
        "workbook_too_many"
    )


def test_a_file_over_the_limit_is_not_even_opened() -> None:
    with pytest.raises(TooLarge):
        process.opened(b"PK\x03\x04" + bytes(process.MAX_FILE))


def test_when_all_places_are_taken_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_PATIENCE", 0.01)
    taken: list[Any] = [process._place() for _ in range(process.AT_ONCE)]
    for place in taken:
        place.__enter__()
    try:
        with pytest.raises(Unavailable):
            process.opened(hostile.plain())
    finally:
        for place in taken:
            place.__exit__(None, None, None)
    assert process.opened(hostile.plain()).cells == 4
