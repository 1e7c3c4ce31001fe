"""Submitting through FirecREST on a real Slurm: what the client is told, what the job finds, what history keeps."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import Role
from api.firecrest.views.compute_submit import stored_name
from pipeline_management.choices import Reason, RunKind, RunSource, RunState
from pipeline_management.models import ApiTask, Run
from tests.factories import make_lab
from tests.firecrest.desk import error_headers
from tests.firecrest.jobs import SCRIPT, follow, one_thread, submitted, task_of, upload

if TYPE_CHECKING:
    from tests.firecrest.desk import Desk

__all__ = ["one_thread"]
pytestmark = [pytest.mark.lab, pytest.mark.django_db]


def home(desk: Desk) -> Path:
    return Path(os.path.expanduser(f"~{desk.unix_user}"))


def test_an_uploaded_script_is_a_run_of_the_history(desk: Desk) -> None:
    lab = make_lab("one", alice=Role.SUBMITTER)
    answer = upload(
        desk, SCRIPT + "#SBATCH --job-name=mine\necho out; echo err >&2; pwd\n", "my job.sh"
    )
    assert answer.status_code == 201
    assert answer.json()["success"] == "Task created"
    data, run = submitted(desk, answer)
    task_id = answer.json()["task_id"]
    folder = home(desk) / "firecrest" / task_id
    job = data["jobid"]
    assert data == {
        "result": "Job submitted",
        "jobid": job,
        "job_file": f"{folder}/my_job.sh",
        "job_file_out": f"{folder}/slurm-{job}.out",
        "job_file_err": f"{folder}/slurm-{job}.out",
        "job_data_out": "",
        "job_data_err": "",
        "job_info_extra": "Job info returned successfully",
    }
    assert isinstance(job, int)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (run.kind, run.source, run.name, run.lab) == (
        RunKind.JOB,
        RunSource.FIRECREST,
        "mine",
        lab,
    )
    assert (run.submitter, run.directory, run.job_id) == (desk.alice, str(folder), str(job))
    assert run.script.endswith("pwd\n")
    follow(run)
    assert (run.state, run.exit_code) == (RunState.SUCCEEDED, 0)
    assert run.started_at is not None
    (log,) = run.logs.all()
    assert (log.stream, bytes(log.data)) == ("stdout", f"out\nerr\n{folder}\n".encode())


def test_output_files_as_the_script_names_them(desk: Desk) -> None:
    script = (
        SCRIPT + "#SBATCH --output=o-%j.txt\n#SBATCH -e sub-%x-%j.err\n#SBATCH -J n1\nmkdir x\n"
    )
    data, run = submitted(desk, upload(desk, script))
    job = data["jobid"]
    assert data["job_file_out"] == f"{run.directory}/o-{job}.txt"
    assert data["job_file_err"] == f"{run.directory}/sub-n1-{job}.err"
    assert run.job_files == {
        "script": data["job_file"],
        "stdout": data["job_file_out"],
        "stderr": data["job_file_err"],
    }


def test_variables_arrive_unchanged_beside_the_usual_ones(desk: Desk) -> None:
    given = {
        "A": "a",
        "B": "b 1",
        "C": "x,y='z'",
        "D": "two\nlines",
        "E": "$HOME `id`",
        "N": 3,
        "U": "ä",
    }
    script = (
        SCRIPT + 'printf "%s|" "$A" "$B" "$C" "$D" "$E" "$N" "$U" "$HOME" "${CENTRO_USER-none}"\n'
    )
    _, run = submitted(desk, upload(desk, script, env=json.dumps(given)))
    follow(run)
    text = bytes(run.logs.get().data).decode()
    expected = [*map(str, given.values()), str(home(desk)), "none", ""]
    assert text == "|".join(expected)
    assert run.configuration["environment"] == sorted(given)  # values may be secrets
    assert "x,y" not in run.configuration_json


def test_variables_reach_a_script_that_asks_for_none(desk: Desk) -> None:
    script = SCRIPT + '#SBATCH --export=NONE\nprintf "%s" "$A"\n'
    _, run = submitted(desk, upload(desk, script, env='{"A": "1"}'))
    assert bytes(follow(run).logs.get().data) == b"1"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ("no json", "Expecting value"),
        ("[1]", "expected a JSON object"),
        ('{"A B": "1"}', "'A B' is not a name"),
        ('{"A": ["x"]}', "the value of A is no text or number"),
        ('{"A": "\\u0000"}', "NUL"),
        ('{"A": "\\ud800"}', "surrogate"),
        ('{"SBATCH_PARTITION": "x"}', "belongs to the scheduler"),
        ("[" * 100_000, "nested too deeply"),
        (json.dumps({"A": "x" * 200_000}), "too long"),
        (json.dumps({f"A{n}": "x" * 50_000 for n in range(6)}), "bytes"),
    ],
)
def test_unusable_variables(desk: Desk, env: str, told: str) -> None:
    answer = upload(desk, SCRIPT, env=env)
    assert answer.status_code == 400
    assert answer.json()["description"] == "Failed to submit job"
    assert told in answer.json()["error"]
    assert not Run.objects.exists()


def test_the_account_is_passed_on(desk: Desk) -> None:
    data, run = submitted(desk, upload(desk, SCRIPT + "true\n", account="acct1"))
    said = desk.lab.slurm("scontrol", "show", "job", str(data["jobid"]))
    assert "Account=acct1" in said
    assert run.resources["account"] == "acct1"


def test_what_slurm_refuses_is_told_by_the_task(desk: Desk) -> None:
    task = task_of(desk, upload(desk, SCRIPT + "true\n", account="nobody-pays"))
    assert (task["status"], task["description"]) == ("400", "Finished with errors")
    assert task["data"].startswith("sbatch: error: ")
    assert "Invalid account" in task["data"]
    run = Run.objects.get(api_tasks=task["task_id"])
    assert (run.state, run.reason) == (RunState.FAILED, Reason.SUBMIT_REJECTED)
    no_shell = task_of(desk, upload(desk, "echo no interpreter\n"))
    assert no_shell["status"] == "400"
    assert "This does not look like a batch script" in no_shell["data"]


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, {"description": "Failed to submit job file", "error": "No batch file part"}),
        (
            {"file": SimpleUploadedFile("x.sh", b"")},
            {"description": "Failed to submit job file", "error": "Batch file is empty"},
        ),
        (
            {"file": SimpleUploadedFile("x.sh", SCRIPT.encode()), "account": ""},
            {"description": "Invalid account", "error": "'account' is empty"},
        ),
        (
            {"file": SimpleUploadedFile("x.sh", SCRIPT.encode()), "account": "a;b"},
            {"description": "Invalid account", "error": "'account' has invalid char"},
        ),
    ],
)
def test_faults_of_an_upload(desk: Desk, fields: dict[str, Any], body: dict[str, str]) -> None:
    for one in fields.values():
        if isinstance(one, SimpleUploadedFile):
            one.seek(0)
    answer = desk.ask("POST", "/compute/jobs/upload", fields, multipart=True)
    assert (answer.status_code, answer.json()) == (400, body)
    assert error_headers(answer) == {}
    assert not ApiTask.objects.exists()


def test_a_script_over_the_limit(desk: Desk) -> None:
    answer = upload(desk, b"#" * (5 * 1024 * 1024))
    assert answer.status_code == 413
    assert answer.json() == {"description": "Failed to upload batch script. The file is over 5 MB"}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("job.sh", "job.sh"),
        ("../../etc/passwd", "passwd"),
        ("a b\tc.sh", "a_b_c.sh"),
        ("-rf", "rf"),
        (".bashrc", "bashrc"),
        ("'; touch x; '.sh", "_touch_x_.sh"),
        ("$(id)`id`", "idid"),
        ("Zoë.sh", "Zoe.sh"),
        ("日本", "script.batch"),
        ("..", "script.batch"),
        ("x" * 255, "x" * 200),
        ("C:\\jobs\\a.sh", "a.sh"),
    ],
)
def test_names_of_uploaded_scripts(sent: str, kept: str) -> None:
    assert stored_name(sent) == kept


def test_hostile_names_do_nothing(desk: Desk) -> None:
    for name in ("'; touch x; '", "$(touch x)", "-rf", "`touch x`", "../../x"):
        data, run = submitted(desk, upload(desk, SCRIPT + "true\n", name))
        found = sorted(entry.name for entry in Path(run.directory).iterdir())
        assert Path(data["job_file"]).name in found
        assert "x" not in found or Path(data["job_file"]).name == "x"


def test_a_script_on_the_system(desk: Desk) -> None:
    path = desk.write("a job $x.sh", SCRIPT + "#SBATCH -J there\npwd\n")
    answer = desk.ask("POST", "/compute/jobs/path", {"targetPath": str(path)})
    data, run = submitted(desk, answer)
    assert data["job_file"] == str(path)
    assert data["job_file_out"] == f"{path.parent}/slurm-{data['jobid']}.out"
    assert (run.name, run.directory) == ("there", str(path.parent))
    assert run.script == path.read_text()
    follow(run)
    assert run.state == RunState.SUCCEEDED
    assert bytes(run.logs.get().data).decode() == f"{path.parent}\n"


def test_a_script_relative_to_the_home(desk: Desk) -> None:
    path = home(desk) / "centro-relative-test.sh"
    path.write_text(SCRIPT + "#SBATCH -o /dev/null\npwd\n")
    desk.give(path)
    try:
        answer = desk.ask("POST", "/compute/jobs/path", {"targetPath": path.name})
        data, run = submitted(desk, answer)
        assert (data["job_file"], run.directory) == (str(path), str(path.parent))
        assert data["job_file_out"] == "/dev/null"
    finally:
        path.unlink()


def test_faults_of_a_path(desk: Desk) -> None:
    def asked(path: str | None) -> Any:
        fields = {} if path is None else {"targetPath": path}
        return desk.ask("POST", "/compute/jobs/path", fields)

    secret = desk.write("secret.sh", SCRIPT, mode=0o000)
    closed = desk.make("closed", mode=0o000)
    file = desk.write("file", "x")
    for path, header in [
        (str(desk.folder / "nothing.sh"), "X-Invalid-Path"),
        ("/no/such/place/x.sh", "X-Invalid-Path"),
        (str(desk.folder), "X-A-Directory"),
        (f"{desk.folder}/", "X-A-Directory"),
        (str(secret), "X-Permission-Denied"),
        (str(closed / "x.sh"), "X-Permission-Denied"),
        (str(file / "x.sh"), "X-Invalid-Path"),
    ]:
        answer = asked(path)
        assert (answer.status_code, list(error_headers(answer))) == (400, [header]), path
        assert answer.json()["description"] == "Failed to submit job"
    for value, text in [(None, "not specified"), ("", "is empty"), ("a;b", "has invalid char")]:
        answer = asked(value)
        assert answer.status_code == 400
        assert answer.json() == {
            "description": "Failed to submit job",
            "error": f"'targetPath' {text}",
        }
    assert not ApiTask.objects.exists()
    assert not Run.objects.exists()  # a request that is refused leaves nothing in the history


def test_systems_that_cannot_be_asked(desk: Desk) -> None:
    away = upload(desk, SCRIPT, machine="down")
    assert (away.status_code, list(error_headers(away))) == (400, ["X-Machine-Not-Available"])
    unknown = upload(desk, SCRIPT, machine="nowhere")
    assert set(error_headers(unknown)) == {"X-Machine-Does-Not-Exist", "X-Machine-Does-Not-Exists"}
    unnamed = desk.ask("POST", "/compute/jobs/path", {"targetPath": "x"}, machine=None)
    assert unnamed.json() == {
        "description": "Failed to submit job",
        "error": "No machine name given",
    }
    assert not Run.objects.exists()


def test_the_tutorials_address_works(desk: Desk) -> None:
    sent = {"file": SimpleUploadedFile("t.sh", (SCRIPT + "true\n").encode())}
    answer = desk.ask("POST", "/compute/job/uploads", sent, multipart=True)
    assert submitted(desk, answer)[0]["result"] == "Job submitted"


def test_a_run_without_a_lab_is_its_submitters_alone(desk: Desk) -> None:
    _, run = submitted(desk, upload(desk, SCRIPT + "true\n"))
    assert run.lab is None
    assert list(Run.objects.visible_to(desk.alice)) == [run]
    assert list(Run.objects.visible_to(desk.bob)) == []
