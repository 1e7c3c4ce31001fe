"""What is made of a file's bytes: text in any encoding, tables, notebooks; all of it plain."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hpc.files.browsing import Peek
from pipeline_management.file_names import absolute, visible
from pipeline_management.services.previews.kinds import type_of
from pipeline_management.services.previews.notebooks import MOST_CELLS, notebook
from pipeline_management.services.previews.tables import (
    LONGEST_CELL,
    MOST_COLUMNS,
    MOST_ROWS,
    table,
)
from pipeline_management.services.previews.text import decoded, looks_binary, part

PNG = b"\x89PNG\r\n\x1a\n"


def peeked(data: bytes, offset: int = 0, size: int | None = None) -> Peek:
    return Peek(data, offset, offset + len(data) if size is None else size, 0.0)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.HTML", "html"), ("a.png", "image"), ("a.svg", "image"), ("a.csv", "table"), ("a.ipynb", "notebook"),
        ("a.log", "text"), ("stdout", "unknown"), ("a.html.txt", "text"), (".html", "unknown"), ("a.xhtml", "unknown"),
        ("html", "unknown"), ("a.svgz", "unknown"), ("a.pdf", "pdf"), ("x/y.html/z", "unknown"),
    ],
)  # fmt: skip
def test_a_kind_follows_from_the_name(name: str, kind: str) -> None:
    assert type_of(name).kind == kind


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"plain", "plain", "utf-8"), ("é€".encode(), "é€", "utf-8"), (b"caf\xe9", "café", "windows-1252"),
        (b"\xef\xbb\xbfx", "x", "utf-8"), ("é".encode("utf-16"), "é", "utf-16-le"),
        (b"\xfe\xff\x00x", "x", "utf-16-be"), (b"", "", "utf-8"),
    ],
)  # fmt: skip
def test_the_encoding_is_guessed(data: bytes, text: str, encoding: str) -> None:
    assert decoded(data) == (text, encoding)
    assert decoded(b"x" + "é".encode()[:1], more=True) == ("x", "utf-8")


def test_a_part_of_a_text() -> None:
    whole = part(peeked(b"\x1b[31mred\x1b[0m\nline\x07\n\xe2\x80\xae"))
    assert whole.text.startswith("red\nline") and "\x1b" not in whole.text and "\u202e" not in whole.text
    assert (whole.before, whole.after, whole.first_line) == (None, None, 1)
    middle = part(peeked(b"x of a line\nwhole\nnext li", offset=100, size=500))
    assert (middle.text, middle.start, middle.stop, middle.first_line) == ("whole\n", 112, 118, None)
    assert middle.before == 0 and middle.after == 118
    assert looks_binary(b"a\0b") and not looks_binary("x".encode("utf-16"))


def test_a_table() -> None:
    found = table(peeked(b"## a comment\nname;n\n\"a;b\";1\n=cmd();<b>\n"))
    assert found is not None
    assert (found.head, found.delimiter) == (["name", "n"], "semicolon")
    assert found.rows == [["a;b", "1"], ["=cmd()", "<b>"]]
    assert not found.more_rows and not found.more_columns


def test_tables_are_bounded() -> None:
    wide = ",".join(map(str, range(200)))
    found = table(peeked(f"{wide}\n".encode() * 2000, size=10**9))
    assert found is not None
    assert (len(found.rows), len(found.head)) == (MOST_ROWS, MOST_COLUMNS)
    assert found.more_rows and found.more_columns
    long = table(peeked(b"a,b\n" + b"x" * 5000 + b",1\n"))
    assert long is not None and len(long.rows[0][0]) == LONGEST_CELL + 1
    assert len({len(row) for row in (table(peeked(b"a,b\n1\n1,2,3\n")) or found).rows}) == 1


@pytest.mark.parametrize("data", [b"", b"one column\nonly\n", b"\n\n", b'"' + b"x," * 200_000])
def test_what_is_no_table(data: bytes) -> None:
    assert table(peeked(data)) is None


def made(*cells: Any, **more: Any) -> Any:
    return notebook(json.dumps({"cells": list(cells), **more}).encode())


def test_a_notebook() -> None:
    picture = base64.b64encode(PNG + b"rest").decode()
    outputs = [
        {"output_type": "display_data", "data": {"image/png": [picture[:6], picture[6:] + "\n"]}},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31mline 1\x1b[0m", "line 2"]},
        {"output_type": "execute_result", "data": {"text/html": "<b>", "text/plain": ["a\n", "b"]}},
        {"output_type": "display_data", "data": {"text/html": "<b>only</b>"}},
    ]
    book = made(
        {"cell_type": "code", "execution_count": 2, "source": ["a\n", "b"], "outputs": outputs},
        {"cell_type": "markdown", "source": "text"}, {"cell_type": "strange", "source": 7},
        metadata={"kernelspec": {"display_name": "Python 3"}},
    )  # fmt: skip
    code, markdown, strange = book.cells
    assert (book.language, code.number, code.source) == ("Python 3", "2", "a\nb")
    assert code.outputs[0].picture == f"data:image/png;base64,{picture}"
    assert (code.outputs[1].text, code.outputs[1].error) == ("line 1\nline 2", True)
    assert code.outputs[2].text == "a\nb" and len(code.outputs) == 3
    assert (markdown.kind, strange.kind, strange.source) == ("markdown", "raw", "")


@pytest.mark.parametrize(
    "image",
    ["", 7, "%%%", "data:text/html,x", base64.b64encode(b"<svg/>").decode(), '"><script>alert(1)</script>', [1, 2]],
)
def test_a_picture_that_is_none_is_left_out(image: Any) -> None:
    output = {"output_type": "display_data", "data": {"image/png": image}}
    assert made({"cell_type": "code", "source": "", "outputs": [output]}).cells[0].outputs == []


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"cells": 1}', b"\xff", b"[" * 100_000, b'{"worksheets": []}', b'{"worksheets": [1]}'],
)
def test_what_is_no_notebook(data: bytes) -> None:
    assert notebook(data) is None


def test_notebooks_are_bounded() -> None:
    book = made(*[{"cell_type": "code", "source": "x" * 200_000}] * (MOST_CELLS + 5))
    assert (len(book.cells), book.left_out, len(book.cells[0].source)) == (MOST_CELLS, 5, 100_000)
    assert made({"cell_type": "code", "outputs": "x"}, 7).cells[0].outputs == []


def test_names_in_one_line() -> None:
    assert visible("a\n\x1b\udcff\u202e é") == "a\\n\\x1b\\xff\\u202e é"
    assert absolute("//a/./b/../../../c/") == "/c"
