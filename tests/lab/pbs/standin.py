#!/usr/bin/python3
"""The PBS commands of a system that has no PBS, for tests: installed under their names.

OpenPBS is in no package registry. What these commands print has the exact form of the recorded answers in
``tests/recordings/openpbs`` (a job is a recorded row with its own values put in; errors are recorded texts
and exit codes); jobs are real processes. The state lies beside the commands, in ``state``; a file there makes a
fault: ``down`` (no server), ``hang`` (a server that never answers), ``nohistory``, ``unauthenticated``.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STATE = Path(sys.argv[0]).absolute().parent / "state"
SERVER = "pbs01"
QUEUES = {"workq": None, "short": 600, "stopped": None}
FINISHED = "F"
Job = dict[str, Any]


def fail(code: int, text: str) -> None:
    sys.stderr.write(text + "\n")
    raise SystemExit(code)


def recorded(name: str, suffix: str = "stdout") -> str:
    return (Path(sys.argv[0]).absolute().parent / "recorded" / f"{name}.{suffix}").read_text()


def refuse(name: str) -> None:
    """End as the recorded command of that name did."""
    sys.stdout.write(recorded(name))
    sys.stderr.write(recorded(name, "stderr"))
    raise SystemExit(int(recorded(name, "rc")))


def check_server(command: str) -> None:
    if (STATE / "hang").exists():
        time.sleep(3600)
    if (STATE / "unauthenticated").exists():
        refuse("err-iff-not-setuid-qsub")
    if (STATE / "down").exists():
        refuse({"qhold": "svr-down-qdel", "qrls": "svr-down-qdel"}.get(command, f"svr-down-{command}"))


@contextmanager
def table() -> Iterator[dict[str, Job]]:
    """All jobs by number, locked; written back at the end."""
    STATE.mkdir(exist_ok=True)
    path = STATE / "jobs.json"
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        jobs: dict[str, Job] = json.loads(path.read_text()) if path.exists() else {}
        yield jobs
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(jobs))
        scratch.rename(path)


def stamp(seconds: float) -> str:
    return time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(seconds))


def clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


# --- qsub -----------------------------------------------------------------------------------------


def directives(script: str) -> list[str]:
    """The words of the #PBS lines, up to the first command."""
    found: list[str] = []
    for line in script.splitlines():
        if line.startswith("#PBS"):
            found += shlex.split(line[4:])
        elif line.strip() and not line.startswith("#"):
            break
    return found


def words(arguments: list[str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Options, resources and files of a qsub command line."""
    given: dict[str, str] = {}
    resources: dict[str, str] = {}
    files = []
    while arguments:
        word = arguments.pop(0)
        if word == "-l":
            key, _, rest = arguments.pop(0).partition("=")
            resources[key] = rest
        elif re.fullmatch("-[NrSjoeqAPpJkWv]", word):
            given[word] = arguments.pop(0)
        elif word == "-V":
            given[word] = ""
        elif word.startswith("-"):
            refuse("qsub-err-option")
        else:
            files.append(word)
    return given, resources, files


def qsub(arguments: list[str]) -> None:
    given, resources, files = words(list(arguments))
    if files and Path(files[0]).is_file():  # what the command line says, a directive does not change
        lines, limits, _ = words(directives(Path(files[0]).read_text()))
        given, resources = lines | given, limits | resources
    queue = given.get("-q", "workq")
    limit = seconds_of(resources.get("walltime", ""))
    faults = {
        "qsub-err-queue": queue not in QUEUES,
        "qsub-err-resource": "bogus" in resources,
        "qsub-err-name-char": not re.fullmatch(r"[A-Za-z0-9._+-]{1,230}", given.get("-N", "STDIN")),
        "qsub-err-walltime-max": limit > (QUEUES.get(queue) or limit),
        "qsub-err-nofile": bool(files) and not Path(files[0]).is_file(),
    }
    for fault, is_so in faults.items():
        if is_so:
            refuse(fault)
    script = Path(files[0]).read_text() if files else sys.stdin.read()
    with table() as jobs:
        if len([job for job in jobs.values() if job["state"] != FINISHED]) >= 400:
            refuse("qsub-err-limit")
        number = max((int(key) for key in jobs), default=0) + 1
        jobs[str(number)] = job = {
            "number": number,
            "name": given.get("-N", Path(files[0]).name if files else "STDIN"),
            "queue": queue,
            "account": given.get("-A", ""),
            "limit": limit,
            "script": script,
            "cwd": str(Path.cwd()),
            "output": str(Path.cwd() / given["-o"]) + "/" * given["-o"].endswith("/") if "-o" in given else "",
            "errors": str(Path.cwd() / given["-e"]) if "-e" in given else "",
            "join": given.get("-j", "n"),
            "keep": given.get("-k", "n"),
            "path": os.environ.get("PATH", ""),
            "environment": dict(os.environ) if "-V" in given else {},
            "arguments": " ".join(arguments),
            "array": given.get("-J", ""),
            "state": "Q",
            "hold": "n",
            "created": time.time(),
        }
        if queue != "stopped":
            launch(job)
    print(f"{number}{'[]' if job['array'] else ''}.{SERVER}")


def seconds_of(text: str) -> int:
    if not text:
        return 0
    if not re.fullmatch(r"[0-9]+(:[0-9]{2}){0,2}", text):
        refuse("qsub-err-walltime")
    total = 0
    for part in text.split(":"):
        total = total * 60 + int(part)
    return total


def launch(job: Job) -> None:
    job["state"], job["started"] = "R", time.time()
    program = [str(Path(sys.argv[0]).absolute().with_name("standin")), "run", str(job["number"])]
    subprocess.Popen(
        program, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, close_fds=True,
    )  # fmt: skip


def run(number: str) -> None:
    """The execution daemon's part for one job: run it, watch its wall time, write down how it ended."""
    with table() as jobs:
        job = jobs[number]
    environment = {
        "HOME": str(Path.home()),
        "LOGNAME": pwd.getpwuid(os.getuid()).pw_name,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PBS_JOBID": f"{number}.{SERVER}",
        "PBS_JOBNAME": job["name"],
        "PBS_QUEUE": job["queue"],
        "PBS_O_WORKDIR": job["cwd"],
    }
    output = output_of(job)
    if output.endswith("/"):
        output += f"{number}.{SERVER}.OU"
    errors = output if job["join"] == "oe" else errors_of(job)
    with Path(output).open("wb") as sink, Path(errors).open("ab") as trouble:
        child = subprocess.Popen(
            ["/bin/sh"], stdin=subprocess.PIPE, stdout=sink, cwd=Path.home(), start_new_session=True,
            stderr=sink if job["join"] == "oe" else trouble, env=job["environment"] | environment,
        )  # fmt: skip
        with table() as jobs:
            jobs[number]["session"] = child.pid
        code = supervise(child, job["script"].encode(), job["limit"])
    with table() as jobs:
        finish(jobs[number], code)


def output_of(job: Job) -> str:
    return str(job["output"] or f"{job['cwd']}/{job['name']}.o{job['number']}")


def errors_of(job: Job) -> str:
    return str(job["errors"] or f"{job['cwd']}/{job['name']}.e{job['number']}")


def supervise(child: subprocess.Popen[bytes], script: bytes, limit: int) -> int:
    try:
        child.communicate(script, timeout=limit or None)
    except subprocess.TimeoutExpired:
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(child.pid, number)
            try:
                child.wait(3)
                break
            except subprocess.TimeoutExpired:
                continue
        return -29
    return child.returncode if child.returncode >= 0 else 256 - child.returncode


def finish(job: Job, code: int) -> None:
    job["state"], job["ended"] = FINISHED, time.time()
    job["exit"] = code
    job["substate"] = 91 if job.get("deleted") else 92 if code == 0 else 93


# --- the others -------------------------------------------------------------------------------------


def qselect(arguments: list[str]) -> None:
    history = "-x" in arguments
    wanted = arguments[arguments.index("-N") + 1] if "-N" in arguments else ""
    if history and (STATE / "nohistory").exists():
        refuse("hist-off-qselect-x")
    with table() as jobs:
        for job in jobs.values():
            ended = job["state"] == FINISHED
            if (history or not ended) and wanted in ("", job["name"]):
                print(f"{job['number']}{'[]' if job['array'] else ''}.{SERVER}")


def qstat(arguments: list[str]) -> None:
    history = "-x" in arguments
    if "-B" in arguments:
        sys.stdout.write(recorded("qstat-Bf-json" if "json" in arguments else "qstat-B"))
        return
    if "-Q" in arguments:
        sys.stdout.write(recorded("qstat-Qf-json"))
        return
    ids = [word for word in arguments if re.match(r"[0-9]", word)]
    if history and (STATE / "nohistory").exists():
        fail(0, f"qstat: PBS is not configured to maintain job history {ids[0]}")
    shown = 0
    with table() as jobs:
        for word in ids:
            job = jobs.get(re.split(r"[.\[]", word)[0])
            if job is None or (job["state"] == FINISHED and not history):
                continue
            shown += 1
            print(row(job))
    if not shown:
        fail(153, f"qstat: Unknown Job Id {ids[0].split('.')[0]}.{SERVER}")


def row(job: Job) -> str:
    """A recorded row with this job's values; what it has not, the recorded one loses."""
    user = pwd.getpwuid(os.getuid()).pw_name
    ended = job["state"] == FINISHED
    used = job.get("ended", time.time()) - job.get("started", time.time())
    values = {
        "Job Id": f"{job['number']}{'[]' if job['array'] else ''}.{SERVER}",
        "Job_Name": job["name"],
        "Job_Owner": f"{user}@{SERVER}",
        "resources_used.walltime": clock(used) if "started" in job else None,
        "job_state": "B" if job["array"] and job["state"] == "R" else job["state"],
        "queue": job["queue"],
        "ctime": stamp(job["created"]),
        "qtime": stamp(job["created"]),
        "etime": stamp(job["created"]),
        "mtime": stamp(float(job.get("ended") or job["created"])),
        "stime": stamp(job["started"]) if "started" in job else None,
        "obittime": stamp(float(job["ended"])) if ended and "started" in job else None,
        "exec_host": f"{SERVER}/0" if "started" in job else None,
        "Hold_Types": job["hold"],
        "Variable_List": f"PBS_O_HOME={Path.home()},PBS_O_PATH={job['path']},PBS_O_WORKDIR={job['cwd']},"
        f"PBS_O_HOST={SERVER}",
        "Output_Path": f"{SERVER}:{output_of(job)}",
        "Error_Path": f"{SERVER}:{errors_of(job)}",
        "Join_Path": job["join"],
        "Keep_Files": job["keep"],
        "Submit_arguments": job["arguments"],
        "Resource_List.walltime": clock(job["limit"]) if job["limit"] else None,
        "substate": str(job.get("substate", 42 if job["state"] == "R" else 10)),
        "Exit_status": str(job["exit"]) if ended and "exit" in job else None,
        "Account_Name": job["account"] or None,
        "run_count": "1" if "started" in job else None,
        "comment": comment(job),
    }
    fields = dict(
        field.partition("=" if "=" in field else ": ")[::2]
        for field in recorded("end-all-dsv").splitlines()[0].split("|~|")
    )
    fields |= {"Resource_List.walltime": "", "Account_Name": "", "Submit_arguments": ""}
    merged = {key: values.get(key, value) for key, value in fields.items()}
    rest = [f"{key}={value}" for key, value in merged.items() if key != "Job Id" and value is not None]
    return "|~|".join([f"Job Id: {values['Job Id']}", *rest])


def comment(job: Job) -> str | None:
    if job["queue"] == "stopped":
        return "Not Running: Queue not started."
    if "started" not in job:
        return None
    text = time.strftime("Job run at %a %b %e at %H:%M on (pbs01:ncpus=1)")
    if job["state"] != FINISHED:
        return text
    if job.get("exit") == -29:
        return f"{text} and exceeded resource walltime"
    return f"{text} and {'finished' if job.get('exit') == 0 else 'failed'}"


def each(ids: list[str], act: Callable[[Job], None], command: str) -> None:
    worst = 0
    with table() as jobs:
        for word in ids:
            job = jobs.get(re.split(r"[.\[]", word)[0])
            if job is None:
                sys.stderr.write(f"{command}: Unknown Job Id {word}.{SERVER}\n")
                worst = 153
            elif job["state"] == FINISHED:
                sys.stderr.write(f"{command}: Job has finished {word}.{SERVER}\n")
                worst = 35
            else:
                act(job)
    raise SystemExit(worst)


def delete(job: Job) -> None:
    job["deleted"] = True
    if "started" not in job:
        job["state"], job["substate"], job["ended"] = FINISHED, 91, time.time()
        return
    session = job.get("session")
    if session:
        subprocess.Popen(
            ["/bin/sh", "-c", f"kill -TERM -{session}; sleep 3; kill -KILL -{session}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip


def hold(job: Job) -> None:
    if job["state"] == "Q":
        job["state"], job["hold"] = "H", "u"


def release(job: Job) -> None:
    if job["state"] == "H":
        job["hold"] = "n"
        launch(job)


def main() -> None:
    command, arguments = Path(sys.argv[0]).name, sys.argv[1:]
    if command.startswith("standin"):
        run(arguments[1])
        return
    if "--version" in arguments:
        refuse("qstat-version")
    check_server(command if command != "pbsnodes" else "qstat")
    verbs: dict[str, Callable[[], None]] = {
        "qsub": lambda: qsub(arguments),
        "qselect": lambda: qselect(arguments),
        "qstat": lambda: qstat(arguments),
        "qdel": lambda: each(arguments, delete, "qdel"),
        "qhold": lambda: each(arguments, hold, "qhold"),
        "qrls": lambda: each(arguments, release, "qrls"),
        "pbsnodes": lambda: print(recorded("pbsnodes-a-json")),
    }
    verbs[command]()


if __name__ == "__main__":
    main()
