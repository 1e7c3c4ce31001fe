"""PBS in Slurm's words: recorded answers of OpenPBS read by our own programs, and the paths of output files."""

from __future__ import annotations

import subprocess

import pytest

from hpc.commands import CommandResult
from hpc.errors import HpcError, IncompleteAnswer, NotSupported, SchedulerError, SchedulerSilent
from hpc.protocol import native_pbs
from hpc.protocol.native import NativeJob, submit_native
from hpc.protocol.native_dialects import details_of
from hpc.rows import AccountingRow, QueueRow
from hpc.schedulers.base import UNIT, SchedulerConfig
from hpc.schedulers.pbs import PbsScheduler
from hpc.schedulers.pbs_parse import output_paths
from hpc.schedulers.pbs_queries import node_states
from hpc.schedulers.pbs_rows import WORDS, exit_pair
from tests.hpc.recordings import recorded

NOW = "2026-11-22T02:30:00\n"
PBS = PbsScheduler()
TORQUE = PbsScheduler(SchedulerConfig(options={"dialect": "torque"}))
TORQUE_JOB = """Job Id: 12.torque.example
    Job_Name = fine
    Job_Owner = test1@login.example
    job_state = R
    queue = batch
    Error_Path = login.example:/w/fine.e12
    Join_Path = n
    Keep_Files = n
    Output_Path = login.example:/w/out
    start_time = Sun Nov 22 02:00:00 2026
    Resource_List.walltime = 01:00:00
    resources_used.walltime = 00:10:00
    submit_args = job.sh
    Variable_List = PBS_O_QUEUE=batch,PBS_O_HOME=/home/test1,PBS_O_PATH=/bin:/.centro-job/key,PBS_O_WORKDIR=/w
"""


def awk(program: str, text: str, split_by: str = "[|]~[|]") -> str:
    words = ["awk", "-v", f"split_by={split_by}", program]
    return subprocess.run(
        words, input=text.encode(), capture_output=True, check=True
    ).stdout.decode()


def listed(name: str) -> str:
    return NOW + awk(WORDS, recorded(name, "openpbs").text)


def result(text: str, code: int = 0, errors: str = "") -> CommandResult:
    return CommandResult(code, text.encode("utf-8", "surrogateescape"), errors.encode(), 0.1)


def records(start: str = "2026-11-22", **fields: str) -> dict[str, AccountingRow]:
    command = PBS.accounting_rows("test1", [], start, **fields)
    return {row.job_id: row for row in command.parse(result(listed("end-all-dsv")))}


@pytest.mark.parametrize(
    ("name", "state", "code"),
    [
        ("x-exit0", "COMPLETED", "0:0"),
        ("x-exit3", "FAILED", "3:0"),
        ("x-segv", "FAILED", "139:0"),
        ("x-walltime", "TIMEOUT", "0:0"),
        ("x-mem", "OUT_OF_MEMORY", "0:0"),
        ("held", "CANCELLED", "0:0"),
        ("depbase", "CANCELLED", "0:15"),
    ],
)
def test_how_recorded_jobs_ended(name: str, state: str, code: str) -> None:
    found = {row.name: row for row in records().values() if "[" not in row.job_id}
    assert (found[name].state, found[name].exit_code) == (state, code)


def test_a_recorded_job_in_full() -> None:
    assert records()["0"] == AccountingRow(
        job_id="0", partition="workq", name="STDIN", user="test1", state="COMPLETED",
        start_time="2026-11-22T01:20:45", cpu_time="00:00:00", elapsed="00:00:00",
        end_time="2026-11-22T01:22:21", nodes="1", nodelist="pbs01", exit_code="0:0",
    )  # fmt: skip


def test_an_array_and_its_subjobs() -> None:
    found = {key: row.state for key, row in records().items() if key.startswith("13[")}
    assert found["13[]"] == "CANCELLED"
    assert len(found) > 1


def test_the_times_that_are_asked_for() -> None:
    everything = records()
    late = records("02:00")
    assert 0 < len(late) < len(everything)
    assert {row.end_time >= "2026-11-22T02:00:00" for row in late.values()} == {True}
    assert "0" in records(end="2026-11-22T01:30:00")
    assert "1" not in records(end="2026-11-22T01:30:00")
    assert records("2026-11-23") == {}
    command = PBS.accounting_rows("somebody")
    assert command.parse(result(listed("end-all-dsv"))) == []


def test_ids_go_to_pbs_without_their_server() -> None:
    argv = PBS.accounting_rows("u", ["12.pbs01", "13[2].pbs01", "14[]"]).argv
    assert argv[-5:] == (WORDS, "u", "12", "13[2]", "14[]")
    for job_id in ("-x", "12;id", "12_3", ""):
        with pytest.raises(SchedulerError, match="Bad job/step"):
            PBS.accounting_rows("u", [job_id])


def test_the_queue_of_running_and_waiting_jobs() -> None:
    text = recorded("qstat-dsv-E-many-ids", "openpbs").text
    rows = PBS.queue_rows("test1").parse(result(NOW + awk(WORDS, text, "[|]")))
    assert {
        row.job_id: (row.state, row.is_over) for row in rows if row.job_id in ("80", "1000")
    } == {
        "80": ("NODE_FAIL", True),
        "1000": ("PENDING", False),
    }
    text = recorded("qstat-f-dsv-D", "openpbs").text.replace("#~#", "|~|")
    (row,) = PBS.queue_rows("test1").parse(result(NOW + awk(WORDS, text)))
    assert row == QueueRow(
        job_id="9", raw_id="9", tasks="", partition="workq", name="depbase", user="test1",
        state="RUNNING", is_over=False, time_used="1:04", start_time="2026-11-22T01:42:49",
        time_left="UNLIMITED", nodes="1", nodelist="pbs01", script="",
        stdout="/scratch/labs/pbs/w/test1/depbase.o9", stderr="/scratch/labs/pbs/w/test1/depbase.e9",
    )  # fmt: skip
    (row,) = PBS.queue_rows(None).parse(result(NOW + awk(WORDS, text)))
    assert (row.user, row.stdout, row.stderr) == ("test1", "", "")


def test_a_waiting_job_has_its_reason() -> None:
    text = recorded("weird-v-utf8-dsv", "openpbs").text
    (row,) = PBS.queue_rows("test1").parse(result(NOW + awk(WORDS, text, "[|]")))
    assert (row.state, row.nodelist, row.start_time) == ("PENDING", "(held by its user)", "N/A")


def test_torque_rows() -> None:
    (row,) = TORQUE.queue_rows("test1").parse(result(NOW + awk(WORDS, TORQUE_JOB, "")))
    assert (row.job_id, row.state, row.time_used, row.time_left) == (
        "12",
        "RUNNING",
        "10:00",
        "50:00",
    )
    assert row.stdout == "/w/out"
    for ask in (TORQUE.node_rows, TORQUE.partition_rows):
        with pytest.raises(NotSupported):
            ask()


@pytest.mark.parametrize("text", ["", "rubbish\n", NOW + "12\x1fR", NOW + "12\x1fR\n", NOW.strip()])
def test_what_is_cut_is_no_answer(text: str) -> None:
    for command in (PBS.queue_rows("u"), PBS.accounting_rows("u")):
        with pytest.raises(IncompleteAnswer):
            command.parse(result(text))


def test_silence_and_a_missing_history() -> None:
    down = recorded("svr-down-qselect", "openpbs")
    for command in (
        PBS.queue_rows("u"),
        PBS.accounting_rows("u"),
        PBS.node_rows(),
        PBS.partition_rows(),
    ):
        with pytest.raises(SchedulerSilent, match="refused"):
            command.parse(down)
    with pytest.raises(NotSupported, match="keeps no job history"):
        PBS.accounting_rows("u").parse(result(NOW, 4))


# --- ending jobs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "job_id", "taken", "text", "over"),
    [
        ("qdel-ok-running", "9", True, "Terminating job 9", False),
        ("qdel-err-finished", "2", False, "Job/step already completing or completed", True),
        ("qdel-err-other", "14", False, "Access/permission denied", False),
        ("qdel-err-unknown", "999999.pbs01", False, "Invalid job id specified", False),
    ],
)
def test_recorded_answers_of_qdel(
    name: str, job_id: str, taken: bool, text: str, over: bool
) -> None:
    answer = PBS.end_jobs([job_id]).parse(recorded(name, "openpbs"))[job_id]
    assert (answer.is_taken, answer.text, answer.is_over) == (taken, text, over)


def test_one_of_several_may_be_refused() -> None:
    answers = PBS.end_jobs(["999999", "8"]).parse(recorded("qdel-mixed", "openpbs"))
    assert [answers[key].is_taken for key in ("999999", "8")] == [False, True]


def test_an_outage_ends_nothing() -> None:
    with pytest.raises(SchedulerSilent):
        PBS.end_jobs(["8"]).parse(recorded("svr-down-qdel", "openpbs"))
    with pytest.raises(HpcError):
        PBS.end_jobs(["8"]).parse(result("", 1))
    with pytest.raises(ValueError, match="not a PBS job id"):
        PBS.end_jobs(["8_1"])


# --- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "idle", "words"),
    [
        ("free", 8, ("IDLE",)),
        ("free", 3, ("MIXED",)),
        ("job-busy", 0, ("ALLOCATED",)),
        ("offline", 0, ("IDLE", "DRAIN")),
        ("down,offline", 0, ("DOWN", "DRAIN")),
        ("state-unknown", 0, ("UNKNOWN",)),
        ("", 0, ("UNKNOWN",)),
    ],
)
def test_states_of_nodes(text: str, idle: int, words: tuple[str, ...]) -> None:
    assert node_states(text, idle, 8) == words


@pytest.mark.parametrize(
    ("code", "pair"), [("", "0:0"), ("7", "7:0"), ("271", "0:15"), ("-29", "0:0"), ("x", "0:0")]
)
def test_exit_codes(code: str, pair: str) -> None:
    assert exit_pair(code) == pair


# --- output files ----------------------------------------------------------------------------------

_PLAIN = {
    "full_id": "12.pbs01", "name": "n", "out": "/w/n.o12", "err": "/w/n.e12", "join": "n",
    "keep": "n", "home": "/home/u", "dialect": "openpbs",
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "out", "err"),
    [
        ({}, "/w/n.o12", "/w/n.e12"),
        ({"join": "oe"}, "/w/n.o12", "/w/n.o12"),
        ({"join": "eo"}, "/w/n.e12", "/w/n.e12"),
        ({"keep": "oe"}, "/home/u/n.o12", "/home/u/n.e12"),
        ({"keep": "o"}, "/home/u/n.o12", "/w/n.e12"),
        ({"keep": "oed"}, "/w/n.o12", "/w/n.e12"),
        ({"keep": "oe", "join": "oe"}, "/home/u/n.o12", "/home/u/n.o12"),
        ({"out": "/logs/"}, "/logs/12.pbs01.OU", "/w/n.e12"),
        ({"err": "/logs/"}, "/w/n.o12", "/logs/12.pbs01.ER"),
        ({"out": "/logs/", "dialect": "torque"}, "/logs/n.o12", "/w/n.e12"),
        ({"full_id": "12[3].pbs01", "keep": "oe"}, "/home/u/n.o12.3", "/home/u/n.e12.3"),
        (
            {"full_id": "12[].pbs01", "out": "/w/n.o12.^array_index^", "keep": "e"},
            "/w/n.o12.^array_index^",
            "/home/u/n.e12.^array_index^",
        ),
    ],
)
def test_where_output_goes(fields: dict[str, str], out: str, err: str) -> None:
    assert output_paths(**(_PLAIN | fields)) == (out, err)


def test_the_details_of_a_recorded_job() -> None:
    line = recorded("end-all-dsv", "openpbs").text.splitlines()[1]
    row = awk(native_pbs.DETAILS, line + "\n").strip("\n") + f"{UNIT}-{UNIT}-"
    details = details_of(PBS).read(row, "1", "/scratch/labs/pbs/w/test1", "test1")
    assert (details.name, details.stdout, details.stderr, details.note) == (
        "ok.sh", "/scratch/labs/pbs/w/test1/ok.sh.o1", "/scratch/labs/pbs/w/test1/ok.sh.e1", "",
    )  # fmt: skip
    assert (
        "no details" in details_of(PBS).read("PBS gave no details of the job", "1", "/w", "u").note
    )


def test_the_tag_is_in_the_path_that_torque_and_pbs_keep() -> None:
    row = awk(native_pbs.TAGGED, TORQUE_JOB, "").strip()
    assert row == f"12{UNIT}/bin:/.centro-job/key"
    rows = awk(native_pbs.TAGGED, recorded("end-all-dsv", "openpbs").text).splitlines()
    assert f"0{UNIT}/usr/local/bin:/usr/bin:/bin:/usr/games" in rows


@pytest.mark.parametrize(
    ("fields", "dialect", "words"),
    [
        ({}, "openpbs", ("qsub", "/S")),
        ({"environment": {"A": "a,b"}}, "openpbs", ("qsub", "-V", "/S")),
        ({"name": "1 two/three"}, "openpbs", ("qsub", "-N", "j1_two_three", "/S")),
        ({"name": "a" * 40}, "torque", ("qsub", "-N", "a" * 15, "/S")),
        ({"tasks": 1}, "openpbs", ("qsub", "-l", "select=1:ncpus=1", "/S")),
        ({"tasks": 2}, "torque", ("qsub", "-l", "nodes=1:ppn=2", "/S")),
        ({"after": "12[].pbs01"}, "openpbs", ("qsub", "-W", "depend=afterok:12[]", "/S")),
        ({"stdout": "job-%j.out"}, "openpbs", ("qsub", "-o", "/W/job.out", "/S")),
    ],
)
def test_the_submit_command(fields: dict, dialect: str, words: tuple[str, ...]) -> None:  # type: ignore[type-arg]  # keyword arguments
    job = NativeJob(tag="centro:key", directory="/w", file="job.sh", content=b"true\n", **fields)
    scheduler = PbsScheduler(SchedulerConfig(options={"dialect": dialect}))
    argv = submit_native(scheduler, job, user="u", patience=5).argv
    nonce = argv[4]
    told = tuple(word.replace(f"/{nonce}.", "/") for word in argv[argv.index("env") :])
    environment = tuple(f"{key}={value}" for key, value in job.environment.items())
    assert told == ("env", *environment, "/P/.centro-job/key", *words)
