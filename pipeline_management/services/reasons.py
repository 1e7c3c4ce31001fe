"""Why a job waits, in plain words. The words are Slurm's (squeue(1) of 22.05, "JOB REASON CODES"), those of the
local scheduler, and PBS's comments, which are sentences."""

from __future__ import annotations

import re

PLAIN = {
    "Resources": "It waits for free nodes.",
    "Priority": "Jobs with a higher priority are ahead of it.",
    "Dependency": "It waits for another job.",
    "BeginTime": "Its begin time has not come yet.",
    "Licenses": "It waits for a licence.",
    "Reservation": "It waits for its reservation.",
    "Slots": "It waits for a free slot on this machine.",
    "Cleaning": "It is being put back into the queue, and its last start is still being cleaned up.",
    "Prolog": "The cluster is preparing its start.",
    "WaitingForScheduling": "The scheduler has not looked at it yet.",
    "InactiveLimit": "It was inactive for longer than the cluster allows.",
    "QOSUsageThreshold": "Its quality of service has been used more than it allows.",
    "JobHeldUser": "It was put on hold by its owner.",
    "JobHeldAdmin": "It was put on hold by an administrator of the cluster.",
    "DependencyNeverSatisfied": "The job it waits for can no longer fulfil its condition.",
    "BadConstraints": "No node can fulfil what it asks for.",
    "PartitionConfig": "It asks for more than a node of this queue has.",
    "PartitionNodeLimit": "It asks for more nodes than this queue gives, or they are down.",
    "PartitionTimeLimit": "It asks for more time than this queue gives.",
    "PartitionDown": "The queue is closed.",
    "PartitionInactive": "The queue is not active.",
    "InvalidAccount": "The account it is charged to is not valid.",
    "InvalidQOS": "Its quality of service is not valid.",
    "FrontEndDown": "No front-end node is available to start it.",
    "ReqNodeNotAvail": "A node that it needs is not available.",
    "NodeDown": "A node that it needs is down.",
    "JobLaunchFailure": "It could not be started: perhaps for a fault of the file system or a wrong program name.",
    "SystemFailure": "The cluster itself, a file system or the network failed.",
    "launch failed requeued held": "It could not be started and was put on hold.",
    "job requeued in held state": "It was put back into the queue, on hold.",
}
"""The reason as given (up to a comma) and what it means."""

STUCK = frozenset(PLAIN) - {
    "Resources",
    "Priority",
    "Dependency",
    "BeginTime",
    "Licenses",
    "Reservation",
    "Slots",
    "Cleaning",
    "Prolog",
    "WaitingForScheduling",
    "QOSUsageThreshold",
}
"""Reasons that do not pass by waiting."""

_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"Assoc(iation)?(Grp\w*|JobLimit)", "The jobs of its account together have reached a limit of the cluster"),
    (r"QOS(Grp\w*|JobLimit)", "The jobs of its quality of service together have reached a limit"),
    (r"(Assoc|QOS)Max(Jobs|Submit)\w*", "As many jobs as are allowed run or wait already"),
    (r"(Assoc|QOS)Max\w*", "It asks for more than a limit of the cluster allows one job or user"),
    (r"Association\w*|Assoc\w*|QOS\w*|\w*Limit\w*", "A limit of the cluster holds it back"),
)  # fmt: skip
"""Families of Slurm's words and what they mean; the word follows in brackets."""

_COMMENTS: tuple[tuple[str, str], ...] = (
    (r"Not enough (free|total) nodes available", "It waits for free nodes."),
    (r"Insufficient amount of resource:? *([\w.]+)", r"Not enough of {} is free yet."),
    (r"Insufficient amount of server resource:? *([\w.]+)", r"Not enough of {} is free yet."),
    (r"(?i)(queue|server|user|group|project)\b.*\blimit|would exceed", "A limit of the cluster holds it back."),
    (r"Queue not started", "The queue is not started."),
    (r"Queue not an execution queue", "The queue does not run jobs itself."),
    (r"conflict with reservation or top job", "Jobs with a higher priority are ahead of it."),
    (r"Draining system|starving job", "The cluster makes room for a job that has waited for long."),
    (r"Outside .*time|dedicated time", "It waits for the time at which its queue may run jobs."),
)
"""PBS's comments after "Not Running: " (recorded, and pbs_sched's own texts)."""

_PBS_STUCK = ("Can Never Run", "Not Running: Queue not started", "held")


def plain(reason: str) -> str:
    """A sentence for the scheduler's reason; the reason itself where no sentence is known; "" for none."""
    word = _word(reason)
    if word in ("", "None"):
        return ""
    if word in PLAIN:
        return PLAIN[word]
    if " " in word:
        return _comment(reason)
    for pattern, sentence in _PATTERNS:
        if re.fullmatch(pattern, word):
            return f"{sentence} ({word})."
    return _as_given(reason)


def is_stuck(reason: str) -> bool:
    """Whether somebody must act before the job can start."""
    return _word(reason) in STUCK or reason.startswith(_PBS_STUCK)


def is_held(reason: str) -> bool:
    """Whether the job's owner has it kept from starting, and can undo that."""
    return _word(reason) == "JobHeldUser" or reason.startswith("held by its user")


def _word(reason: str) -> str:
    return reason.strip("()").partition(",")[0].strip()


def _comment(reason: str) -> str:
    kind, colon, text = reason.partition(": ")
    if kind == "Can Never Run" and colon:
        return f"It can never run as it is: {text.rstrip('.')}."
    if reason.startswith("held"):
        return f"It is {reason.rstrip('.')}."
    for pattern, sentence in _COMMENTS:
        match = re.search(pattern, text if colon else reason)
        if match is not None:
            return sentence.format(*match.groups())
    return _as_given(reason)


def _as_given(reason: str) -> str:
    return f"The scheduler's reason: {reason.rstrip('.')}."
