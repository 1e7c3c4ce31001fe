"""Exports, mails and calls carry hostile values as text: no formula, no header, no second line."""

from __future__ import annotations

import csv
import email
import io
import json
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from openpyxl import load_workbook

from pipeline_management.models import Delivery
from pipeline_management.services.notifications import documents, mailing, run_mails
from tests.hostile.values import VALUES
from tests.hostile.world import World

pytestmark = pytest.mark.xdist_group("hostile")
DAYS = "period=custom&first=2026-11-19&last=2026-11-21"
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def exported(world: World, path: str) -> bytes:
    client = Client()
    client.force_login(world.administrator)
    answer = client.get(path)
    assert answer.status_code == 200
    streamed: Any = answer
    return b"".join(streamed.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize(
    "path", ["/runs/export/?format=csv", f"/usage/export/?format=csv&group=person&{DAYS}"]
)
def test_no_cell_of_a_csv_begins_a_formula(world: World, path: str) -> None:
    rows = list(csv.reader(io.StringIO(exported(world, path).decode(), newline="")))
    cells = [cell for row in rows for cell in row]
    assert len(rows) > 5 and len({len(row) for row in rows}) == 1, "no value made a row or a cell"
    assert not [cell for cell in cells if cell.startswith(STARTS) and not _is_number(cell)]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell[1:] not in VALUES["plus"] + VALUES["minus"]


@pytest.mark.parametrize(
    "path", ["/runs/export/?format=xlsx", f"/usage/export/?format=xlsx&group=person&{DAYS}"]
)
def test_no_cell_of_a_workbook_is_a_formula(world: World, path: str) -> None:
    book = load_workbook(io.BytesIO(exported(world, path)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert len(cells) > 50
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr", "n", "d"}
    assert not [
        cell.value
        for cell in cells
        if isinstance(cell.value, str) and str(cell.value).startswith(STARTS)
    ]
    assert not [cell.value for cell in cells if cell.hyperlink]


def test_json_gives_every_value_back(world: World) -> None:
    found = {
        run["id"]: run["name"] for run in json.loads(exported(world, "/runs/export/?format=json"))
    }
    for run in (*world.listed, *world.runs):
        run.refresh_from_db()
        assert found[str(run.pk)] == run.name
        shown = json.loads(exported(world, f"/api/v1/runs/{run.pk}/"))
        assert (shown["name"], shown["configuration"]) == (run.name, run.configuration)
    assert {run.name for run in world.listed} == set(VALUES.values())


@pytest.mark.parametrize("number", range(0, 50, 5))
def test_mails_have_the_headers_that_they_should(world: World, number: int) -> None:
    for run in (world.runs[number // 5], *world.listed[number : number + 5]):
        delivery = Delivery(
            run=run, user=run.submitter, address="sam@example.org", event_seq=1, purpose="run_end"
        )
        found = run_mails.content(delivery)
        assert found is not None
        message = mailing._message(delivery, *found).message()
        raw = message.as_bytes()
        parsed = email.message_from_bytes(raw)
        assert set(parsed) == {
            "Content-Type", "MIME-Version", "Content-Transfer-Encoding", "Subject", "From", "To", "Date",
            "Message-ID", "Auto-Submitted", "X-Centro-Run",
        }  # fmt: skip
        assert parsed["To"] == "sam@example.org" and parsed.get_content_type() == "text/plain"
        subject, text = found
        assert subject.isprintable() and len(subject) < 250
        assert all(char.isprintable() or char in "\n\t\N{REPLACEMENT CHARACTER}" for char in text)
    assert mail.get_connection() is not None


def test_calls_carry_the_values_as_json(world: World) -> None:
    for number, run in enumerate(world.runs):
        delivery = Delivery(run=run, event_seq=1, webhook=world.webhooks[number])
        kind, body = documents.document(delivery, world.labs[5 * number])
        assert kind == "run.failed"
        assert json.loads(body)["run"]["name"] == run.name
