"""Reading PBS's answers: rows of jobs (as ``pbs_tables.ROWS`` prints them), queues and nodes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hpc.errors import IncompleteAnswer
from hpc.jobs import JobInfo, JobState, NodeInfo, QueueInfo, WaitingJob
from hpc.schedulers.base import UNIT
from hpc.schedulers.pbs_tables import ENDED, EXITS, LETTERS, TERMINATED, TORQUE_EXITS

_FIELDS = 19
_SIGNAL = 128
_TORQUE_SIGNAL = 256
_QDEL = 271  # 256 + SIGTERM: how Torque says that a job was deleted
_UNITS = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40}


def parse_jobs(text: str, source: str, dialect: str) -> list[JobInfo]:
    """One job a row. Raises ``IncompleteAnswer`` for a row that is cut."""
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the list of jobs ends within a line")
    return [_job(line, source, dialect) for line in text.split("\n")[:-1]]


def parse_waiting(text: str) -> list[WaitingJob]:
    """The lines of ``pbs_tables.WAITING``. Raises ``IncompleteAnswer``."""
    if text and not text.endswith("\n"):
        raise IncompleteAnswer("the list of jobs ends within a line")
    found = []
    for line in text.split("\n")[:-1]:
        f = line.split(UNIT)
        if len(f) != 7 or f[-1] != "." or not f[0]:
            raise IncompleteAnswer(f"a row of the job list has {len(f)} fields: {line[:200]!r}")
        found.append(WaitingJob(f[0], job_reason(f[1][:1], f[4], f[5]), _number(f[2]), _time(f[3])))
    return found


def _job(line: str, source: str, dialect: str) -> JobInfo:
    f = line.split(UNIT)
    if len(f) != _FIELDS or f[-1] != "." or not f[0]:
        raise IncompleteAnswer(f"a row of the job list has {len(f)} fields: {line[:200]!r}")
    letter, substate, code = (*f[1].split("/"), "", "")[:3]
    state = state_of(letter, substate, code, dialect)
    number = _number(code) if letter in ENDED else None
    exit_code, signal = _exit(number)
    ended = _time(f[9]) or (_time(f[10]) if state.is_final else None)
    started = _time(f[8])
    used = parse_duration(f[13])
    return JobInfo(
        job_id=f[0],
        name=f[2],
        user=f[4],
        state=state,
        native_state=f[1],
        source=source,
        queue=f[5],
        account=f[6],
        reason=job_reason(letter, f[3], f[17]),
        exit_code=exit_code,
        signal=signal,
        nodes=_hosts(f[11]),
        submit_time=_time(f[7]),
        start_time=started,
        end_time=ended,
        walltime=parse_duration(f[12]),
        elapsed=used or (ended - started if started and ended else None),
        workdir="",
        restarts=max(0, (_number(f[15]) or 1) - 1),
        cpus=_number(f[14]),
    )


def state_of(letter: str, substate: str, exit_status: str, dialect: str) -> JobState:
    """The state of a job from its letter, substate and exit status, each as printed or "".

    An exit status counts only once the job has ended: a requeued one keeps that of its lost run.
    """
    if letter not in ENDED:
        return LETTERS.get(letter, JobState.UNKNOWN)
    code = _number(exit_status)
    if substate == TERMINATED or code is None:
        return JobState.CANCELLED  # also one that a failed dependency deleted: it has no exit status
    if code == 0:
        return JobState.COMPLETED
    if code < 0:
        known = TORQUE_EXITS if dialect == "torque" else EXITS
        return known.get(code, JobState.LAUNCH_FAILED)
    if not substate and code == _QDEL:
        return JobState.CANCELLED
    return JobState.FAILED


def _exit(code: int | None) -> tuple[int | None, int | None]:
    """(exit code, signal): 128 + n and 256 + n mean signal n; a negative one is the server's word, not an exit."""
    if code is None or code < 0:
        return None, None
    if code > _TORQUE_SIGNAL:
        return code - _TORQUE_SIGNAL + _SIGNAL, code - _TORQUE_SIGNAL
    return code, code - _SIGNAL if _SIGNAL < code < _TORQUE_SIGNAL else None


def job_reason(letter: str, comment: str, hold: str) -> str:
    """The scheduler's comment; of a running job it says only where it runs."""
    if letter in "RBE":
        return ""
    holders = {"u": "by its user", "o": "by an operator", "s": "by the system"}
    if letter == "H":
        names = [text for key, text in holders.items() if key in hold]
        return f"held {' and '.join(names)}" if names else comment[:200] or "held"
    return comment[:200]


def _hosts(text: str) -> str:
    """ "a/0+a/1+b/0*2" as "a,b"."""
    return ",".join(dict.fromkeys(part.split("/")[0] for part in text.split("+") if part))[:200]


def _time(text: str) -> datetime | None:
    """ "Sun Nov 22 01:20:45 2026", asked for in UTC, or epoch seconds."""
    if re.fullmatch(r"[0-9]{9,11}", text):
        return datetime.fromtimestamp(int(text), UTC)
    try:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None


def parse_duration(text: str) -> timedelta | None:
    """ "HH:MM:SS" or seconds."""
    if not re.fullmatch(r"[0-9]{1,6}(:[0-9]{2}){0,2}", text):
        return None
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return timedelta(seconds=seconds)


def format_clock(duration: timedelta) -> str:
    """A duration for qsub, "HH:MM:SS". Raises ``ValueError`` for none."""
    seconds = int(duration.total_seconds())
    if seconds <= 0:
        raise ValueError(f"walltime is {duration}, expected more than zero")
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def output_paths(
    *, full_id: str, name: str, out: str, err: str, join: str, keep: str, home: str, dialect: str
) -> tuple[str, str]:
    """Where a job's output and errors go, as absolute paths, from its attributes as printed (qsub(1B)).

    A path that ends with "/" is a directory. What ``-k`` keeps on the execution host lies in the home directory, but
    with its letter d (direct) where ``-o`` and ``-e`` say. ``-j`` joins both into the first it names.
    """
    number = full_id.partition(".")[0]
    digits, bracket, index = number.rstrip("]").partition("[")
    part = f".{index or '^array_index^'}" if bracket else ""
    kept_at_home = "" if "d" in keep or keep == "n" else keep
    found = []
    for path, letter, ending in ((out, "o", ".OU"), (err, "e", ".ER")):
        default = f"{name}.{letter}{digits}{part}"
        if letter in kept_at_home:
            found.append(f"{home}/{default}")
        elif path.endswith("/"):
            found.append(path + (default if dialect == "torque" else full_id + ending))
        else:
            found.append(path)
    if join[:2] == "oe":
        return found[0], found[0]
    return (found[1], found[1]) if join[:2] == "eo" else (found[0], found[1])


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


# --- queues and nodes ---------------------------------------------------------------------------


def parse_queues(queues: str, nodes: str, default: str) -> list[QueueInfo]:
    """Execution queues from ``qstat -Q -f -F json``; every node serves every queue unless it says otherwise."""
    found = parse_nodes(nodes)
    rows = []
    for name, queue in _document(queues, "Queue").items():
        if queue.get("queue_type") != "Execution":
            continue
        mine = [node for node in found if not node.queues or name in node.queues]
        enabled, started = queue.get("enabled") == "True", queue.get("started") == "True"
        limit = str(queue.get("resources_max", {}).get("walltime", ""))
        rows.append(
            QueueInfo(
                name=str(name),
                is_default=name == default,
                state="up" if enabled and started else "closed" if not enabled else "stopped",
                walltime_limit=parse_duration(limit),
                nodes_total=len(mine),
                nodes_idle=sum(node.cpus_idle == node.cpus_total for node in mine),
                cpus_total=sum(node.cpus_total for node in mine),
                cpus_idle=sum(node.cpus_idle for node in mine),
                memory_mb=max((node.memory_mb for node in mine), default=None),
                jobs_waiting=_jobs(queue, ("Transit", "Queued", "Held", "Waiting")),
                jobs_running=_jobs(queue, ("Running", "Exiting", "Begun")),
            )
        )
    return rows


def _jobs(queue: dict[str, Any], states: tuple[str, ...]) -> int | None:
    """From ``state_count``, like "Transit:0 Queued:3 Held:5 "; None where there is none."""
    counts = dict(re.findall(r"([A-Za-z]+):([0-9]+)", str(queue.get("state_count", ""))))
    return sum(int(counts.get(state, 0)) for state in states) if counts else None


def parse_nodes(text: str) -> list[NodeInfo]:
    """Virtual nodes from ``pbsnodes -a -F json``. A node that is not free has no idle processors."""
    rows = []
    for name, node in _document(text, "nodes").items():
        has, used = node.get("resources_available", {}), node.get("resources_assigned", {})
        total = int(has.get("ncpus") or node.get("pcpus") or 0)
        state = str(node.get("state", ""))
        usable = set(state.split(",")) <= {"free", "job-busy", "job-exclusive", "resv-exclusive"}
        queue = node.get("queue") or has.get("Qlist") or ""
        rows.append(
            NodeInfo(
                name=str(name),
                state=state,
                queues=tuple(part for part in str(queue).split(",") if part),
                cpus_total=total,
                cpus_idle=max(0, total - int(used.get("ncpus") or 0)) if usable else 0,
                memory_mb=_mebibytes(str(has.get("mem", ""))),
                reason=str(node.get("comment", "")),
            )
        )
    return rows


def default_queue(text: str) -> str:
    """The server's default queue from ``qstat -B -f -F json``, or "" where there is none."""
    servers = _document(text, "Server")
    return next((str(server.get("default_queue", "")) for server in servers.values()), "")


def _document(text: str, key: str) -> dict[str, Any]:
    """One table of a JSON document. PBS writes raw control characters into strings (measured)."""
    try:
        table = json.loads(text, strict=False)[key]
    except (ValueError, KeyError, TypeError) as error:
        raise IncompleteAnswer(f"PBS did not list its {key}: {text[:200]!r}") from error
    if not isinstance(table, dict):
        raise IncompleteAnswer(f"PBS did not list its {key}: {text[:200]!r}")
    return table


def _mebibytes(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([kmgt]?b)", text)
    return int(match[1]) * _UNITS[match[2]] >> 20 if match else 0
