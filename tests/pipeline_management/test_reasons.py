"""The schedulers' reasons in plain words."""

from __future__ import annotations

import re

import pytest

from pipeline_management.services import reasons

# squeue(1) of Slurm 22.05, "JOB REASON CODES", but for those of jobs that have ended
SQUEUE_22_05 = re.findall(r"\w+", """
AssocGrpCpuLimit AssociationJobLimit AssocMaxWallDurationPerJobLimit AssociationResourceLimit
AssociationTimeLimit BadConstraints BeginTime Cleaning Dependency DependencyNeverSatisfied FrontEndDown
InactiveLimit InvalidAccount InvalidQOS JobHeldAdmin JobHeldUser JobLaunchFailure Licenses NodeDown
PartitionDown PartitionInactive PartitionNodeLimit PartitionTimeLimit Priority Prolog QOSGrpCpuLimit
QOSJobLimit QOSMaxCpuPerUserLimit QOSResourceLimit QOSTimeLimit QOSUsageThreshold ReqNodeNotAvail
Reservation Resources SystemFailure WaitingForScheduling
""")  # fmt: skip


@pytest.mark.parametrize("word", SQUEUE_22_05)
def test_every_reason_of_the_manual_has_words(word: str) -> None:
    sentence = reasons.plain(word)
    assert sentence.endswith(".") and "scheduler's reason" not in sentence
    assert re.match(r"[A-Z]", sentence)


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("", ""),
        ("None", ""),
        ("(Resources)", "It waits for free nodes."),
        ("ReqNodeNotAvail, UnavailableNodes:n1", "A node that it needs is not available."),
        ("AssocGrpCpuLimit",
         "The jobs of its account together have reached a limit of the cluster (AssocGrpCpuLimit)."),
        ("QOSMaxJobsPerUserLimit", "As many jobs as are allowed run or wait already (QOSMaxJobsPerUserLimit)."),
        ("QOSMaxWallDurationPerJobLimit",
         "It asks for more than a limit of the cluster allows one job or user (QOSMaxWallDurationPerJobLimit)."),
        ("SomethingNew", "The scheduler's reason: SomethingNew."),
        ("launch failed requeued held", "It could not be started and was put on hold."),
        ("Not Running: Not enough free nodes available", "It waits for free nodes."),
        ("Not Running: Insufficient amount of resource: ncpus ", "Not enough of ncpus is free yet."),
        ("Not Running: Queue not started.", "The queue is not started."),
        ("Not Running: User has reached queue running job limit.", "A limit of the cluster holds it back."),
        ("Not Running: Something else {0}", "The scheduler's reason: Not Running: Something else {0}."),
        ("Can Never Run: Insufficient amount of resource: ncpus (R: 1000 A: 8 T: 8)",
         "It can never run as it is: Insufficient amount of resource: ncpus (R: 1000 A: 8 T: 8)."),
        ("held by its user", "It is held by its user."),
    ],
)  # fmt: skip
def test_words(reason: str, sentence: str) -> None:
    assert reasons.plain(reason) == sentence


@pytest.mark.parametrize(
    ("reason", "stuck", "held"),
    [
        ("JobHeldUser", True, True),
        ("JobHeldAdmin", True, False),
        ("Priority", False, False),
        ("QOSGrpCpuLimit", False, False),
        ("PartitionDown", True, False),
        ("held by its user", True, True),
        ("held by the system", True, False),
        ("Not Running: Queue not started.", True, False),
        ("Can Never Run: x", True, False),
        ("Not Running: Not enough free nodes available", False, False),
    ],
)
def test_what_does_not_pass_by_waiting(reason: str, stuck: bool, held: bool) -> None:
    assert (reasons.is_stuck(reason), reasons.is_held(reason)) == (stuck, held)
