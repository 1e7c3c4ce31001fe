"""The viewer of a run's output in a real browser, on real files read by the real commands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.cache import cache
from playwright.sync_api import expect

from pipeline_management.choices import RunState, TaskState
from pipeline_management.models import Run, RunTask
from pipeline_management.services import log_sharing
from tests.browser.test_look import CONTRAST, STRUCTURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.conftest import Open, Watch
    from tests.pages.site import Site

pytestmark = pytest.mark.browser


@pytest.fixture
def run(site: Site, tmp_path: Path) -> Run:
    """A running job with an empty stdout in ``tmp_path``."""
    log_sharing.forget()
    cache.clear()
    (tmp_path / "stdout").touch()
    return site.run(state=RunState.RUNNING, job_id="17", directory=str(tmp_path), name="watched")


def over(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=RunState.SUCCEEDED)


def shown(page: Page) -> list[str]:
    """The lines that are drawn."""
    return page.locator(
        ".log-row:not(.log-overwritten, .log-folded) > .log-line"
    ).all_text_contents()


def numbers(page: Page) -> list[str]:
    return page.locator(".log-number").evaluate_all("all => all.map(e => e.dataset.n)")


def in_sight(page: Page) -> list[str]:
    """The lines that a reader sees."""
    return page.evaluate("""() => {
      const box = document.getElementById("log-text").getBoundingClientRect();
      return Array.from(document.querySelectorAll(".log-row")).filter(e => {
        const b = e.getBoundingClientRect(); return b.bottom > box.top + 2 && b.top < box.bottom - 2;
      }).map(e => e.lastChild.textContent);
    }""")


def test_what_a_terminal_would_show(open_as: Open, run: Run, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(
        b"\x1b[31mred\x1b[0m plain \x1b[1;92mbold green\x1b[m\n"
        b"\x1b[38;5;196mbright\x1b[39m\x1b[48;2;0;0;200m blue ground\x1b[0m\n"
        b"10%\r50%\r\x1b[32m100% done\x1b[0m\r\n"
        b"\x1b]0;title\x07\x1b[2J\x1b[10;5Hmoved \x07bell \x00nul \xe2\x80\xaeturned\n"
        b"<script>window.bad = 1</script><img src=x onerror='window.bad = 1'>\n"
        b"bad \xff\xfe bytes, caf\xc3\xa9 \xf0\x9f\x8e\x89\n"
        b"\x1b[33mruns on\nto the next\x1b[0m line\n"
        b"::error file=a::broken\n"
    )
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/log/")
    expect(page.locator("#log-text")).to_contain_text("broken")
    assert shown(page) == [
        "red plain bold green", "bright blue ground", "100% done", "moved \ufffdbell \ufffdnul \ufffdturned",
        "<script>window.bad = 1</script><img src=x onerror='window.bad = 1'>",
        "bad \ufffd\ufffd bytes, café 🎉", "runs on", "to the next line", "::error file=a::broken",
    ]  # fmt: skip
    assert numbers(page) == [str(number) for number in range(1, 10)]
    spans = page.locator(".log-line span").evaluate_all(
        "all => all.map(e => [e.textContent, e.className])"
    )
    assert spans == [
        ["red", "ansi-f1"], ["bold green", "ansi-f10 ansi-bold"], ["bright", "ansi-f1"],
        [" blue ground", "ansi-on ansi-b4"], ["100% done", "ansi-f2"], ["runs on", "ansi-f3"],
        ["to the next", "ansi-f3"],
    ]  # fmt: skip
    assert page.evaluate("window.bad") is None
    assert page.locator(".log-danger").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_is_readable(open_as: Open, run: Run, tmp_path: Path, scheme: Any) -> None:
    codes = [
        *range(30, 38),
        *range(90, 98),
        *range(40, 48),
        *range(100, 108),
        1,
        2,
        7,
        "31;7",
        "1;2;36",
    ]
    text = "".join(f"\x1b[{code}mcolour {code}\x1b[0m\n" for code in codes)
    (tmp_path / "stdout").write_text(
        text + "::error::a\n::warning::b\n::notice::c\n::debug::d\n::group::e\n"
    )
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/log/#L2", color_scheme=scheme)
    expect(page.locator(".log-target")).to_have_text("colour 31")
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(STRUCTURE) == []
    page.locator("#log-find").fill("colour 3")
    page.locator("#log-find").press("Enter")
    expect(page.locator(".log-current")).to_have_count(1)
    assert page.evaluate(CONTRAST) == []


def ansi(page: Page, text: str) -> list[list[str]]:
    """The parts of a line as the script makes them."""
    return page.evaluate(
        "text => centroAnsi.line(text, centroAnsi.PLAIN).parts.map(part => [part.text, part.classes])",
        text,
    )


def test_colours_of_a_terminal_become_classes(open_as: Open, run: Run) -> None:
    page = open_as("viewer", f"/runs/{run.pk}/log/")
    table: dict[str, list[list[str]]] = {
        "": [], "plain": [["plain", ""]], "\r": [], "a\rb": [["b", ""]], "a\r\r": [["a", ""]],
        "\x1b[7mx": [["x", "ansi-inverse"]], "\x1b[31;7mx": [["x", "ansi-on ansi-b1"]],
        "\x1b[31;44;7mx": [["x", "ansi-f4 ansi-on ansi-b1"]], "\x1b[7;27mx": [["x", ""]],
        "\x1b[1;2;22mx": [["x", ""]], "\x1b[3;4;9mx": [["x", "ansi-italic ansi-underline ansi-struck"]],
        "\x1b[1;1mx": [["x", "ansi-bold"]], "\x1b[38;5mx": [["x", "ansi-f0"]], "\x1b[38;9mx": [["x", ""]],
        "\x1b[38:2:255:255:255mx": [["x", "ansi-f15"]], "\x1b[38;5;244mx": [["x", "ansi-f8"]],
        "\x1b[38;5;9999mx": [["x", "ansi-f0"]], "\x1b[97;107mx": [["x", "ansi-f15 ansi-on ansi-b15"]],
        "\x1b[31mx\x1b[39my": [["x", "ansi-f1"], ["y", ""]], "\x1b[Kx\x1b[3Dy": [["x", ""], ["y", ""]],
        "\x1b[?25lx": [["x", ""]], "\x1b[>4;2mx": [["x", ""]], "\x1b[31": [["\ufffd[31", ""]], "\x1b": [["\ufffd", ""]],
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": [["link", ""]], "a\x1b[31m\rb": [["b", "ansi-f1"]],
        "tab\tok": [["tab\tok", ""]],
    }  # fmt: skip
    wrong = {text: found for text, parts in table.items() if (found := ansi(page, text)) != parts}
    assert wrong == {}


def test_new_lines_are_followed_until_one_scrolls_up(
    open_as: Open, run: Run, tmp_path: Path
) -> None:
    log = tmp_path / "stdout"
    log.write_text("".join(f"line {number}\n" for number in range(1, 401)))
    page = open_as("viewer", f"/runs/{run.pk}/")
    area, follow = page.locator("#log-text"), page.locator("#log-follow")
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(area).to_have_attribute("aria-live", "polite")
    expect(area).to_contain_text("line 400")
    with log.open("a") as file:
        file.write("50%\r60% of ")
    expect(area).to_contain_text("60% of")
    assert in_sight(page)[-1] == "60% of "
    with log.open("a") as file:
        file.write("all\nline 402\n")
    expect(area).to_contain_text("line 402")
    assert in_sight(page)[-2:] == ["60% of all", "line 402"]
    assert numbers(page)[-1] == "402"
    area.evaluate("e => { e.scrollTop = 0 }")
    expect(follow).to_have_attribute("aria-pressed", "false")
    expect(area).to_have_attribute("aria-live", "off")
    with log.open("a") as file:
        file.write("line 403\nline 404\n")
    fresh = page.locator("#log-fresh")
    expect(fresh).to_have_text("2 new lines – jump to the end")
    assert in_sight(page)[0] == "line 1"
    fresh.click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    expect(fresh).to_be_hidden()
    assert in_sight(page)[-1] == "line 404"
    with log.open("a") as file:
        file.write("the end\n")
    over(run)
    expect(area).to_contain_text("the end")
    expect(follow).to_be_hidden()
    assert shown(page).count("line 404") == 1 and len(shown(page)) == 405


@pytest.fixture
def huge(run: Run, tmp_path: Path) -> Callable[[int], int]:
    """2 GB of lines of 100 bytes, of which only the beginning and the end are on the disk; returns where a line is."""
    size = 2_000_000_000

    def line(number: int) -> bytes:
        return b"%012d %s\n" % (number, b"." * 86)

    with (tmp_path / "stdout").open("wb") as file:
        for start in (0, 1_000_000_000, size - 2_000_000):
            file.seek(max(0, start - 1))
            file.write(b"\n" if start else b"")
            file.write(b"".join(line(start // 100 + number) for number in range(1, 20_001)))
    over(run)
    return lambda number: (number - 1) * 100


def test_two_gigabytes_are_scrolled_like_a_small_file(open_as: Open, run: Run, huge: Any) -> None:
    requests: list[int] = []
    page = open_as("viewer", "/")
    page.on("response", lambda answer: requests.append(1) if "/log/?" in answer.url else None)
    page.goto(f"/runs/{run.pk}/log/")
    area = page.locator("#log-text")
    expect(area).to_contain_text(f"{20_000_000:012d}")
    first = len(requests)
    assert first < 8
    idle = "() => document.getElementById('log-viewer').dataset.state === 'idle'"
    area.evaluate("e => { e.scrollTop = 0 }")
    expect(area).to_contain_text(f"{1:012d}")
    page.wait_for_function("() => document.querySelector('.log-number').dataset.n === '1'")
    for _ in range(30):
        area.evaluate("e => { e.scrollTop += 400 }")
        page.wait_for_timeout(20)
    page.wait_for_function(idle)
    seen = [int(text.split()[0]) for text in in_sight(page) if text]
    assert seen == list(range(seen[0], seen[0] + len(seen))) and 300 < seen[0] < 900
    area.evaluate(
        "e => { e.scrollTop = e.scrollHeight / 2 + 500 }"
    )  # the thumb is drawn to the middle
    page.wait_for_function(
        "() => centroOutput.window.start > 900_000_000 && centroOutput.window.end < 1_100_000_000"
    )
    page.wait_for_function(idle)
    assert page.locator(".log-row").count() < 13_000
    assert len(requests) - first < 60
    page.locator("#log-bottom").click()
    expect(area).to_contain_text(f"{20_000_000:012d}")


def test_a_link_leads_to_a_line(open_as: Open, run: Run, huge: Any) -> None:
    page = open_as("viewer", f"/runs/{run.pk}/log/?stream=stdout#L12345")
    target = page.locator(".log-target")
    expect(target).to_contain_text(f"{12345:012d}")
    expect(target).to_be_in_viewport()
    assert (
        target.locator(".log-number").get_attribute("href")
        == f"/runs/{run.pk}/log/?stream=stdout#L12345"
    )
    page.goto(f"/runs/{run.pk}/#stdout-B1000000000")
    expect(target).to_contain_text(f"{10_000_001:012d}")
    assert target.locator(".log-number").get_attribute("data-n") == "·", (
        "nothing of this size is counted unasked"
    )
    target.locator(".log-number").evaluate("e => e.click()")
    assert page.url.endswith("#stdout-B1000000000")


def test_a_line_that_is_not_there_is_said(open_as: Open, run: Run, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_text("one\ntwo\n")
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/log/#L500")
    expect(page.locator("#log-text")).to_contain_text("two")
    for wrong in ("#L", "#Lx", "#<script>", "#L1e3"):
        page.goto(f"/runs/{run.pk}/log/{wrong}")
        expect(page.locator("#log-text")).to_contain_text("two")


def test_searching_and_errors(open_as: Open, run: Run, watch: Watch, tmp_path: Path) -> None:
    watch.expected = ("400 (Bad Request)",)
    lines = [f"line {number}" for number in range(1, 3001)]
    lines[1499] = "a Needle (here)"
    lines[2499] = "another needle"
    lines[699] = "ERROR: it broke"
    lines[1799] = "KeyError: 'x'"
    (tmp_path / "stdout").write_text("\n".join(lines) + "\n")
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/log/")
    expect(page.locator("#log-text")).to_contain_text("line 3000")
    field, count, current = (
        page.locator("#log-find"),
        page.locator("#log-count"),
        page.locator(".log-current"),
    )
    field.fill("needle")
    field.press("Enter")
    expect(count).to_have_text("1 / 2")
    expect(current).to_have_text("a Needle (here)")
    expect(current).to_be_in_viewport()
    expect(current.locator(".log-number")).to_have_attribute("data-n", "1500")
    field.press("Enter")
    expect(count).to_have_text("2 / 2")
    expect(current).to_have_text("another needle")
    field.press("Shift+Enter")
    expect(current).to_have_text("a Needle (here)")
    assert page.evaluate("CSS.highlights.get('log-found').size") >= 1
    field.fill("Needle")
    field.press("Enter")
    expect(count).to_have_text("1 / 1")  # a capital letter makes the case count
    page.locator("#log-regex").check()
    field.fill("^line (7|8)00$")
    field.press("Enter")
    expect(count).to_have_text("1 / 1")
    expect(current).to_have_text("line 800")
    field.fill("(")
    field.press("Enter")
    expect(count).to_contain_text("Unmatched")
    field.fill("nowhere")
    field.press("Enter")
    expect(count).to_have_text("not found")
    page.locator("#log-error").click()
    expect(count).to_have_text("1 / 2")
    expect(current).to_have_text("ERROR: it broke")
    page.locator("#log-error").click()
    expect(current).to_have_text("KeyError: 'x'")
    page.locator("#log-text").press("n")
    expect(current).to_have_text("ERROR: it broke")
    field.press("Escape")
    expect(page.locator(".log-hit")).to_have_count(0)


def test_what_is_copied_has_no_line_numbers(open_as: Open, run: Run, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_bytes(b"\x1b[31mone\x1b[0m\ntwo\n1%\r2%\n")
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/log/")
    expect(page.locator("#log-text")).to_contain_text("two")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#log-copy").click()
    expect(page.locator("#log-copy")).to_have_class("btn btn-plain btn-tiny tone-success")
    assert page.evaluate("navigator.clipboard.readText()") == "one\ntwo\n2%\n"
    selected = page.evaluate("""() => { getSelection().selectAllChildren(document.querySelector(".log-chunk"));
                                        return getSelection().toString(); }""")
    assert selected.split() == ["one", "two", "2%"]
    with page.expect_download() as download:
        page.locator("#log-download").click()
    assert download.value.suggested_filename == "watched-stdout.log"
    assert download.value.path().read_bytes().startswith(b"\x1b[31mone")


def test_keys_wrapping_groups_and_tasks(
    open_as: Open, run: Run, site: Site, tmp_path: Path
) -> None:
    text = "before\n::group::Align\ninside 1\ninside 2\n::endgroup::\nafter\n" + "x" * 3000 + "\n"
    (tmp_path / "stdout").write_text(text)
    (tmp_path / "align.log").write_text("the task says\n")
    RunTask.objects.create(run=run, name="align", key="k", state=TaskState.RUNNING, log_path="align.log",
                           reported_at=run.created_at)  # fmt: skip
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/")
    area = page.locator("#log-text")
    expect(area).to_contain_text("inside 2")
    page.locator(".log-group .log-line").click()
    expect(page.get_by_text("inside 1")).to_be_hidden()
    expect(page.get_by_text("after", exact=True)).to_be_visible()
    page.locator(".log-group .log-line").click()
    expect(page.get_by_text("inside 1")).to_be_visible()
    assert area.evaluate("e => e.scrollWidth <= e.clientWidth")
    area.press("w")
    assert area.evaluate("e => e.scrollWidth > e.clientWidth")
    area.press("w")
    area.press("/")
    assert page.evaluate("document.activeElement.id") == "log-find"
    page.locator("#log-task").select_option("align")
    expect(area).to_contain_text("the task says")
    expect(page.locator('[role="tab"][aria-selected="true"]')).to_have_count(0)
    page.get_by_role("tab", name="stdout").click()
    expect(area).to_contain_text("inside 2")


def test_without_scripts_the_pieces_are_pages(open_as: Open, run: Run, tmp_path: Path) -> None:
    (tmp_path / "stdout").write_text("".join(f"line {number}\n" for number in range(1, 20_001)))
    over(run)
    page = open_as("viewer", f"/runs/{run.pk}/log/", java_script_enabled=False)
    expect(page.locator("pre.log")).to_contain_text("line 20000")
    page.get_by_role("link", name="Earlier").click()
    text = page.locator("pre.log").text_content() or ""
    assert text.startswith("line ") and "line 20000" not in text
    page.get_by_role("link", name="Later").click()
    expect(page.locator("pre.log")).to_contain_text("line 20000")


def test_a_system_that_does_not_answer_is_said_and_got_over(
    open_as: Open, run: Run, watch: Watch, tmp_path: Path
) -> None:
    watch.expected = ("503", "Failed to load resource")
    (tmp_path / "stdout").write_text("first\n")
    page = open_as("viewer", f"/runs/{run.pk}/log/")
    expect(page.locator("#log-text")).to_contain_text("first")
    expect(page.locator("#log-dot")).to_have_class("log-dot is-live")
    page.route("**/log/?*", lambda route: route.fulfill(status=503, body="away"))
    expect(page.locator("#log-dot")).to_have_class("log-dot is-away", timeout=15_000)
    page.unroute("**/log/?*")
    (tmp_path / "stdout").write_text("first\nsecond\n")
    expect(page.locator("#log-text")).to_contain_text("second", timeout=20_000)
    expect(page.locator("#log-dot")).to_have_class("log-dot is-live")
