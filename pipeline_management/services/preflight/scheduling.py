"""What the scheduler says before a submission, as steps: account, queue, and a trial where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from hpc.jobs import JobSpec
from hpc.preflight import reading
from hpc.preflight.asking import Part
from hpc.preflight.reading import Association, Queue
from pipeline_management.choices import SchedulerKind
from pipeline_management.services.preflight.steps import Status, Step
from pipeline_management.services.schema_sentences import did_you_mean

_SHOWN = 20
_LATE = "The scheduler did not answer in time."


def judged(
    parts: Mapping[str, Part], spec: JobSpec, scheduler: str, username: str
) -> tuple[list[Step], datetime | None]:
    """The steps, and when the scheduler would start the job (aware UTC), None where it does not say."""
    if scheduler == SchedulerKind.SLURM:
        queues = reading.slurm_queues(parts["queues"].output)
        trial, start = _trial(parts["trial"])
        return [
            _account(parts["accounts"], spec, username),
            _queue(parts["queues"], queues, spec, username),
            trial,
        ], start
    if scheduler == SchedulerKind.PBS:
        queues = reading.pbs_queues(parts["queues"].output)
        says_nothing = (
            "PBS cannot be asked when it would start a job, nor which accounts are valid."
        )
        return [
            _queue(parts["queues"], queues, spec, username),
            Step("start", Status.UNKNOWN, says_nothing),
        ], None
    return [
        Step("start", Status.GOOD, "Jobs start as plain processes as soon as a slot is free.")
    ], None


def _silent(name: str, part: Part) -> Step:
    if part.code is None:
        return Step(name, Status.UNKNOWN, _LATE)
    last = part.errors.splitlines()[-1][:300] if part.errors else "it said nothing"
    return Step(name, Status.UNKNOWN, f"The scheduler does not tell: {last}")


# --- account ----------------------------------------------------------------------------------


def _account(part: Part, spec: JobSpec, username: str) -> Step:
    known = reading.associations(part.output)
    if not known:
        if part.code == 0:
            message = f"{username} has no account in Slurm's accounting."
            return Step("account", Status.WARNING, message)
        return _silent("account", part)
    names = list(dict.fromkeys(one.account for one in known))
    if spec.account is None:
        return Step("account", Status.GOOD, f"The default account is charged; {_there_are(names)}.")
    usable = [one for one in known if one.account == spec.account]
    if not usable:
        guess = did_you_mean(spec.account, names)
        message = (
            f"{username} may not charge the account {spec.account}{guess}; {_there_are(names)}."
        )
        return Step("account", Status.BAD, message)
    wrong = _wrong_use(usable, spec)
    if wrong:
        return Step("account", Status.BAD, wrong)
    return Step("account", Status.GOOD, f"{username} may charge the account {spec.account}.")


def _wrong_use(usable: list[Association], spec: JobSpec) -> str:
    partitions = [one.partition for one in usable]
    if spec.queue and "" not in partitions and spec.queue not in partitions:
        return (
            f"The account {spec.account} is for {_listed(partitions)} only, not for {spec.queue}."
        )
    qos = [name for one in usable for name in one.qos]
    if spec.qos and qos and spec.qos not in qos:
        guess = did_you_mean(spec.qos, qos)
        return (
            f"The account {spec.account} may not use the QOS {spec.qos}{guess}; {_there_are(qos)}."
        )
    return ""


def _there_are(names: list[str]) -> str:
    return f"there {'is' if len(names) == 1 else 'are'} {_listed(names)}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(list(dict.fromkeys(names))[:_SHOWN]) + more


# --- queue ------------------------------------------------------------------------------------


def _queue(part: Part, known: list[Queue], spec: JobSpec, username: str) -> Step:
    if not known:
        return _silent("queue", part)
    if spec.queue is None:
        chosen = [queue for queue in known if queue.is_default]
        if not chosen:
            return Step("queue", Status.GOOD, "The scheduler's default queue is used.")
    else:
        chosen = [queue for queue in known if queue.name in spec.queue.split(",")]
    if not chosen:
        names = [queue.name for queue in known]
        guess = did_you_mean(spec.queue, names)
        message = f"There is no queue {spec.queue}{guess}; {_there_are(names)}."
        return Step("queue", Status.BAD, message)
    return _state_of(chosen[0], spec, username)


def _state_of(queue: Queue, spec: JobSpec, username: str) -> Step:
    if not queue.lets_in(username):
        message = f"The queue {queue.name} does not let {username} in."
        return Step("queue", Status.BAD, message)
    if not queue.is_up:
        message = f"The queue {queue.name} is {queue.state}: jobs wait or are refused."
        return Step("queue", Status.WARNING, message)
    if queue.walltime is not None and spec.walltime is not None and spec.walltime > queue.walltime:
        message = (
            f"The job asks for {_words(spec.walltime)}, and the queue {queue.name} gives "
            f"{_words(queue.walltime)} at most."
        )
        return Step("queue", Status.BAD, message)
    if queue.accounts and spec.account and spec.account not in queue.accounts:
        message = f"The queue {queue.name} is for {_listed(list(queue.accounts))} only."
        return Step("queue", Status.BAD, message)
    return Step("queue", Status.GOOD, f"The queue {queue.name} takes jobs.")


def _words(time: timedelta) -> str:
    hours, rest = divmod(int(time.total_seconds()), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


# --- trial ------------------------------------------------------------------------------------


def _trial(part: Part) -> tuple[Step, datetime | None]:
    found = reading.trial(part.code, part.errors) if part.code is not None else None
    if found is None:
        return _silent("start", part), None
    if found.refusal:
        return Step("start", Status.BAD, f"Slurm would refuse the job: {found.refusal}"), None
    cpus = f"{found.cpus} processor{'s' * (found.cpus != 1)}" if found.cpus else "some processors"
    where = f" on {found.nodes}" if found.nodes else ""
    where += f" in {found.queue}" if found.queue else ""
    return Step("start", Status.GOOD, f"Slurm would take the job: {cpus}{where}."), found.start
