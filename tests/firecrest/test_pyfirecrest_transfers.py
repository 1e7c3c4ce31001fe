"""Copying, moving, packing and removing by jobs, through the real clients; and tasks."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.firecrest.portal import CLUSTER, Portal
from tests.firecrest.test_pyfirecrest_jobs import ended, script

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]


def done(client: Any, job: dict[str, Any], name: str) -> None:
    """Wait for the transfer's end; it must end well and leave nothing in its error file."""
    assert job["result"] == "Job submitted"
    assert job["system"] == CLUSTER
    row = ended(client, job["jobid"])
    assert (row["state"], row["name"]) == ("COMPLETED", name)
    place = Path(job["job_file"]).parent
    assert Path(job["job_file"]).name == "sbatch-job.sh"
    assert re.fullmatch("[0-9a-f]{32}", place.name)  # the id of the task, which the client drops
    assert job["job_file_out"] == str(place / f"job-{job['jobid']}.out")
    assert job["job_file_err"] == str(place / f"job-{job['jobid']}.err")
    assert Path(job["job_file_err"]).read_text() == ""
    assert Path(job["job_file_out"]).read_text() != ""


@pytest.fixture
def tree(portal: Portal, folder: Path) -> Path:
    """A folder with a file and a link, names with blanks."""
    made = folder / "a tree"
    made.mkdir()
    portal.write("alice", made / "some file", "content").chmod(0o640)
    (made / "link").symlink_to("some file")
    portal.give("alice", made)
    return made


def test_copy_move_and_delete(alice: Any, client_kind: str, folder: Path, tree: Path) -> None:
    copied, moved = folder / "copied", folder / "moved"
    done(alice, alice.submit_copy_job(CLUSTER, str(tree), str(copied)), "cp-job")
    assert (copied / "some file").stat().st_mode & 0o777 == 0o640
    assert (copied / "link").is_symlink()
    job = alice.submit_move_job(CLUSTER, str(tree), str(moved), job_name="mine", time="00:05:00")
    # pyfirecrest 3.10: the asynchronous client sends the name as "jobname", which is no field
    done(alice, job, "mine" if client_kind == "Firecrest" else "mv-job")
    assert not tree.exists()
    assert (moved / "some file").read_text() == "content"
    done(alice, alice.submit_delete_job(CLUSTER, str(moved)), "rm-job")
    assert not moved.exists()


def test_rsync(alice: Any, folder: Path, tree: Path) -> None:
    done(alice, alice.submit_rsync_job(CLUSTER, f"{tree}/", str(folder / "synced")), "rsync-job")
    assert (folder / "synced" / "some file").read_text() == "content"


def test_compress_and_extract(portal: Portal, alice: Any, folder: Path, tree: Path) -> None:
    archive, target = folder / "tree.tar.gz", folder / "target"
    done(alice, alice.submit_compress_job(CLUSTER, str(tree), str(archive)), "compress-job")
    with tarfile.open(archive, "r:gz") as read:
        assert read.getnames()[0] == "a tree"
    target.mkdir()
    portal.give("alice", target)
    done(alice, alice.submit_extract_job(CLUSTER, str(archive), str(target)), "extract-job")
    assert (target / "a tree" / "some file").read_text() == "content"


def test_a_transfer_waits_for_another_job(alice: Any, folder: Path, tree: Path) -> None:
    first = alice.submit(CLUSTER, script_str=script(f"sleep 3; touch '{tree}/late'"))
    copied = folder / "copied"
    job = alice.submit_copy_job(
        CLUSTER, str(tree), str(copied), stage_out_job_id=str(first["jobid"])
    )
    done(alice, job, "cp-job")
    assert (copied / "late").exists()


def test_a_missing_source_is_a_failed_job(alice: Any, folder: Path) -> None:
    job = alice.submit_copy_job(CLUSTER, str(folder / "none"), str(folder / "copied"))
    assert ended(alice, job["jobid"])["state"] == "FAILED"
    assert "none" in Path(job["job_file_err"]).read_text()


def test_tasks_of_the_caller(portal: Portal, alice: Any, bob: Any) -> None:
    job = alice.submit(CLUSTER, script_str=script("true"))
    task_id = job["firecrest_taskid"]
    tasks = alice._tasks([task_id])
    assert list(tasks) == [task_id]
    task = tasks[task_id]
    assert (task["hash_id"], task["task_id"], task["status"]) == (task_id, task_id, "200")
    assert (task["service"], task["system"]) == ("compute", CLUSTER)
    assert task["description"] == "Finished successfully"
    assert task["data"]["jobid"] == job["jobid"]
    assert task["task_url"] == f"{portal.url}/tasks/{task_id}"
    assert task_id in alice._tasks()
    assert bob._tasks([task_id]) == {}
    assert task_id not in bob._tasks()


def test_one_task_by_its_address(portal: Portal, alice: Any) -> None:
    task_id = alice.submit(CLUSTER, script_str=script("true"))["firecrest_taskid"]

    def get(person: str, path: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {portal.token(person)}"}
        return requests.get(portal.url + path, headers=headers, timeout=30)

    answer = get("alice", f"/tasks/{task_id}")
    assert answer.status_code == 200
    assert answer.json()["task"]["hash_id"] == task_id
    refused = get("bob", f"/tasks/{task_id}")
    assert refused.status_code == 403
    assert refused.json() == {"description": "Operation not permitted. Invalid task owner."}
    missing = get("alice", "/tasks/0123456789abcdef")
    assert missing.status_code == 404
    assert missing.json() == {"error": "Task 0123456789abcdef does not exist"}
    bad = get("alice", "/tasks?tasks=a;b")
    assert bad.status_code == 400
    assert bad.json()["error"] == "'tasks' has invalid char"
