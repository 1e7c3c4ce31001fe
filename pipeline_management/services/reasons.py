"""Why a job waits, in plain words. The words are Slurm's (squeue(1), "JOB REASON CODES") and the local scheduler's."""

from __future__ import annotations

PLAIN = {
    "Resources": "It waits for free nodes.",
    "Priority": "Jobs with a higher priority are ahead of it.",
    "Dependency": "It waits for another job.",
    "BeginTime": "Its begin time has not come yet.",
    "Licenses": "It waits for a licence.",
    "Reservation": "It waits for its reservation.",
    "Slots": "It waits for a free slot on this machine.",
    "JobHeldUser": "It was put on hold by its owner.",
    "JobHeldAdmin": "It was put on hold by an administrator of the cluster.",
    "DependencyNeverSatisfied": "The job it waits for can no longer fulfil its condition.",
    "BadConstraints": "No node can fulfil what it asks for.",
    "PartitionConfig": "It asks for more than a node of this queue has.",
    "PartitionNodeLimit": "It asks for more nodes than this queue gives.",
    "PartitionTimeLimit": "It asks for more time than this queue gives.",
    "PartitionDown": "The queue is closed.",
    "PartitionInactive": "The queue is not active.",
    "InvalidAccount": "The account it is charged to is not valid.",
    "InvalidQOS": "Its quality of service is not valid.",
    "ReqNodeNotAvail": "A node that it needs is not available.",
    "NodeDown": "A node that it needs is down.",
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
}
"""Reasons that do not pass by waiting."""


def plain(reason: str) -> str:
    """A sentence for the scheduler's reason; the reason itself where no sentence is known; "" for none."""
    word = reason.strip("()").partition(",")[0].strip()
    if word in ("", "None"):
        return ""
    if word in PLAIN:
        return PLAIN[word]
    if "Limit" in word or word.startswith(("Assoc", "QOS")):
        return f"A limit of the cluster holds it back ({word})."
    return f"The scheduler's reason: {reason}."


def is_stuck(reason: str) -> bool:
    """Whether somebody must act before the job can start."""
    return reason.strip("()").partition(",")[0].strip() in STUCK
