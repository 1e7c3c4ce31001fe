"""Sentences about rows of a table say the numbers that a person sees in the sheet."""

from __future__ import annotations

import pytest

from pipeline_management.errors import Problem
from pipeline_management.services.workbook.faults import Places, TablePlaces
from pipeline_management.services.workbook.layout import layout_of
from tests.workbook.test_reading import SCHEMA


@pytest.mark.parametrize(
    ("pointer", "said", "shown"),
    [
        ("/files/0/path", "files rows 1 and 3 are the same file", "files rows 2 and 7 are the same file"),
        ("/files/2", "files row 3 lacks read, which is required", "files row 7 lacks read, which is required"),
        ("/files/1", "files rows 1, 2, 3 and 12 more differ", "files rows 2, 4, 7 and 12 more differ"),
        ("/files/2", "is the same as row 1; expected entries that differ",
         "is the same as row 2; expected entries that differ"),
        ("/files/1/reads", 'files row 2 reads is "files row 1"', 'files row 4 reads is "files row 1"'),
        ("/files/9", "files row 10 lacks read", "files row 10 lacks read"),
        ("/project", "project is not files row 1", "project is not files row 1"),
    ],
)  # fmt: skip
def test_rows_are_those_of_the_sheet(pointer: str, said: str, shown: str) -> None:
    places = Places(layout_of(SCHEMA))
    places.tables[("files",)] = TablePlaces("files", [2, 4, 7], {("path",): "A", ("reads",): "C"})
    (found,) = places.located([Problem("rule", said, pointer)], {})
    assert found.message == shown
