"""FirecREST's tutorial, command by command with `curl`; docs/firecrest.md shows the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.firecrest.portal import Portal
from tests.firecrest.walkthrough import WHO, Said, cleared, recorded, walk

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

CREATED = {"success", "task_id", "task_url"}


@pytest.fixture(scope="module")
def said(portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Said]]:
    """All commands of the tutorial, run once, by their titles."""
    cleared(portal)
    yield {one.title: one for one in walk(portal, tmp_path_factory.mktemp("own"))}
    cleared(portal)


def test_tokens(said: dict[str, Said]) -> None:
    token = said["Get a token"].json
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] >= 60
    refused = said["A token that is none"].json
    assert refused["message"] == "Bad token; invalid JSON"
    assert refused["description"]


def test_systems_and_listing(said: dict[str, Said]) -> None:
    systems = said["Test the credentials"].json
    assert systems["out"] == [
        {"description": "System ready", "status": "available", "system": "cluster"}
    ]
    listed = said["List the contents of a directory"].json["output"]
    assert {"test_directory", "test_file.txt"} <= {row["name"] for row in listed}
    for row in listed:
        assert set(row) == {
            "group", "last_modified", "link_target", "name", "permissions", "size", "type", "user",
        }  # fmt: skip
    denied = said["A directory without the right to read it"].head
    assert denied.startswith("HTTP/1.1 400")
    assert re.search(r"^X-Permission-Denied: \S", denied, re.M | re.I)
    invalid = said["A directory that does not exist"].head
    assert invalid.startswith("HTTP/1.1 400")
    assert re.search(r"^X-Invalid-Path: \S", invalid, re.M | re.I)


def test_upload(said: dict[str, Said]) -> None:
    assert said["Upload a small file"].json["description"] == "File upload successful"
    wrong = said["Upload to a wrong place"].head
    assert wrong.startswith("HTTP/1.1 400")
    assert re.search(r"^X-Invalid-Path: \S", wrong, re.M | re.I)


def test_job(portal: Portal, said: dict[str, Said]) -> None:
    assert set(said["Submit a job"].json) == CREATED
    assert said["Submit a job"].json["success"] == "Task created"
    task = said["The task of the submission"].json["task"]
    assert (task["status"], task["description"]) == ("200", "Finished successfully")
    assert task["user"] == WHO
    home = portal.home(WHO)
    data = task["data"]
    assert data["job_file"] == f"{home}/firecrest/{task['hash_id']}/script.sh"
    assert data["job_file_out"] == f"{home}/res.txt"
    assert task["task_url"] == f"{portal.url}/tasks/{task['hash_id']}"
    asked = said["What the scheduler says of the job"].json["task"]
    assert asked["status"] == "200"
    assert {row["jobid"] for row in asked["data"].values()} <= {str(data["jobid"])}
    unknown = said["What the scheduler says of no job"].json["task"]
    assert unknown["status"] == "400"
    assert unknown["data"] == "slurm_load_jobs error: Invalid job id specified"
    rows = {row["jobid"]: row for row in said["What accounting says"].json["task"]["data"]}
    assert rows[str(data["jobid"])]["state"] == "COMPLETED"
    assert rows[str(data["jobid"])]["name"] == "test"


def test_results(portal: Portal, said: dict[str, Said]) -> None:
    digest = hashlib.sha1(b"some input\n", usedforsecurity=False).hexdigest()
    assert said["Download the output"].body == f"{digest}  {portal.home(WHO)}/input_file\n"
    assert said["Compare"].body == f"{digest}  input_file\n"
    assert set(said["Transfer data between file systems"].json) == CREATED
    task = said["The task of the transfer"].json["task"]
    assert (task["service"], task["status"], task["system"]) == ("compute", "200", "cluster")


def test_the_printed_address_of_the_submission_works_as_well(
    portal: Portal, tmp_path: Path
) -> None:
    """The tutorial prints compute/job/uploads where it means compute/jobs/upload."""
    answers = {}
    for path in ("compute/job/uploads", "compute/jobs/upload"):
        answer = portal.stack.request(
            "POST", f"/firecrest/v1/{path}", data=b"",
            headers={
                "Authorization": f"Bearer {portal.token(WHO)}", "X-Machine-Name": "cluster",
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )  # fmt: skip
        answers[path] = (answer.status, answer.json())
    assert answers["compute/job/uploads"] == answers["compute/jobs/upload"]
    assert answers["compute/jobs/upload"][0] == 400


def test_the_page_shows_these_commands_and_answers(said: dict[str, Said]) -> None:
    pages = recorded()
    assert [title for title, _, _ in pages] == list(said)
    for title, command, answer in pages:
        assert general(command) == general(said[title].command), title
        if said[title].head:
            assert answer.split("\n", 1)[0] == said[title].head.split("\n", 1)[0], title
        elif said[title].body.lstrip().startswith("{"):
            assert shape(json.loads(answer)) == shape(said[title].json), title


def general(command: str) -> str:
    """Without what differs from time to time: ids."""
    return re.sub(r"/(tasks|jobs)/[0-9a-f]+", r"/\1/#", command)


def shape(value: Any, depth: int = 0) -> Any:
    """Keys and types; lists by their first member, and the queue's numbered rows not at all."""
    if isinstance(value, dict):
        if set(value) <= {str(number) for number in range(100)}:
            return "rows"
        return {key: shape(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0], depth + 1)] if value and depth < 3 else []
    return type(value).__name__
