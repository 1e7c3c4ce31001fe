"""The usage pages: who sees what, what is added up, exports, plots and budgets."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from openpyxl import load_workbook

from pipeline_management.choices import BudgetKind, RunState
from pipeline_management.models import AuditEvent, Budget, Delivery, Run, RunUsage
from pipeline_management.services.notifications import budget_mails
from pipeline_management.services.usage import budgets, counting, exporting, plots, reading
from pipeline_management.services.usage.periods import Period, month_of, named
from pipeline_management.views.usage_words import amount, drawn
from tests.factories import make_user, make_version
from tests.pages.site import Site

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 10)
MARCH = "first=2026-03-01&last=2026-03-31"


def used(
    site: Site, hours: float = 1, day: date | None = DAY, gpu: float = 0, **fields: Any
) -> Run:
    """A run that ended on the day (today for None) and is counted."""
    at = timezone.now() if day is None else datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    run = site.run(**({"state": RunState.SUCCEEDED, "finished_at": at} | fields))
    RunUsage.objects.create(run=run)
    values = {"core_seconds": int(hours * 3600), "gpu_seconds": int(gpu * 3600), "wait_seconds": 60}
    counting.record({run.pk: values})
    return run


def text_of(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


def rows_of(client: Client, query: str) -> dict[str, list[str]]:
    """The CSV by name."""
    text = text_of(client, f"/usage/export/?{query}")
    return {row[0]: row for row in list(csv.reader(io.StringIO(text)))[1:]}


def test_a_manager_sees_the_lab_a_submitter_himself_and_an_administrator_all(site: Site) -> None:
    used(site, 3)
    used(site, 5, submitter=site.people["manager"])
    used(site, 7, lab=site.other_lab, submitter=site.people["outsider"])
    seen = {name: sorted(rows_of(site.client(name), MARCH)) for name in site.people}
    assert seen == {
        "manager": ["manager", "submitter"],
        "submitter": ["submitter"],
        "viewer": [],
        "outsider": ["outsider"],
        "administrator": ["manager", "outsider", "submitter"],
    }


def test_it_is_added_up_by_everything_offered(site: Site) -> None:
    used(site, 3, gpu=2)
    used(site, 5, state=RunState.FAILED)
    used(site, 1, day=date(2026, 2, 27), version=make_version("other"))
    client = site.client("manager")
    query = "first=2026-02-01&last=2026-03-31&group="
    by_pipeline = rows_of(client, query + "pipeline")
    assert by_pipeline["hello"][3:8] == ["2", "1", "1", "0", "0.5"]
    assert by_pipeline["hello"][8:] == ["8.0", "2.0", "60.0", "2"]
    assert by_pipeline["other"][8] == "1.0"
    assert sorted(rows_of(client, query + "month")) == ["2026-02", "2026-03"]
    assert list(rows_of(client, query + "system")) == ["cluster"]
    assert list(rows_of(client, query + "lab")) == ["genomics"]


def test_job_scripts_and_runs_of_no_lab_have_a_row(site: Site) -> None:
    run = used(site, 2)
    Run.objects.filter(pk=run.pk).update(version=None, lab=None)
    counting.rebuild([DAY])
    client = site.client("submitter")
    assert list(rows_of(client, MARCH + "&group=pipeline")) == ["Job scripts"]
    assert list(rows_of(client, MARCH + "&group=lab")) == ["No lab"]
    assert "Job scripts" in text_of(client, f"/usage/?{MARCH}&group=pipeline")


def test_a_row_leads_to_its_runs_and_the_columns_sort(site: Site) -> None:
    used(site, 3)
    used(site, 5, submitter=site.people["manager"])
    text = text_of(site.client("manager"), f"/usage/?{MARCH}")
    assert (
        'href="/runs/?submitter=submitter&amp;created_after=2026-03-01&amp;created_before=2026-03-31"'
        in text
    )
    table = text.split('id="usage-table"')[1]
    assert table.index(">manager<") < table.index(">submitter<"), "the most core hours first"
    text = text_of(site.client("manager"), f"/usage/?{MARCH}&sort=core")
    table = text.split('id="usage-table"')[1]
    assert table.index(">submitter<") < table.index(">manager<")
    assert 'aria-sort="ascending"' in table and "sort=-core" in table


def test_a_page_without_anything_says_so(site: Site) -> None:
    assert "No run ended in this period." in text_of(site.client("viewer"), "/usage/")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("first=2026-03-10", "Give a day as YYYY-MM-DD."),
        ("first=2026-03-10&last=2026-03-01", "The last day is before the first."),
        ("first=1900-01-01&last=2026-03-01", "At most 3660 days at once."),
        ("first=x&last=2026-03-01", "Enter a valid date."),
        ("period=century", "century is not one of the available choices."),
        ("group=mood", "mood is not one of the available choices."),
        ("measure=x", "x is not one of the available choices."),
        ("lab=imaging", "not one of the available choices."),
        ("sort=x", "The table cannot be sorted by that."),
    ],
)
def test_a_wrong_choice_is_said_beside_the_field(site: Site, query: str, said: str) -> None:
    assert said in text_of(site.client("manager"), f"/usage/?{query}", 400)
    text_of(site.client("manager"), f"/usage/export/?{query}", 400)


def test_an_export_in_an_unknown_form_is_refused(site: Site) -> None:
    assert "expected csv or xlsx" in text_of(
        site.client("manager"), "/usage/export/?format=pdf", 400
    )


def test_the_number_of_queries_does_not_grow(site: Site) -> None:
    client = site.client("manager")

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, f"/usage/?{MARCH}&measure=runs")
        return len(queries)

    used(site)
    count()  # a database's features are asked for once
    few = count()
    for number in range(8):
        used(site, submitter=make_user(), day=DAY + timedelta(days=number))
    assert count() == few <= 14


HOSTILE = ["=1+1", "@SUM(A1)", "-2+3", "\u202eevil", "\uff1dx", "a\x07b", "<script>x</script>"]


@pytest.mark.parametrize("name", HOSTILE)
def test_exports_run_nothing_whatever_somebody_is_called(name: str) -> None:
    row = reading.Row(name, name, reading.Sums(runs=1, core_seconds=3600, measured=1))
    period = Period(DAY, DAY)
    (line,) = list(csv.reader(io.StringIO(exporting.as_csv([row], period, "person"))))[1:]
    book = load_workbook(io.BytesIO(exporting.as_workbook([row], period, "person")))
    cell = book.active["A2"]
    assert cell.data_type == "s"
    for text in (line[0], str(cell.value)):
        assert not text.startswith(("=", "@", "-", "+", "\uff1d"))
    assert line[8] == "1.0" and book.active["I2"].value == 1


def test_hostile_names_are_shown_as_text(site: Site) -> None:
    site.lab.name = "<script>alert(1)</script>"
    site.lab.save()
    used(site)
    text = text_of(site.client("manager"), f"/usage/?{MARCH}&group=lab")
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text


# --- plots --------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", reading.Measure.values)
@pytest.mark.parametrize("last", [DAY, DAY + timedelta(days=30), DAY + timedelta(days=700)])
def test_the_plot_is_well_formed_and_says_in_words_what_it_shows(
    site: Site, measure: str, last: date
) -> None:
    used(site, 3, gpu=1)
    used(site, 2, state=RunState.FAILED)
    text = text_of(site.client("manager"), f"/usage/?first={DAY}&last={last}&measure={measure}")
    start = text.index('<svg class="plot-area"')
    svg = ElementTree.fromstring(text[start : text.index("</svg>", start) + 6])  # noqa: S314  our own page
    assert svg.get("role") == "img"
    assert [child.tag for child in svg][:2] == ["title", "desc"]
    assert "Most on" in str(svg[1].text)
    height = max(
        float(rect.get("height", 0)) for rect in svg.iter("rect") if "part" in rect.get("class", "")
    )
    assert 0 < height <= 100
    assert 'id="course-table"' in text
    assert " style=" not in text


def test_bars_stack_from_below_and_stay_inside() -> None:
    plot = plots.bars([("a", [("ok", 3), ("bad", 1)]), ("b", [("ok", 0), ("bad", 0)])])
    ok, bad = plot.bars[0].parts
    assert (plot.top, ok.y, ok.height, bad.y, bad.height) == (5, 40, 60, 20, 20)
    assert plot.bars[1].parts == ()
    assert plots.bars([]).view_box == "0 0 12 100"


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.03, 0.05), (7, 10), (1000, 1000), (1001, 2000)]
)
def test_the_axis_ends_at_an_even_number(value: float, top: float) -> None:
    assert plots.rounded_up(value) == pytest.approx(top)


def test_a_long_period_is_drawn_by_month() -> None:
    period = Period(date(2025, 1, 15), date(2026, 3, 10))
    assert len(period.steps()) == 15 and drawn([], "core", period).title == "Core hours by month"
    assert named("last-month", date(2026, 1, 5)) == Period(date(2025, 12, 1), date(2025, 12, 31))
    assert named("quarter", date(2026, 5, 5)).first == date(2026, 4, 1)
    assert month_of(date(2024, 2, 9)).last == date(2024, 2, 29)


def test_amounts_in_words() -> None:
    assert amount(None, "core") == "–"
    assert amount(0.041, "failures") == "4.1 %"
    assert amount(200, "wait") == "3 min 20 s"
    assert amount(12345.6, "core") == "12,346"


# --- budgets ------------------------------------------------------------------------------------


def budget_of(site: Site, hours: int, **fields: Any) -> Budget:
    return Budget.objects.create(lab=site.lab, core_hours=hours, **fields)


def test_only_managers_set_a_budget(site: Site) -> None:
    address = "/usage/budgets/genomics/"
    for name in ("viewer", "submitter", "outsider"):
        text_of(site.client(name), address, 404)
        assert (
            site.client(name).post(address, {"kind": "month", "core_hours": 5}).status_code == 404
        )
    answer = site.client("manager").post(address, {"kind": "month", "core_hours": 500})
    assert answer.status_code == 302
    assert Budget.objects.get().core_hours == 500
    assert AuditEvent.objects.filter(action="budget.set", target="lab genomics").exists()
    assert "Last changed by manager" in text_of(site.client("manager"), address)
    assert site.client("manager").post(address, {"remove": "1"}).status_code == 302
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "month", "core_hours": "0"}, "greater than or equal to 1"),
        ({"kind": "month", "core_hours": "-5"}, "greater than or equal to"),
        ({"kind": "month", "core_hours": str(10**13)}, "less than or equal to"),
        ({"kind": "never", "core_hours": "5"}, "not one of the available choices"),
        ({"kind": "period", "core_hours": "5"}, "Give a day as YYYY-MM-DD."),
        ({"kind": "period", "core_hours": "5", "starts": "2026-02-01", "ends": "2026-01-01"}, "before the first"),
        ({"kind": "period", "core_hours": "5", "starts": "1900-02-01", "ends": "2026-01-01"}, "At most 3660 days"),
    ],
)  # fmt: skip
def test_a_wrong_budget_is_said_beside_the_field(
    site: Site, data: dict[str, str], said: str
) -> None:
    answer = site.client("manager").post("/usage/budgets/genomics/", data)
    assert answer.status_code == 400 and said in answer.content.decode()
    assert not Budget.objects.exists()


def test_the_bar_warns_at_its_thresholds(site: Site) -> None:
    budget_of(site, 100)
    shown = []
    for hours in (79, 1, 15, 5, 10):
        used(site, hours, day=None)
        (one,) = budgets.seen_by(site.people["manager"])
        shown.append((one.percent, one.threshold, one.tone))
    assert shown == [
        (79, 0, "success"), (80, 80, "warning"), (95, 95, "danger"), (100, 100, "danger"), (110, 100, "danger"),
    ]  # fmt: skip
    text = text_of(site.client("manager"), "/usage/")
    assert "Used up" in text and "110 of 100 core hours" in text
    assert 'class="meter-used danger" width="100"' in text
    assert "Used up" not in text_of(site.client("outsider"), "/usage/")


def test_a_project_s_budget_counts_its_own_days_only(site: Site) -> None:
    today = budgets.today()
    budget = budget_of(
        site, 10, kind=BudgetKind.PERIOD, starts=today, ends=today + timedelta(days=9)
    )
    used(site, 4, day=None)
    used(site, 4, day=today - timedelta(days=1))
    (one,) = budgets.standings([budget])
    assert one.percent == 40
    assert budgets.pace(one) == today + timedelta(days=2)
    budget.ends = budget.starts = today - timedelta(days=1)
    assert budgets.standings([budget]) == []


def test_a_run_is_warned_of_before_it_is_submitted(site: Site) -> None:
    assert budgets.budget_warning(site.lab, 1000) is None
    assert budgets.budget_warning(None, 1000) is None
    budget_of(site, 1000)
    assert budgets.budget_warning(site.lab, 799) is None
    assert "This run may take 1,200 core hours" in str(budgets.budget_warning(site.lab, 1200))
    used(site, 850, day=None)
    assert "has used 850 of its 1,000" in str(budgets.budget_warning(site.lab, 1))
    used(site, 200, day=None)
    assert "used up: 1,050 of 1,000" in str(budgets.budget_warning(site.lab, 0))


def test_managers_are_mailed_once_at_each_threshold(site: Site, settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.org"
    manager = site.people["manager"]
    manager.email = "manager@example.org"
    manager.save()
    budget_of(site, 100)
    made = []
    for hours in (79, 2, 1, 14, 5, 5):
        used(site, hours, day=None)
        made.append(budget_mails.queue_due())
    assert made == [0, 1, 0, 1, 1, 0]
    last = Delivery.objects.order_by("created_at").last()
    assert last is not None and (last.purpose, last.user) == ("budget", manager)
    said = budget_mails.content(last)
    assert said is not None and said[0] == "[Centro] genomics has used 101 % of its core hours"
    assert "101 of its 100 core hours" in said[1] and "/usage/" in said[1]
    site.lab.memberships.filter(user=manager).delete()
    assert budget_mails.content(last) is None
