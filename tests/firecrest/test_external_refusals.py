"""What the staging area refuses, by the printed curl line and the told links, with both stores."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.staging.areas import get

if TYPE_CHECKING:
    from staging.base import StagingArea
    from tests.firecrest.desk import Desk

pytestmark = [
    pytest.mark.lab, pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("lab"),
]  # fmt: skip
MIB = 1024 * 1024


class Case:
    """One upload that waits for its file, and one download that is ready, of Alice's."""

    def __init__(self, desk: Desk, area: StagingArea, folder: Path) -> None:
        self.desk, self.area = desk, area
        self.file = folder / "large.bin"
        self.file.write_bytes(os.urandom(MIB))

    def task(self, kind: str, **fields: str) -> dict[str, Any]:
        answer = self.desk.ask("POST", f"/storage/xfer-external/{kind}", fields)
        assert answer.status_code == 201, answer.content
        return self.look(answer.json()["task_id"])

    def look(self, task_id: str) -> dict[str, Any]:
        found = self.desk.ask("GET", f"/tasks/{task_id}", machine=None).json()["task"]
        return dict(found)

    def upload(self) -> dict[str, Any]:
        return self.task("upload", sourcePath=str(self.file), targetPath=str(self.desk.folder))

    def download(self) -> dict[str, Any]:
        """The object is there, as a worker has put it."""
        from pipeline_management.models import Transfer
        from pipeline_management.models.transfer import TransferState
        from pipeline_management.services.transfers.area import link_seconds
        from pipeline_management.services.transfers.changes import change

        told = self.task("download", sourcePath=str(self.desk.write("result", b"x" * 100)))
        transfer = Transfer.objects.get(api_task=told["hash_id"])
        self.area.put(transfer.key, b"x" * 100)
        change(transfer, TransferState.MOVING)
        change(transfer, TransferState.CHECKING)
        link = self.area.download_url(transfer.key, link_seconds())
        change(transfer, TransferState.READY, link=link)
        return self.look(told["hash_id"])

    def invalidate(self, task_id: str, person: str = "alice") -> Any:
        return self.desk.ask(
            "POST", "/storage/xfer-external/invalidate", person=person, machine=None,
            headers={"X-Task-Id": task_id},
        )  # fmt: skip

    def curl(self, told: dict[str, Any], change: Callable[[str], str] = lambda line: line) -> str:
        """What the printed line says: its error, "" when all is well."""
        line = change(told["data"]["msg"]["command"])
        done = subprocess.run(shlex.split(line), capture_output=True, timeout=60, check=False)
        return "" if done.returncode == 0 else f"{done.returncode} {done.stderr.decode().strip()}"

    def arrived(self, told: dict[str, Any]) -> bool:
        from pipeline_management.models import Transfer

        return self.area.stat(Transfer.objects.get(api_task=told["hash_id"]).key) is not None


@pytest.fixture(params=["local", "s3"])
def case(request: pytest.FixtureRequest, desk: Desk, settings: Any, tmp_path: Path) -> Case:
    """The API of this process with each store; files may have 2 MiB."""
    from pipeline_management.services.transfers.area import area

    chosen = {"max_size_mb": 2}
    if request.param == "local":
        settings.CENTRO_PUBLIC_URL = request.getfixturevalue("live_server").url
        chosen["path"] = tmp_path / "staging"
    else:
        chosen |= request.getfixturevalue("s3_settings")
    settings.CENTRO_STAGING = settings.CENTRO_STAGING | chosen
    area().prepare()
    return Case(desk, area(), tmp_path)


def test_the_printed_line_and_the_link_work(case: Case) -> None:
    told = case.upload()
    assert case.curl(told) == ""
    assert case.arrived(told)
    ready = case.download()
    assert ready["status"] == "117"
    for _ in range(2):
        assert get(ready["data"]["url"]).body == b"x" * 100
    assert get(ready["data"]["url"], "10-19").status == 206


def test_wrong_signatures(case: Case) -> None:
    told = case.upload()
    signature = told["data"]["msg"]["parameters"]["data"]["x-amz-signature"]
    wrong = signature.translate(str.maketrans("0123456789abcdef", "123456789abcdef0"))
    assert "403" in case.curl(told, lambda line: line.replace(signature, wrong))
    other = told["hash_id"][::-1]
    assert "403" in case.curl(told, lambda line: line.replace(told["hash_id"], other))
    assert not case.arrived(told)
    link = case.download()["data"]["url"]
    for bad in (link.partition("?")[0], link[:-4] + "0000", link.replace("result", "other")):
        assert get(bad).status == 403, bad


def test_expired_links(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("requests", "area"):
        name = f"pipeline_management.services.transfers.{module}.link_seconds"
        monkeypatch.setattr(name, lambda: 1)
    told, ready = case.upload(), case.download()
    time.sleep(2.5)
    assert "403" in case.curl(told)
    assert not case.arrived(told)
    assert get(ready["data"]["url"]).status == 403


def test_links_after_invalidate(case: Case) -> None:
    told, ready = case.upload(), case.download()
    for one in (told, ready):
        assert case.invalidate(one["hash_id"]).status_code == 201
        after = case.look(one["hash_id"])
        assert (after["status"], after["data"]) == ("302", "")
    assert get(ready["data"]["url"]).status == 404
    said = case.curl(told)
    # S3 itself cannot take a form back; nobody moves what comes by it, and it is swept away.
    assert case.area.kind == "s3" or "404" in said
    assert case.look(told["hash_id"])["status"] == "302"


def test_a_body_over_the_limit(case: Case) -> None:
    told = case.upload()
    with case.file.open("ab") as file:
        file.write(os.urandom(MIB + 1))
    assert "400" in case.curl(told)
    assert not case.arrived(told)


def test_somebody_elses_task(case: Case) -> None:
    told = case.download()
    assert case.invalidate(told["hash_id"], "bob").status_code == 400
    assert get(told["data"]["url"]).status == 200
    path = f"/tasks/{told['hash_id']}"
    answer = case.desk.ask("GET", path, person="bob", machine=None)
    assert (answer.status_code, b"url" in answer.content) == (403, False)
