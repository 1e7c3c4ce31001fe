"""Workbooks that people upload: every hostile text in them is read as text or named by its cell, and does nothing."""

from __future__ import annotations

import html
import json
import re
from typing import Any
from xml.sax.saxutils import escape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl.comments import Comment
from openpyxl.workbook.defined_name import DefinedName

from pipeline_management.models import PipelineVersion
from pipeline_management.services.workbook import process, taking
from pipeline_management.services.workbook.template import CONTENT_TYPE
from pipeline_management.services.workbook.values import escaped, unescaped
from tests.factories import make_version
from tests.hostile import books
from tests.hostile.books import CELLS, column, text_in
from tests.hostile.judging import UNSEEN, judge
from tests.hostile.values import VALUES, groups
from tests.pages.site import Site
from tests.workbook.hostile import NAMESPACE

ONE = books.saved(books.book([("v0", "here it stands")]))
HTMX = {"HX-Request": "true"}


@pytest.fixture
def desk(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A pipeline with sheets of every kind. Workbooks are opened in this process: that saves a quarter of a second."""
    make_version("sheets", system=site.account.system, schema=books.SCHEMA, script="true")
    monkeypatch.setattr(process, "_run", books.in_this_process)
    return site


def send(site: Site, data: bytes, *, name: str = "mine.xlsx", **fields: Any) -> Any:
    headers = {} if fields else HTMX
    upload = SimpleUploadedFile(name, data)
    fields = {"workbook": upload, **fields}
    return site.client("submitter").post("/submit/workbook/", fields, headers=headers)


def taken(site: Site, data: bytes) -> taking.Taken:
    return taking.take(site.people["submitter"], data)


def faults_on(answer: Any, where: str) -> list[str]:
    """The cells that a page names, having found the page harmless."""
    text = judge(answer, where)
    return re.findall(r'data-cell="(.*?)"', html.unescape(text))


def marked(site: Site, data: bytes) -> Any:
    """The workbook that comes back, with nothing in it that a program would do."""
    answer = send(site, data, action="marked")
    assert answer.status_code == 200, answer.content[:500]
    assert answer["Content-Disposition"] == 'attachment; filename="mine-marked.xlsx"'
    return books.opened(answer.content)


def assert_text_only(book: Any) -> None:
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert [cell.coordinate for cell in cells if cell.data_type == "f"] == []
    assert [c.hyperlink.target for c in cells if c.hyperlink and c.hyperlink.target] == []
    assert book.vba_archive is None
    for cell in cells:
        for text in (cell.value, cell.comment and cell.comment.text):
            told = isinstance(text, str) and (cell.parent.title == "Faults" or "Centro:" in text)
            assert not (told and UNSEEN.search(text)), text


# cells


def test_cells_of_text_are_read_as_they_are(desk: Site) -> None:
    made = books.book((f"v{number}", value) for number, value in enumerate(CELLS))
    column(made, "rows", "A", CELLS)
    column(made, "list", "A", CELLS)
    column(made, "names", "A", CELLS)
    column(made, "names", "B", CELLS)
    found = taken(desk, books.saved(made))
    assert found.problems == []
    assert found.warnings == []
    wanted = [value.strip() for value in CELLS]
    assert [found.document[f"v{number}"] for number in range(len(CELLS))] == wanted
    assert [row["text"] for row in found.document["rows"]] == wanted
    assert found.document["list"] == wanted
    assert found.document["names"] == dict(zip(wanted, wanted, strict=True))


def test_formulas_are_told_by_their_cells_and_never_read(desk: Site) -> None:
    formulas = [value if value.startswith("=") else f"={value}" for value in VALUES.values()]
    formulas = [text for text in formulas if "\x1b" not in text]
    made = books.book()
    column(made, "rows", "A", formulas, "f")
    column(made, "counts", "A", formulas, "f")
    column(made, "names", "B", formulas, "f")
    column(made, "names", "A", formulas, "f")
    data = books.saved(made)
    found = taken(desk, data)
    assert found.prepared is None
    assert {p.place for p in found.problems} >= {f"rows!A{n + 2}" for n in range(len(formulas))}
    assert all("holds the formula" in problem.message for problem in found.problems)
    assert "1+cmd" not in found.text
    cells = faults_on(send(desk, data), "formulas")
    assert len(cells) == len(set(cells)) == len(found.problems)
    # what the person wrote as formulas is still there, and nothing of it among the faults
    book = marked(desk, data)
    assert {cell.data_type for row in book["Faults"].iter_rows() for cell in row} == {"s"}


def test_texts_where_numbers_belong_are_named_by_sheet_and_cell(desk: Site) -> None:
    made = books.book([("number", CELLS[0])])
    column(made, "rows", "B", CELLS)
    column(made, "counts", "A", CELLS)
    column(made, "switches", "A", CELLS)
    column(made, "switches", "B", CELLS)
    data = books.saved(made)
    cells = faults_on(send(desk, data), "texts")
    rows = range(2, len(CELLS) + 2)
    wanted = [
        *(f"rows!B{n}" for n in rows),
        *(f"counts!A{n}" for n in rows),
        *(f"switches!B{n}" for n in rows),
    ]
    assert cells == ["Settings!B3", *wanted]
    book = marked(desk, data)
    assert_text_only(book)
    assert [cell.value for cell in book["Faults"]["B"][1:]] == [
        cell.partition("!")[2] for cell in cells
    ]
    for row, value in zip(rows, CELLS, strict=True):
        assert "Centro: count holds the text" in book["rows"][f"B{row}"].comment.text
        assert unescaped(book["rows"][f"B{row}"].value) == value


JSON_TEXTS = {
    "lone surrogate": '["\\ud800"]',
    "lone surrogate in a key": '{"\\udfff": 1}',
    "NUL": '["a\\u0000b"]',
    "huge number": "[1e999]",
    "5,000 digits": f"[{'9' * 5000}]",
    "NaN": "[NaN]",
    "deep": "[" * 5000 + "]" * 5000,
    "150 levels": "[" * 150 + "]" * 150,
    "a key twice": '{"a": 1, "a": 2}',
}


@pytest.mark.parametrize("name", JSON_TEXTS)
def test_json_in_a_cell_is_as_strict_as_json_elsewhere(desk: Site, name: str) -> None:
    made = books.book([("own", JSON_TEXTS[name])])
    column(made, "rows", "C", [JSON_TEXTS[name]])
    data = books.saved(made)
    assert faults_on(send(desk, data), name) == ["Settings!B3", "rows!C2"]


def test_a_nul_is_told_at_its_cell(desk: Site) -> None:
    made = books.book([("v0", "a\0b")])
    column(made, "names", "A", ["a\0b"])
    column(made, "names", "B", ["c"])
    cells = faults_on(send(desk, books.saved(made)), "NUL")
    assert cells == ["Settings!B3", "names!A2"]


def test_more_digits_than_json_has_are_out_of_range(desk: Site) -> None:
    made = books.book([("number", "9" * 350)])
    column(made, "counts", "A", ["-" + "1" * 301, "0" * 350 + "7"])
    found = taken(desk, books.saved(made))
    assert [(problem.place, "out of range" in problem.message) for problem in found.problems] == [
        ("Settings!B3", True), ("counts!A2", True),
    ]  # fmt: skip
    assert found.document["counts"][1] == 7


# keys, headers, names


def test_hostile_keys_headers_and_names_are_shown_harmlessly(desk: Site) -> None:
    made = books.book()
    for number, value in enumerate(CELLS, start=3):
        text_in(made["Settings"].cell(number, 1), value)
        text_in(made["Settings"].cell(number, 2), "=1+1", "f")
        text_in(made["rows"].cell(1, number + 2), value)
        text_in(made["rows"].cell(2, number + 2), "=1+1", "f")
    column(made, "names", "A", [*CELLS, *CELLS])
    column(made, "names", "B", [*CELLS, *CELLS])
    data = books.saved(made)
    cells = faults_on(send(desk, data), "keys")
    first = [f"names!A{number}" for number in range(2 + len(CELLS), 2 + 2 * len(CELLS))]
    assert set(first) <= set(cells) and len([c for c in cells if c.startswith("Settings!")]) == len(
        CELLS
    )
    book = marked(desk, data)
    said = [str(cell.value) for cell in book["Faults"]["C"][1:]]
    assert len(said) == len(cells) and not [text for text in said if UNSEEN.search(text)]
    assert {cell.data_type for row in book["Faults"].iter_rows() for cell in row} <= {"s", "n"}


def test_unknown_sheets_of_hostile_names_are_shown_and_not_read(desk: Site) -> None:
    names = [value for value in CELLS if "\n" not in value]
    data = books.with_sheets(names)
    found = taken(desk, data)
    assert found.document == {"pipeline": "sheets", "v0": "x"} and found.problems == []
    assert len(found.warnings) == len(names)
    text = judge(send(desk, data), "sheet names")
    shown = html.unescape(text)
    assert all(value in shown for value in names if value.isprintable())


FORBIDDEN = re.compile(r"[\[\]:*?/\\]")


def test_sheets_of_hostile_names_come_back_as_text(desk: Site) -> None:
    names = [value for value in VALUES.values() if not FORBIDDEN.search(value)]
    book = marked(desk, books.with_sheets(names))
    assert len(book.sheetnames) == len(names) + 6
    assert_text_only(book)


@pytest.mark.parametrize("name", ["script end", "formula", "path"])
def test_a_name_that_no_sheet_can_have_is_a_damaged_file(desk: Site, name: str) -> None:
    """Excel makes no such names, and a workbook with one is not written again."""
    answer = send(desk, books.with_sheets([VALUES[name]]), action="marked")
    assert "The file is damaged" in judge(answer, name, 400)


# what stands beside the cells


def beside(values: list[str]) -> bytes:
    """Each value as comment, author, name, address, format and title, beside a cell that is at fault."""
    made = books.book()
    sheet: Any = made["counts"]
    for row, value in enumerate(values, start=2):
        plain = "".join(char for char in value if char >= " ")
        cell = sheet.cell(row, 1)
        cell.value = "many"
        cell.comment = Comment(plain, plain)
        cell.number_format = plain
        sheet.cell(row, 3).value = 45_000
        sheet.cell(row, 3).number_format = f'yyyy "{plain}"'
        made.defined_names[f"Own{row}"] = DefinedName(
            f"Own{row}", attr_text="x!$A$1", comment=plain
        )
        made.properties.creator = made.properties.title = plain
        made["list"].oddHeader.center.text = plain
    return books.saved(made)


@pytest.mark.parametrize("values", groups(10), ids=range(5))
def test_what_stands_beside_the_cells_is_never_read(desk: Site, values: list[str]) -> None:
    data = beside(values)
    wanted = [f"counts!A{number}" for number in range(2, 12)]
    assert taken(desk, data).document == {"pipeline": "sheets", "counts": [None] * 10}
    assert faults_on(send(desk, data), values[0]) == wanted
    book = marked(desk, data)
    for cell in book["counts"]["A"][1:]:
        assert cell.comment.text.count("Centro: The cell holds the text") == 1
    assert {cell.data_type for row in book["counts"].iter_rows() for cell in row} <= {"s", "n", "d"}


def test_hostile_addresses_of_links_are_not_followed_or_made(desk: Site) -> None:
    """A link's address is the person's own: it is in no value, on no page, and no fault gets one."""
    made = books.book([("number", "many")])
    for number, value in enumerate(VALUES.values(), start=2):
        if "\x1b" not in value:
            cell = made["counts"][f"A{number}"]
            cell.value = "x"
            cell.hyperlink = value
    data = books.saved(made)
    answer = send(desk, data)
    assert len(faults_on(answer, "links")) == len(VALUES)
    assert b"x.example" not in answer.content
    book = marked(desk, data)
    assert [cell.hyperlink.target for cell in book["Faults"]["B"][1:]] == [None] * len(VALUES)


WRITTEN: dict[str, str] = {
    "shared": 't="s"><v>0</v>',
    "rich": 't="inlineStr"><is><r><t>{text}</t></r><r><t/></r></is>',
    "result of a formula": 't="str"><v>{text}</v>',
}
"""How else a text may stand in the XML of a sheet (ECMA-376 part 1, 18.3.1.4)."""


STRINGS = (
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
)


@pytest.mark.parametrize("form", WRITTEN)
def test_every_form_of_a_text_is_text(desk: Site, form: str) -> None:
    version = PipelineVersion.objects.get(pipeline__name="sheets")
    for value in VALUES.values():
        document, _places, faults = taking.read(_in_form(form, value), version)
        assert faults == [], value
        assert document["v0"] == value.strip()
    assert_text_only(marked(desk, _in_form(form, VALUES["formula"])))


def _in_form(form: str, value: str) -> bytes:
    text_of_it = escape(escaped(value))
    strings = f'<sst xmlns="{NAMESPACE}"><si><t xml:space="preserve">{text_of_it}</t></si></sst>'

    def change(part: str, text: str) -> str:
        if part == "[Content_Types].xml":
            return text.replace("</Types>", f"{STRINGS}</Types>")
        if part == "xl/worksheets/sheet1.xml":
            inline = 't="inlineStr"><is><t>here it stands</t></is>'
            assert inline in text
            return text.replace(inline, WRITTEN[form].format(text=text_of_it))
        return text

    return books.rewritten(ONE, change, {"xl/sharedStrings.xml": strings})


# the file itself


def test_hostile_names_of_files(desk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"good": taken(desk, ONE), "bad": taken(desk, beside(["x"]))}
    client = desk.client("submitter")
    monkeypatch.setattr(taking, "marked", lambda *_: b"")
    for value in VALUES.values():
        for kind in found:
            monkeypatch.setattr(taking, "take", lambda *_, it=found[kind]: it)
            upload = SimpleUploadedFile(f"{value}.xlsx", ONE)
            answer = client.post("/submit/workbook/", {"workbook": upload}, headers=HTMX)
            text = judge(answer, value)
            as_it_is = value.isprintable() and not set(value) & set(
                "/\\&"
            )  # else Django changes it
            assert not as_it_is or f"{value}.xlsx" in html.unescape(text), value
        fields = {"workbook": SimpleUploadedFile(f"{value}.xlsx", ONE), "action": "marked"}
        answer = client.post("/submit/workbook/", fields)
        clean = r'attachment; filename="[A-Za-z0-9._ -]{1,120}"'
        assert re.fullmatch(clean, answer["Content-Disposition"]), value


def test_the_process_of_its_own_says_the_same(desk: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    made = books.book([("number", "many")])
    column(made, "list", "A", CELLS)
    data = books.saved(made)
    found = taken(desk, data)
    assert [problem.place for problem in found.problems] == ["Settings!B3"]
    assert found.document["list"] == [value.strip() for value in CELLS]
    assert_text_only(books.opened(taking.marked(data, found.problems, found.cells)))


def test_the_api_says_the_same_as_json(desk: Site) -> None:
    made = books.book()
    column(made, "counts", "A", CELLS)
    data = books.saved(made)
    client = desk.client("submitter")
    answer = client.post("/api/v1/new-run/", data, content_type=CONTENT_TYPE)
    assert answer.status_code == 400
    errors = json.loads(answer.content)["errors"]
    assert [(e["sheet"], e["cell"]) for e in errors] == [
        ("counts", f"A{n + 2}") for n in range(len(CELLS))
    ]
    answer = client.post("/api/v1/workbook/marked/", data, content_type=CONTENT_TYPE)
    assert (answer.status_code, answer["Centro-Faults"]) == (200, str(len(CELLS)))
    assert_text_only(books.opened(answer.content))
