"""Watching the jobs of submitters' own scripts, in the same tick and by the same listing as all others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from hpc.jobs import JobInfo
from hpc.protocol.observation import Observation, Watched
from pipeline_management.choices import RunKind
from pipeline_management.models import Run
from pipeline_management.services import verdicts
from pipeline_management.services.evidence import Known, Sighting, Timing
from pipeline_management.services.job_evidence import (
    Identity,
    JobSighting,
    judge_job,
    spokesman,
)
from pipeline_management.services.transition import Change

History = Callable[[list[str]], tuple[dict[str, list[JobInfo]], bool | None]]
"""Asks accounting about jobs by their ids; see ``polling``."""

_PART = re.compile(r"[_+].*")


def watched(open_runs: QuerySet[Run]) -> list[Watched]:
    """What to ask about the runs of kind "job" among these.

    All that is listed of them: of an array each task has a line, and only together they tell its state. They
    have no directory of Centro's with markers to read, so that none is named.
    """
    rows = open_runs.filter(kind=RunKind.JOB).values_list("pk", "job_id")
    return [Watched(str(pk), "", job_id, "", "") for pk, job_id in rows]


def sightings(
    runs: list[Run], observation: Observation, user: str, history: History
) -> dict[Run, JobSighting]:
    """What the queue, and accounting where the queue knows no live job, say of each run's job."""
    if not runs:
        return {}
    lines: dict[str, list[JobInfo]] = defaultdict(list)
    for job in observation.jobs.values():
        lines[_PART.sub("", job.job_id)].append(job)
    listed = {run: _own(run, lines[run.job_id], user) for run in runs}
    over = [run for run in runs if all(job.state.is_final for job in listed[run])]
    records: dict[str, list[JobInfo]] = defaultdict(list)
    accounting: bool | None = True
    if over:
        found, accounting = history(sorted({run.job_id for run in over}))
        for jobs in found.values():
            for job in jobs:
                records[_PART.sub("", job.job_id)].append(job)
    sighted = {}
    for run in runs:
        own = _own(run, records[run.job_id], user) if run in over else []
        # of a requeued job there are several records, the current one last
        current = {job.job_id: job for job in own}
        sighted[run] = JobSighting(listed[run], list(current.values()), accounting)
    return sighted


def _own(run: Run, jobs: list[JobInfo], user: str) -> list[JobInfo]:
    seen_until = (run.missing_since or timezone.now()) if run.queue_state else None
    identity = Identity(user, run.directory, run.submitted_at, seen_until)
    return [job for job in jobs if identity.fits(job)]


def change_for(
    run: Run, sighting: JobSighting, known: Known, now: datetime, timing: Timing
) -> Change | None:
    """The change that a look makes, or None."""
    judgement = judge_job(known, sighting, now, timing)
    words = Sighting(
        listed=spokesman(sighting.listed),
        record=spokesman(sighting.records),
        accounting=sighting.accounting,
    )
    return verdicts.change_for(run, judgement, words, now)
