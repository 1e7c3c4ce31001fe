"""The parts of a look at a system as values. Pure; what cannot be read is left out, never guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hpc.schedulers.pbs_tables import SPLIT
from hpc.schedulers.slurm_parse import duration

_KIB = 1024
PATH_STATES = {
    "r": "readable",
    "e": "empty",
    "d": "directory",
    "u": "unreadable",
    "m": "missing",
}


@dataclass(frozen=True, slots=True)
class Space:
    """The filesystem of a directory: ``place`` is the nearest directory that exists; bytes and inodes, None
    where the system does not say."""

    is_writable: bool
    place: str
    mount: str
    total: int | None
    free: int | None
    inodes: int | None
    inodes_free: int | None


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit of the user on one filesystem. Bytes, or numbers of files; 0 is no limit."""

    filesystem: str
    unit: str
    used: int
    soft: int
    hard: int

    @property
    def limit(self) -> int:
        """The number that must not be passed for long."""
        return self.soft or self.hard


@dataclass(frozen=True, slots=True)
class Association:
    """What a user may charge in Slurm; "" is any partition."""

    account: str
    partition: str = ""
    qos: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """A partition or queue and whom it lets in; empty tuples are everybody, ``walltime`` None is no limit.

    ``users`` are entries of PBS's access list: a name, after a sign where it has one."""

    name: str
    is_up: bool
    state: str
    is_default: bool = False
    walltime: timedelta | None = None
    accounts: tuple[str, ...] = ()
    qos: tuple[str, ...] = ()
    users: tuple[str, ...] = ()

    def lets_in(self, user: str) -> bool:
        """Whether the access list has the user; the first entry that fits counts (pbs_queue_attributes(7B))."""
        for entry in self.users:
            if entry.lstrip("+-") in (user, "*"):
                return not entry.startswith("-")
        return not self.users


@dataclass(frozen=True, slots=True)
class Trial:
    """What the scheduler says to a submission. ``start`` is aware UTC; ``refusal`` is "" where it takes the job."""

    refusal: str
    start: datetime | None = None
    cpus: int | None = None
    nodes: str = ""
    queue: str = ""


def path_states(output: str) -> list[str]:
    """One of ``PATH_STATES`` for each path that was looked at, in the order asked."""
    return [PATH_STATES[letter] for letter in output if letter in PATH_STATES]


def space(output: str) -> Space | None:
    """From the part ``space``: two lines, then a line each of ``df -Pk`` and ``df -Pi`` (POSIX df)."""
    lines = output.splitlines()
    if len(lines) < 2 or lines[0] not in ("open", "closed"):
        return None
    blocks = _df(lines[2]) if len(lines) > 2 else None
    inodes = _df(lines[3]) if len(lines) > 3 else None
    return Space(
        is_writable=lines[0] == "open",
        place=lines[1],
        mount=blocks[2] if blocks else "",
        total=blocks[0] * _KIB if blocks else None,
        free=blocks[1] * _KIB if blocks else None,
        inodes=inodes[0] if inodes else None,
        inodes_free=inodes[1] if inodes else None,
    )


_DF = re.compile(r".*?\s(\d+)\s+\d+\s+(-?\d+)\s+(?:\d+%|-)\s+(/.*)")


def _df(line: str) -> tuple[int, int, str] | None:
    match = _DF.fullmatch(line.strip())
    return (int(match[1]), max(0, int(match[2])), match[3]) if match else None


_QUOTA = re.compile(
    r"^\s*(\S+)\s+(\d+)\*?\s+(\d+)\s+(\d+)\s+\S+\s+(\d+)\*?\s+(\d+)\s+(\d+)(?:\s+\S+)?\s*$"
)


def quotas(output: str) -> list[Quota]:
    """From ``quota -wp`` and ``lfs quota -u``, whose columns are the same (quota(1), lfs-quota(1)): KiB, then files.

    Only those with a limit.
    """
    found = []
    for line in output.splitlines():
        match = _QUOTA.match(line)
        if match is None:
            continue
        used, soft, hard, files, files_soft, files_hard = (int(match[n]) for n in range(2, 8))
        found.append(Quota(match[1], "bytes", used * _KIB, soft * _KIB, hard * _KIB))
        found.append(Quota(match[1], "files", files, files_soft, files_hard))
    return [one for one in found if one.limit]


def associations(output: str) -> list[Association]:
    """From ``sacctmgr -nP show assoc format=account,partition,qos``."""
    found = []
    for line in output.splitlines():
        fields = line.split("|")
        if len(fields) == 3 and fields[0]:
            qos = tuple(name for name in fields[2].split(",") if name)
            found.append(Association(fields[0], fields[1], qos))
    return found


def slurm_queues(output: str) -> list[Queue]:
    """From ``scontrol -o show partition``: one line of KEY=VALUE words each."""
    found = []
    for line in output.splitlines():
        words = dict(word.partition("=")[::2] for word in line.split())
        name = words.get("PartitionName")
        if not name:
            continue
        state = words.get("State", "")
        found.append(
            Queue(
                name=name,
                is_up=state == "UP",
                state=state,
                is_default=words.get("Default") == "YES",
                walltime=duration(words.get("MaxTime", "")),
                accounts=_listed(words.get("AllowAccounts", "ALL")),
                qos=_listed(words.get("AllowQos", "ALL")),
            )
        )
    return found


def _listed(value: str) -> tuple[str, ...]:
    return () if value in ("ALL", "N/A", "") else tuple(value.split(","))


def pbs_queues(output: str) -> list[Queue]:
    """From ``qstat -Qf`` and ``qstat -Bf``, as JSON or plain: "Queue: name" and indented "key = value" lines, of which
    long ones go on after a tab."""
    queues, server = _pbs_json(output) if output.lstrip().startswith("{") else _pbs_plain(output)
    default = server.get("default_queue", "")
    return [_pbs_queue(name, values, name == default) for name, values in queues.items()]


_Tables = tuple[dict[str, dict[str, str]], dict[str, str]]


def _pbs_plain(output: str) -> _Tables:
    queues: dict[str, dict[str, str]] = {}
    server: dict[str, str] = {}
    values = dict[str, str]()
    for line in output.replace("\n\t", "").splitlines():
        if line.startswith("Queue:"):
            values = queues.setdefault(line.partition(":")[2].strip(), {})
        elif line.startswith("Server:"):
            values = server
        elif " = " in line:
            key, _, value = line.strip().partition(" = ")
            values[key] = value
    return queues, server


def _pbs_json(output: str) -> _Tables:
    first, _, second = output.partition(SPLIT)
    servers = list(_pbs_table(second, "Server").values())
    return _pbs_table(first, "Queue"), servers[0] if servers else {}


def _pbs_table(text: str, key: str) -> dict[str, dict[str, str]]:
    """The attributes of each, those of resources like "resources_max.walltime"; nothing from a text that is cut."""
    try:
        table = json.loads(text, strict=False)[key]
        return {str(name): dict(_flat(values)) for name, values in table.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _flat(values: dict[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{part}", str(inner)) for part, inner in value.items())
        else:
            yield key, str(value)


def _pbs_queue(name: str, values: dict[str, str], is_default: bool) -> Queue:
    enabled, started = values.get("enabled") == "True", values.get("started") == "True"
    state = "enabled" if enabled else "not enabled"
    listed = values.get("acl_users", "") if values.get("acl_user_enable") == "True" else ""
    users = [entry.strip().partition("@")[0] for entry in listed.split(",")]
    return Queue(
        name=name,
        is_up=enabled and started,
        state=state if started else f"{state}, not started",
        is_default=is_default,
        walltime=_pbs_duration(values.get("resources_max.walltime", "")),
        users=tuple(entry for entry in users if entry),
    )


def _pbs_duration(text: str) -> timedelta | None:
    if not re.fullmatch(r"\d+(:\d{1,2}){0,2}", text):
        return None
    seconds = 0
    for part in text.split(":"):
        seconds = seconds * 60 + int(part)
    return timedelta(seconds=seconds)


_STARTS = re.compile(
    r"Job \d+ to start at (\S+) using (\d+) processors on nodes (\S+)(?: in partition (\S+))?"
)


def trial(code: int, errors: str) -> Trial | None:
    """From ``sbatch --test-only``, which prints on standard error (measured with 22.05.8): when and where the job
    would start, or why it is refused. None where it says neither."""
    match = _STARTS.search(errors)
    if match is not None:
        at = int(match[1]) if match[1].isdecimal() else None
        start = datetime.fromtimestamp(at, UTC) if at is not None else None
        return Trial("", start, int(match[2]), match[3], match[4] or "")
    prefix = re.compile(r"^(?:sbatch: )?(?:error: |fatal: |allocation failure: )+")
    lines = [prefix.sub("", line) for line in errors.splitlines() if line.strip()]
    return Trial(lines[-1].strip()[:500]) if code != 0 and lines else None
