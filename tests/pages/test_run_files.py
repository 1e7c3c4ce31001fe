"""A run's files and reports: for whoever may see the run, within its directories only."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from pipeline_management.choices import RunState
from pipeline_management.models import PipelineVersion, Run, RunEvent, System
from pipeline_management.services.outputs import check_outputs
from pipeline_management.services.previews.links import Link
from tests.factories import make_job
from tests.pages.site import Site

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def run(site: Site, tmp_path: Path) -> Run:
    """A run of the lab that has ended, with a few files."""
    folder = tmp_path / "run"
    (folder / "multiqc").mkdir(parents=True)
    (folder / "multiqc/report.html").write_text("<h1>Quality</h1>")
    (folder / "stdout").write_text("done\n")
    (folder / ".token").write_text("the run's token")
    (folder / "calls.vcf").write_text("##fileformat=VCFv4.2\n")
    (tmp_path / "secret").write_text("somebody's key")
    (folder / "out").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    (folder / "as-token").symlink_to(".token")
    return site.run(state=RunState.SUCCEEDED, directory=str(folder), submitted_at=timezone.now())


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def address(run: Run, path: str = "") -> str:
    return f"/runs/{run.pk}/files/{path}"


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def content_url(text: str) -> str:
    found = re.search(r'"(/content/[^"?]+)', text)
    assert found, text
    return found[1]


def test_the_lab_sees_the_directory_with_the_runs_own_account(site: Site, run: Run) -> None:
    viewer = site.client("viewer")
    page = text_of(viewer.get(address(run)))
    assert f'hx-get="{address(run)}"' in page and "Asking cluster" in page
    text = text_of(viewer.get(address(run), headers=HTMX))
    assert "stdout" in text and f'href="{address(run, "multiqc")}"' in text
    assert address(run, ".token") not in text_of(viewer.get(address(run) + "?hidden=1", headers=HTMX))
    assert "done" in text_of(viewer.get(address(run, "stdout"), headers=HTMX))
    assert 'name="action"' not in text, "nothing is changed here"
    assert site.client("outsider").get(address(run)).status_code == 404
    assert viewer.post(address(run)).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["out", "up", "up/secret", "as-token", ".token", "multiqc/..%2F..%2Fsecret", "%2e%2e/secret", "../secret",
     "..%2Fsecret", "/etc/passwd", "nothing"],
)  # fmt: skip
def test_nothing_else_is_shown(site: Site, run: Run, path: str) -> None:
    answer = site.client("viewer").get(address(run, path) + "?now=1", follow=True)
    assert answer.status_code in (403, 404), text_of(answer)
    for secret in ("somebody&#x27;s key", "token</pre>", "root:x:"):
        assert secret not in text_of(answer)


def test_a_signed_address_is_bound_to_its_person(site: Site, run: Run) -> None:
    viewer = site.client("viewer")
    text = text_of(viewer.get(address(run, "stdout"), headers=HTMX))
    url = content_url(text)
    answer = viewer.get(url + "?download=1")
    assert body(answer) == b"done\n" and answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment;")
    assert site.client("manager").get(url).status_code == 403
    assert site.client("outsider").get(url).status_code == 403
    assert viewer.get(url.replace("/content/", "/content/x")).status_code == 403
    outside = Link(str(Path(run.directory).parent / "secret"), run=run.pk).token(site.people["viewer"])
    assert viewer.get(f"/content/{outside}/x").status_code == 403
    site.lab.memberships.filter(user=site.people["viewer"]).delete()
    assert viewer.get(url).status_code == 404, "who has left the lab meanwhile"


def test_a_report_is_sent_with_its_own_policy(site: Site, run: Run) -> None:
    viewer = site.client("viewer")
    text = text_of(viewer.get(address(run, "multiqc/report.html"), headers=HTMX))
    assert 'sandbox="allow-scripts"' in text and "allow-same-origin" not in text
    url = content_url(text)
    answer = viewer.get(url, headers={"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin"})
    assert body(answer) == b"<h1>Quality</h1>"
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none'") and "connect-src" not in policy
    assert "allow-same-origin" not in policy and "http" not in policy and "'self'" in policy.split("frame-ancestors")[1]
    assert answer["X-Content-Type-Options"] == "nosniff" and answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["Content-Type"] == "text/html; charset=utf-8" and "no-store" in answer["Cache-Control"]
    alone = viewer.get(url, headers={"Sec-Fetch-Dest": "document"})
    assert alone.status_code == 403 and "Quality" not in text_of(alone)
    shown = text_of(viewer.get(address(run, "multiqc/report.html") + "?text=1", headers=HTMX))
    assert "&lt;h1&gt;Quality" in shown


def test_what_is_no_picture_report_or_pdf_is_never_shown_by_the_browser_itself(site: Site, run: Run) -> None:
    folder, viewer = Path(run.directory), site.client("viewer")
    for name in ("page.xhtml", "script.js", "data.json", "x.svgz", "noending", "a.shtml"):
        (folder / name).write_text("<script>alert(1)</script>")
        url = f"/content/{Link(str(folder / name), run=run.pk).token(site.people['viewer'])}/{name}"
        answer = viewer.get(url)
        assert answer["Content-Type"] == "application/octet-stream", name
        assert answer["Content-Disposition"].startswith("attachment;")
        assert answer["Content-Security-Policy"].startswith("sandbox;")
    (folder / "p.svg").write_text("<svg onload='alert(1)'/>")
    url = f"/content/{Link(str(folder / 'p.svg'), run=run.pk).token(site.people['viewer'])}/p.svg"
    assert viewer.get(url)["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


def test_reports_and_outputs(site: Site, run: Run, django_assert_max_num_queries: Any) -> None:
    declared = {"reports": ["multiqc/*.html"], "outputs": ["**/*.vcf", "nothing/*"]}
    PipelineVersion.objects.filter(pk=run.version_id).update(outputs=declared)
    viewer = site.client("viewer")
    for number, (path, label) in enumerate(
        [("calls.vcf", "the <b>calls</b>"), ("../secret", "bad"), ("/etc/passwd", "worse"), ("calls.vcf", "old")]
    ):
        RunEvent.objects.create(run=run, seq=9 - number, at=timezone.now(), actor="job", type="artifact",
                                data={"path": path, "label": label})  # fmt: skip
    page = text_of(viewer.get(f"/runs/{run.pk}/reports/"))
    assert "the &lt;b&gt;calls&lt;/b&gt;" in page and "Asking cluster" in page
    with django_assert_max_num_queries(12):
        text = text_of(viewer.get(f"/runs/{run.pk}/reports/", headers=HTMX))
    assert address(run, "multiqc/report.html") in text and 'id="reports"' in text
    assert 'id="outputs"' in text and 'id="artifacts"' in text
    assert "passwd" not in text and "secret" not in text and "old" not in text.split('id="artifacts"')[1]


def test_a_run_without_reports_says_so(site: Site, run: Run) -> None:
    text = text_of(site.client("viewer").get(f"/runs/{run.pk}/reports/"))
    assert "declares no reports" in text and "Asking" not in text


def test_a_run_without_a_directory(site: Site, tmp_path: Path) -> None:
    waiting = site.run(directory=str(tmp_path / "none"))
    answer = site.client("viewer").get(address(waiting) + "?now=1")
    assert answer.status_code == 404 and "has not been submitted yet" in text_of(answer)
    System.objects.update(enabled=False)
    answer = site.client("viewer").get(address(waiting) + "?now=1")
    assert answer.status_code == 503 and "switched off" in text_of(answer)


def test_the_files_of_a_job_script_are_its_submitters(site: Site, tmp_path: Path) -> None:
    job = make_job(lab=site.lab, submitter=site.people["submitter"], account=site.account, directory=str(tmp_path))
    for person in ("viewer", "manager", "submitter"):
        answer = site.client(person).get(address(job) + "?now=1")
        assert answer.status_code == 403 and "job script has no directory" in text_of(answer)


def test_the_directory_where_the_pipeline_works(site: Site, run: Run, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "w.txt").write_text("of the work directory")
    Run.objects.filter(pk=run.pk).update(work_directory=str(work))
    viewer = site.client("viewer")
    text = text_of(viewer.get(address(run) + "?in=work", headers=HTMX))
    assert f'href="{address(run, "w.txt")}?in=work"' in text and "stdout" not in text
    assert "?in=work&amp;sort=size" in text
    assert "of the work" in text_of(viewer.get(address(run, "w.txt") + "?in=work", headers=HTMX))


def test_hostile_names_in_a_run(site: Site, run: Run) -> None:
    folder = os.fsencode(run.directory)
    for name in (b"<b>x<", b"\xff\n", "\u202egnp".encode(), b"?a#b"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"the content")
    viewer = site.client("viewer")
    text = text_of(viewer.get(address(run), headers=HTMX))
    assert "<b>x" not in text and "\u202e" not in text
    hrefs = re.findall(rf'href="({address(run)}[^"]+)"', text)
    shown = [href for href in hrefs if "the content" in text_of(viewer.get(href, headers=HTMX))]
    assert len(shown) == 4


def test_previews_of_every_kind(site: Site, run: Run) -> None:
    folder, viewer = Path(run.directory), site.client("viewer")
    (folder / "t.csv").write_text("a;b\n1;<i>2</i>\n")
    (folder / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "d.pdf").write_bytes(b"%PDF-1.4")
    (folder / "b.bin").write_bytes(b"\0\1\2")
    cells = [{"cell_type": "code", "execution_count": 3, "source": ["print(1)"], "outputs": [
        {"output_type": "stream", "name": "stdout", "text": "1\n"},
        {"output_type": "display_data", "data": {"text/html": "<script>alert(1)</script>", "text/plain": "plain"}}]},
        {"cell_type": "markdown", "source": "# Title <script>"}]  # fmt: skip
    (folder / "n.ipynb").write_text(json.dumps({"cells": cells, "nbformat": 4}))

    def text(name: str, query: str = "") -> str:
        found = text_of(viewer.get(address(run, name) + query, headers=HTMX))
        assert "<script>" not in found and "<i>" not in found
        return found

    assert '<th scope="col">a</th>' in text("t.csv") and "&lt;i&gt;2" in text("t.csv")
    assert "1;&lt;i&gt;2" in text("t.csv", "?text=1")
    assert '<img src="/content/' in text("p.png")
    assert '<iframe class="preview-frame" src="/content/' in text("d.pdf")
    assert "This is no text" in text("b.bin")
    assert "[3]" in text("n.ipynb") and "# Title &lt;script&gt;" in text("n.ipynb") and "plain" in text("n.ipynb")
    (folder / "long.txt").write_text("".join(f"line {number}\n" for number in range(60_000)))
    assert "line 0\n" in text("long.txt") and "Later" in text("long.txt")
    assert "line 59999\n" in text("long.txt", "?end=1") and "Earlier" in text("long.txt", "?end=1")
    assert re.search(r">line \d+\n", text("long.txt", "?from=200000")), "it begins with a whole line"
    assert "line 0\n" in text("long.txt", "?from=nonsense")
    with (folder / "huge.html").open("wb") as file:
        file.truncate(51 * 1024 * 1024)
    assert "a preview of this kind goes up to" in text("huge.html") and "<iframe" not in text("huge.html")


@pytest.mark.parametrize(
    ("declared", "where"),
    [
        ([], ""), ({"report": []}, "/report"), ({"reports": "x"}, "/reports"), ({"reports": [1]}, "/reports/0"),
        ({"outputs": ["ok", "../x"]}, "/outputs/1"), ({"outputs": ["x"] * 21}, "/outputs"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_declaration(declared: Any, where: str) -> None:
    assert [problem.pointer for problem in check_outputs(declared)] == [where]
    assert check_outputs({"reports": ["a/*.html"]}) == []


def test_the_site_file_takes_patterns_that_stay_below_the_run() -> None:
    from pydantic import ValidationError

    from pipeline_management.services.site.schema import OutputsPart

    taken = OutputsPart(reports=["multiqc/*.html"])
    assert taken.model_dump(exclude_defaults=True) == {"reports": ["multiqc/*.html"]}
    assert OutputsPart().model_dump(exclude_defaults=True) == {}
    for wrong in (["../x"], ["/etc/*"], ["a**"], ["x"] * 21):
        with pytest.raises(ValidationError, match=r"expected|at most 20"):
            OutputsPart(outputs=wrong)
