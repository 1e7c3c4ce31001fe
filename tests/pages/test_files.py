"""The file browser: what a directory and a file look like, what can be done, and what is refused in which words."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.file_names import quoted, tail_of, unquoted, visible
from pipeline_management.models import AuditEvent, System
from tests.factories import make_account
from tests.pages.site import Site

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def home(site: Site, tmp_path: Path) -> Path:
    """A folder on the system, where the submitter has an account of his own."""
    make_account(site.account.system, site.people["submitter"], username=getpass.getuser())
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def address(path: Path | str) -> str:
    return f"/files/cluster{quoted(str(path))}"


def part(site: Site, path: Path | str, **query: str) -> Any:
    """What the browser asks for to fill the page."""
    return site.client("submitter").get(address(path), query, headers=HTMX)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def post(site: Site, path: Path | str, **fields: Any) -> Any:
    return site.client("submitter").post(address(path), fields)


def test_the_systems_one_may_browse(site: Site, home: Path) -> None:
    System.objects.filter(name="cluster").update(
        filesystems=[{"name": f"DATA {EVIL}", "path": "/data", "description": "large"}]
    )
    text = text_of(site.client("submitter").get("/files/"))
    assert "/files/cluster/?go=~" in text and 'href="/files/cluster/data"' in text
    assert EVIL not in text
    text = text_of(site.client("viewer").get("/files/"))
    assert "no account of your own" in text and "/files/cluster/" not in text


def test_the_page_comes_without_asking_the_system(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr("pipeline_management.services.file_places.client_for", None)
    client = site.client("submitter")
    client.get(address(home))
    with django_assert_max_num_queries(5):
        answer = client.get(address(home) + "?sort=-size")
    text = text_of(answer)
    assert f'hx-get="{address(home)}?sort=-size"' in text and "Asking cluster" in text
    assert 'content="0;url=?now=1&amp;sort=-size"' in text, "without scripts it asks for itself again"


def test_a_directory(site: Site, home: Path) -> None:
    (home / "reads.fastq").write_bytes(b"x" * 2048)
    (home / "sub").mkdir()
    (home / ".hidden").touch()
    (home / "to-sub").symlink_to("sub")
    (home / "broken").symlink_to("nowhere")
    os.utime(home / "reads.fastq", (1_000_000_000, 1_000_000_000))
    text = text_of(part(site, home))
    assert "reads.fastq" in text and "2.0\xa0KB" in text and "-rw-" in text
    assert 'datetime="2001-09-09T01:46:40Z"' in text
    assert text.index(">sub<") < text.index("reads.fastq"), "folders first"
    assert "leads nowhere" in text and ".hidden" not in text and "Show 1 dot file" in text
    assert f'href="{address(home / "sub")}"' in text
    assert f'href="{address(home.parent)}"' in text
    assert ".hidden" in text_of(part(site, home, hidden="1"))
    whole = text_of(site.client("submitter").get(address(home) + "?now=1"))
    assert "reads.fastq" in whole and "<html" in whole


def names(text: str) -> list[str]:
    rows = text.split("<tbody>")[1].split("</tbody>")[0].split("<bdi>")[1:]
    return [row.split("</bdi>")[0] for row in rows]


def test_sorting_filtering_and_pages(site: Site, home: Path) -> None:
    for number in range(450):
        (home / f"f{number:03d}.txt").write_bytes(b"x" * (450 - number))
    text = text_of(part(site, home))
    assert "1–200 of 450" in text and names(text)[0] == "f000.txt" and 'aria-sort="ascending"' in text
    assert names(text_of(part(site, home, page="3")))[-1] == "f449.txt"
    assert names(text_of(part(site, home, sort="size")))[0] == "f449.txt"
    assert names(text_of(part(site, home, sort="-name")))[0] == "f449.txt"
    assert names(text_of(part(site, home, q="f00"))) == [f"f00{n}.txt" for n in range(10)]
    assert names(text_of(part(site, home, q="F?1?.TXT", sort="nonsense", page="x")))[0] == "f010.txt"
    assert "No name fits" in text_of(part(site, home, q="%_*nothing"))


HOSTILE = [
    b"<img src=x onerror=alert(1)>", b"\"onmouseover='x'", b"new\nline", b"tab\t", b"\x1b[31mred", b"\xff\xfe",
    "rtl\u202egpj.exe".encode(), b"x" * 255, b"%2e%2e", b"a?b#c&d", b"{{ 7|add:7 }}", b"back\\slash", b" ", b"~",
    "\U0010ffff\U0010ff41".encode(), b"%FF", b"caf\xe9 \xc3\xa9",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_an_address_keeps_every_byte(name: bytes) -> None:
    from django.test import RequestFactory

    path = "/" + os.fsdecode(name)
    assert unquoted(quoted(path)) == path
    request = RequestFactory().get("/files/cluster" + quoted(path))
    assert "/" + tail_of(request, 2) == path
    assert visible(path).isprintable()


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_reached_and_deleted(site: Site, home: Path, name: bytes) -> None:
    path = os.path.join(os.fsencode(home), name)
    with open(path, "wb") as file:
        file.write(b"the content")
    text = text_of(part(site, home))
    assert "<img src=x" not in text and "\x1b" not in text and "\u202e" not in text
    where = address(os.fsdecode(path))
    assert where in text
    client = site.client("submitter")
    found = client.get(where, headers=HTMX)
    assert found.status_code == 200 and "the content" in text_of(found)
    assert client.post(where, {"action": "delete", "sure": "yes"}).status_code == 302
    assert not os.path.lexists(path)


def test_what_cannot_be_shown_is_told(site: Site, home: Path) -> None:
    answer = site.client("submitter").get(address(home / "none") + "?now=1")
    assert answer.status_code == 404 and "no such file or directory" in text_of(answer)
    assert part(site, home / "none").status_code == 200, "htmx shows no answer with an error's status"
    (home / "f").write_text("x")
    assert "not a directory" in text_of(part(site, home / "f" / "below"))
    assert text_of(part(site, "/dev/null")).count("There is no content to show") == 1


def test_who_has_no_way_to_the_system(site: Site, home: Path) -> None:
    client = site.client("viewer")
    answer = client.get(address(home))
    assert answer.status_code == 403 and "viewer has no account on cluster" in text_of(answer)
    assert client.post(address(home), {"action": "mkdir", "name": "x"}).status_code == 403
    assert client.get("/files/nowhere/tmp").status_code == 404
    assert site.client("administrator").get(address(home) + "?now=1").status_code == 200
    System.objects.update(enabled=False)
    assert "switched off" in text_of(site.client("submitter").get(address(home)))


def test_a_system_that_is_down(site: Site, home: Path) -> None:
    from tests.factories import make_system

    system = make_system("dead", transport="ssh", host="127.0.0.1", port=1,
                         host_keys=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEg0b0Vd7BRfpIcXQMkDLjQHyK3yBSW6bYPZpQEZ5bS7"],
                         workdir="/w")  # fmt: skip
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from accounts.models import Credential, CredentialKind

    key = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    credential = Credential(kind=CredentialKind.KEY)
    credential.secret = key.decode()
    credential.save()
    make_account(system, site.people["submitter"], username="u", credential=credential)
    client = site.client("submitter")
    answer = client.get("/files/dead/data?now=1")
    assert answer.status_code == 503
    assert "cannot be asked now" in text_of(answer) and "dead does not answer" in text_of(answer)


def test_going_to_a_path(site: Site, home: Path) -> None:
    client = site.client("submitter")

    def gone(text: str, here: str = "/files/cluster/") -> Any:
        return client.get(here, {"go": text})

    assert gone(str(home))["Location"] == address(home)
    assert gone("/a//b/../c/.")["Location"] == "/files/cluster/a/c"
    assert gone("sub", address(home))["Location"] == address(home / "sub")
    assert gone("~")["Location"] == address(Path.home())
    for wrong in (" ", "x" * 5000, "a\0b", "~/no-such-thing-here"):
        assert gone(wrong).status_code in (400, 404), wrong
    assert client.get("/files/cluster//etc//")["Location"] == "/files/cluster/etc"


def test_folders_names_and_copies(site: Site, home: Path) -> None:
    answer = post(site, home, action="mkdir", name="new")
    assert answer.status_code == 302 and answer["Location"] == address(home / "new")
    (home / "f").write_text("body")
    assert post(site, home / "f", action="rename", to="g")["Location"] == address(home / "g")
    assert post(site, home / "g", action="copy", to=f"{home}/new/")["Location"] == address(home / "new/g")
    assert (home / "new/g").read_text() == "body"
    assert post(site, home / "g", action="rename", to=str(home / "new/h")).status_code == 302
    assert not (home / "g").exists() and (home / "new/h").exists()
    assert post(site, home / "new/h", action="chmod", mode="640").status_code == 302
    assert oct((home / "new/h").stat().st_mode)[-3:] == "640"
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", "actor__username"))
    wanted = ["files.mkdir", "files.rename", "files.copy", "files.rename", "files.chmod"]
    assert actions == [(name, "submitter") for name in wanted]


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"action": "mkdir", "name": "f"}, 409, "file exists"),
        ({"action": "mkdir", "name": "a/b"}, 400, "Expected a name"),
        ({"action": "mkdir", "name": ".."}, 400, "Expected a name"),
        ({"action": "mkdir", "name": "é" * 128}, 400, "Expected a name"),
        ({"action": "mkdir"}, 400, "Expected a name"),
        ({"action": "upload"}, 400, "Choose a file first"),
        ({"action": "chmod", "mode": "rwx"}, 400, "invalid mode"),
        ({"action": "chmod", "mode": ""}, 400, "Permissions: expected"),
        ({"action": "rename", "to": ""}, 400, "Give a new name"),
        ({"action": "rename", "to": "a/b"}, 400, "has no “/” in it"),
        ({"action": "rename", "to": "/no/such/folder"}, 404, "no such file or directory"),
        ({"action": "delete"}, 400, "Type the folder"),
        ({"action": "delete", "typed": "wrong"}, 400, "Type the folder"),
        ({"action": "format"}, 400, "action: expected one of"),
        ({}, 400, "action: expected one of"),
        ({"action": "checksum"}, 409, "is a directory"),
    ],
)
def test_what_is_refused(site: Site, home: Path, fields: dict[str, str], status: int, sentence: str) -> None:
    folder = home / "folder"
    folder.mkdir()
    (folder / "f").write_text("x")
    answer = post(site, folder, **fields)
    assert answer.status_code == status, text_of(answer)
    text = text_of(answer)
    assert 'id="refusal"' in text and sentence in text
    assert (folder / "f").exists() and not AuditEvent.objects.exists()


def test_nothing_is_replaced_by_a_new_name(site: Site, home: Path) -> None:
    (home / "a").write_text("a")
    (home / "b").write_text("b")
    for action in ("rename", "copy"):
        answer = post(site, home / "a", action=action, to="b")
        assert answer.status_code == 409 and "exists already" in text_of(answer)
    assert (home / "b").read_text() == "b"


def test_deleting_a_folder_needs_its_name(site: Site, home: Path) -> None:
    (home / "folder/deep").mkdir(parents=True)
    assert post(site, home / "folder", action="delete", typed="folder")["Location"] == address(home)
    assert not (home / "folder").exists()
    (home / "link").symlink_to(home)
    assert post(site, home / "link", action="delete", sure="yes").status_code == 302
    assert home.exists() and not (home / "link").is_symlink()


def test_checksum_and_fetching(site: Site, home: Path, settings: Any, tmp_path: Path) -> None:
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | {"path": tmp_path / "staging"}
    (home / "f").write_text("x")
    client = site.client("submitter")
    text = text_of(client.post(address(home / "f"), {"action": "checksum"}, follow=True))
    assert "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" in text
    answer = client.post(address(home / "f"), {"action": "fetch"})
    assert answer["Location"] == "/transfers/"


def test_uploads(site: Site, home: Path) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile as Sent

    def send(*files: Sent, **fields: str) -> Any:
        return post(site, home, action="upload", files=list(files), **fields)

    System.objects.update(limits={"max_file_size_mb": 1})
    assert send(Sent("a.txt", b"one"), Sent("b.txt", b"")).status_code == 302
    assert (home / "a.txt").read_bytes() == b"one" and (home / "b.txt").read_bytes() == b""
    assert send(Sent("a.txt", b"two")).status_code == 409
    assert (home / "a.txt").read_bytes() == b"one"
    assert send(Sent("a.txt", b"two"), replace="1").status_code == 302
    assert (home / "a.txt").read_bytes() == b"two"
    answer = send(Sent("large.bin", b"x" * (1024 * 1024 + 2)))
    assert answer.status_code == 413 and "larger than 1 MB" in text_of(answer)
    assert send(Sent("large.bin", b"x" * (2 * 1024 * 1024))).status_code == 413
    assert not (home / "large.bin").exists()


def test_a_form_without_its_token_changes_nothing(site: Site, home: Path) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(site.people["submitter"])
    assert client.post(address(home), {"action": "mkdir", "name": "x"}).status_code == 403
    assert not (home / "x").exists()
