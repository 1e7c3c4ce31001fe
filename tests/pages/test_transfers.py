"""The page of transfers: what it lists, what it begins, and in which words it refuses."""

from __future__ import annotations

import getpass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from pipeline_management.models import Transfer
from pipeline_management.models.transfer import TransferState
from tests.factories import make_account
from tests.pages.site import Site

pytestmark = pytest.mark.django_db
PAGE = "/transfers/"
EVIL = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def staging(settings: Any, tmp_path: Path) -> None:
    """An area of this test's own."""
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"path": tmp_path / "staging"}


@pytest.fixture
def mine(site: Site) -> None:
    """The submitter has an account of his own on the system."""
    make_account(site.account.system, site.people["submitter"], username=getpass.getuser())


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def made(site: Site, state: str = "moving", person: str = "submitter", **fields: Any) -> Transfer:
    values: dict[str, Any] = {
        "direction": "upload", "path": "/data/reads.fastq.gz", "limit": 10**9, "size": 4 * 1024**2,
        "bytes_done": 1024**2, "rate": 524288.0, "key": f"{Transfer.objects.count()}/f",
        "expires_at": timezone.now() + timedelta(days=7),
    }  # fmt: skip
    user = site.people[person]
    return Transfer.objects.create(
        user=user, account=site.account, state=state, **(values | fields)
    )


def test_who_has_no_account_is_told_so(site: Site) -> None:
    text = text_of(site.client("viewer").get(PAGE))
    assert "no account of your own on any system" in text
    assert "Nothing here yet" in text
    assert 'id="upload"' not in text


def test_what_a_line_says(site: Site, mine: None) -> None:
    made(site, "moving")
    made(site, "failed", error=f"disk quota exceeded {EVIL}", path=f"/data/{EVIL}")
    made(site, "ready", direction="download", link="https://store.example.org/?signature=secret")
    made(site, "awaiting", person="manager", path="/data/of-the-manager")
    text = text_of(site.client("submitter").get(PAGE))
    assert "reads.fastq.gz" in text and "1.0\xa0MB / 4.0\xa0MB · 512.0\xa0KB/s · 6 s left" in text
    assert 'value="0.25"' in text
    assert "disk quota exceeded" in text and EVIL not in text
    assert "of-the-manager" not in text
    assert "signature=secret" not in text, "the link is behind an address of ours"
    assert "Try again" in text and "Withdraw" in text and "Cancel" in text


def test_nothing_is_sent_while_nothing_changes(site: Site, mine: None) -> None:
    client, transfer = site.client("submitter"), made(site)
    text = text_of(client.get(PAGE, headers={"HX-Request": "true"}))
    assert text.lstrip().startswith('<section id="transfers-live"') and "every 2s" in text
    mark = text.split('data-mark="')[1].split('"')[0]
    same = {"HX-Request": "true", "X-Fragment": mark}
    assert client.get(PAGE, headers=same).status_code == 204
    Transfer.objects.filter(pk=transfer.pk).update(state="done", bytes_done=4 * 1024**2)
    answer = client.get(PAGE, headers=same)
    assert answer.status_code == 200
    assert "Done" in text_of(answer) and "every 15s" in text_of(answer)


def test_fetching_a_file(site: Site, mine: None, tmp_path: Path) -> None:
    (tmp_path / "result.txt").write_text("x")
    client = site.client("submitter")
    path = str(tmp_path / "result.txt")
    answer = client.post(PAGE, {"system": "cluster", "path": path}, follow=True)
    assert answer.status_code == 200
    assert "is being fetched" in text_of(answer) and "result.txt" in text_of(answer)
    assert Transfer.objects.get().state == "queued"


@pytest.mark.parametrize(
    ("system", "path", "sentence"),
    [
        ("cluster", "", "Name a file or a folder"),
        ("cluster", "a\nb", "Name a file or a folder"),
        ("cluster", "/no/such/file", "no such file or directory"),
        ("nowhere", "/etc/hostname", "There is no system nowhere."),
        (EVIL, "/etc/hostname", "There is no system"),
        ("cluster", "/dev/null", "is not a regular file"),
    ],
)
def test_a_refusal_stands_at_the_field(
    site: Site, mine: None, system: str, path: str, sentence: str
) -> None:
    answer = site.client("submitter").post(PAGE, {"system": system, "path": path})
    assert answer.status_code == 400
    assert sentence in text_of(answer) and 'id="path-fault"' in text_of(answer)
    assert EVIL not in text_of(answer)
    assert not Transfer.objects.exists()


def test_stop_and_try_again(site: Site, mine: None) -> None:
    client, transfer = site.client("submitter"), made(site, "moving")

    def press(name: str) -> str:
        path = reverse(f"transfer-{name}", kwargs={"pk": transfer.pk})
        return text_of(client.post(path, follow=True))

    assert "Only a failed transfer can be tried again." in press("retry")
    assert "The transfer is stopped." in press("cancel")
    assert Transfer.objects.get().state == "cancelled"
    assert "cancelled already" in press("cancel")
    Transfer.objects.update(state=TransferState.FAILED, direction="download")
    assert "It is tried again." in press("retry")
    assert Transfer.objects.get().state == "queued"


def test_the_way_to_the_file_is_for_its_owner(site: Site, mine: None) -> None:
    link = "https://store.example.org/f?signature=1"
    transfer = made(site, "ready", direction="download", link=link)
    path = f"{PAGE}{transfer.pk}/file/"
    answer = site.client("submitter").get(path)
    assert (answer.status_code, answer.headers["Location"]) == (302, link)
    assert site.client("manager").get(path).status_code == 404
    Transfer.objects.update(state="invalid")
    assert site.client("submitter").get(path).status_code == 404


def test_files_may_go_to_the_store_and_nowhere_else(site: Site, mine: None, settings: Any) -> None:
    settings.CENTRO_PUBLIC_URL = "https://portal.example.org"
    policy = site.client("submitter").get(PAGE).headers["Content-Security-Policy"]
    allowed = next(part for part in policy.split(";") if "connect-src" in part)
    assert allowed.split() == ["connect-src", "'self'", "https://portal.example.org"]
    other = site.client("submitter").get("/runs/").headers["Content-Security-Policy"]
    assert "portal.example.org" not in other


def test_many_have_pages(site: Site, mine: None) -> None:
    for _ in range(26):
        made(site, "done")
    client = site.client("submitter")
    assert "Page 1 of 2" in text_of(client.get(PAGE))
    second = text_of(client.get(f"{PAGE}?page=2"))
    assert "Page 2 of 2" in second and second.count('<tr id="transfer-') == 1
    assert client.get(f"{PAGE}?page=nonsense").status_code == 200


def test_the_menu_leads_there(site: Site) -> None:
    text = text_of(site.client("viewer").get("/"))
    assert f'href="{PAGE}"' in text
