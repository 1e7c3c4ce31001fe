"""Watching all runs of one system account: one round trip a tick, more only where something ended."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Case, F, Value, When
from django.db.models.functions import Now
from django.utils import timezone

from hpc.client import SystemClient
from hpc.errors import HpcError, NotSupported, SchedulerError, SchedulerSilent
from hpc.jobs import JobInfo
from hpc.protocol.cancellation import End, cancel
from hpc.protocol.markers import Markers
from hpc.protocol.observation import Look, Observation, Probed, Watched, observe, probe
from pipeline_management.choices import (
    WATCHED_STATES,
    Desired,
    HealthState,
    Reason,
    RunKind,
    RunState,
)
from pipeline_management.models import Attempt, Run, SystemAccount
from pipeline_management.services import dispatch, job_watch, leases, trouble, verdicts
from pipeline_management.services.clients import client_for, settle_seconds
from pipeline_management.services.evidence import (
    Judgement,
    Known,
    Sighting,
    Timing,
    Verdict,
    judge,
)
from pipeline_management.services.reports import following
from pipeline_management.services.transition import Change, apply

logger = logging.getLogger(__name__)

LONGEST_INTERVAL = 60.0
QUIET_AFTER = 6
_HISTORY_CHUNK = 500
_JUDGED = (
    *("state", "desired", "job_id", "key", "directory", "queue_state", "queue_reason", "misses"),
    *(
        "missing_since",
        "started_at",
        "cancel_sent_at",
        "lost_attempts",
        "attention",
        "attention_text",
    ),
    *("kind", "submitted_at"),
)
"""What judging a run and writing its change down reads; the other columns cost time only."""
_PROBED = (Verdict.LOOK, Verdict.FORGET, Verdict.KICK)


def poll_account(account_id: int) -> bool:
    """Look once at all open jobs of an account; False if another worker is at it.

    Never raises for a system that fails: an incomplete answer changes no run.
    """
    more = False
    with leases.holding() as holder:
        if not leases.take_account(account_id, holder):
            return False
        account = SystemAccount.objects.select_related("system", "credential").get(pk=account_id)
        try:
            tick = _Tick(account, holder)
            changed = tick.run()
            more = tick.is_cut
        except (HpcError, ValueError) as error:
            failure = error if isinstance(error, HpcError) else SchedulerError(str(error))
            logger.warning("%s was not polled: %s", account, trouble.describe(error))
            trouble.note_failure(account, failure)
        else:
            _note_success(account, changed)
        finally:
            SystemAccount.objects.filter(pk=account_id, poll_holder=holder).update(
                poll_holder="", poll_lease_until=None
            )
    if more:  # a job reports faster than one look can read
        dispatch.ring(dispatch.POLL, account_id)
    return True


def request_look(account: SystemAccount) -> None:
    """Somebody is looking, or a job called: bring the next tick forward. Costs one cheap query."""
    soon = Now() + timedelta(seconds=account.system.poll_interval)
    SystemAccount.objects.filter(pk=account.pk, next_poll_at__gt=soon).update(
        next_poll_at=soon, quiet_polls=0
    )


def look_soon(account_id: int) -> None:
    """A job was submitted: look within a second or so."""
    soon = Now() + timedelta(seconds=1)
    accounts = SystemAccount.objects.filter(pk=account_id)
    accounts.exclude(next_poll_at__lt=soon).update(next_poll_at=soon, quiet_polls=0)
    accounts.filter(next_poll_at__isnull=True).update(next_poll_at=soon)


class _Tick:
    """One look at one account."""

    def __init__(self, account: SystemAccount, holder: str) -> None:
        self.account = account
        self.holder = holder
        self.is_cut = False
        """Whether an events file had more than was read."""
        self.client: SystemClient = client_for(account)
        settle = timedelta(seconds=settle_seconds(account.system))
        self.timing = Timing(
            grace=timedelta(seconds=settings.CENTRO_NFS_GRACE_SECONDS),
            settle=settle,
            phantom=timedelta(seconds=settings.CENTRO_PHANTOM_SECONDS),
        )

    def run(self) -> bool:
        """Observe, judge, write down; returns whether anything was other than before."""
        watched = self._watched()
        observation = self.client.run(
            observe(self.client.scheduler, self.account.username, watched)
        )
        reported, self.is_cut = following.take_tails(observation.tails)
        if not observation.markers:
            return reported > 0
        loaded = self._load(observation)
        runs = [run for run in loaded if run.kind == RunKind.PIPELINE]
        sightings = self._sightings(runs, observation)
        now = timezone.now()
        judged = {run: judge(known_of(run), sightings[run], now, self.timing) for run in runs}
        changes = self._look_closely(judged, sightings)
        for run, judgement in judged.items():
            if judgement.verdict not in _PROBED:
                change = verdicts.change_for(run, judgement, sightings[run], now)
                if change is not None:
                    changes.append(change)
        jobs = [run for run in loaded if run.kind == RunKind.JOB]
        looked = job_watch.sightings(jobs, observation, self.account.username, self._history)
        for run, seen in looked.items():
            change = job_watch.change_for(run, seen, known_of(run), now, self.timing)
            if change is not None:
                changes.append(change)
        self._write(changes)
        self._kick_losers(judged)
        return bool(changes) or reported > 0

    def _watched(self) -> list[Watched]:
        # Ids and times are left to the database: with thousands of rows, making UUID and datetime
        # objects of them costs more than all the rest of the tick. A directory is named by its run.
        seen = Case(When(missing_since__isnull=True, then=F("queue_state")), default=Value(""))
        open_runs = Run.objects.filter(account=self.account, state__in=WATCHED_STATES).order_by()
        watched = job_watch.watched(open_runs)
        rows = open_runs.filter(kind=RunKind.PIPELINE).values_list(
            "directory", "job_id", seen, "queue_reason", "state", "events_offset"
        )
        for directory, job_id, queue_state, reason, state, read in rows.iterator(chunk_size=5000):
            root, _, run = directory.rpartition("/")
            offset = str(read) if state == RunState.RUNNING else ""
            watched.append(Watched(run, root, job_id, queue_state, reason, offset))
        return watched

    def _load(self, observation: Observation) -> list[Run]:
        runs = Run.objects.filter(pk__in=list(observation.markers), state__in=WATCHED_STATES)
        return list(runs.only(*_JUDGED))

    def _sightings(self, runs: list[Run], observation: Observation) -> dict[Run, Sighting]:
        listed = {}
        for run in runs:
            job = observation.jobs.get(run.job_id)
            # The same id under another name is somebody else's job: ids come back after a crash.
            listed[run] = job if job is not None and job.name == run.key else None
        records, accounting = self._records(
            [run for run in runs if _is_unexplained(listed[run], observation.markers[str(run.pk)])]
        )
        return {
            run: Sighting(
                listed=listed[run],
                markers=observation.markers[str(run.pk)],
                record=records.get(run.job_id),
                accounting=accounting,
            )
            for run in runs
        }

    def _records(self, missing: list[Run]) -> tuple[dict[str, JobInfo], bool | None]:
        """What accounting says of jobs that the queue does not list; one command per 500 jobs."""
        keys = {run.job_id: run.key for run in missing}
        records, accounting = self._history(sorted(keys))
        found: dict[str, JobInfo] = {}
        for job_id, key in keys.items():
            ours = [record for record in records.get(job_id, []) if record.name == key]
            if ours:
                found[job_id] = ours[-1]
        return found, accounting

    def _history(self, ids: list[str]) -> tuple[dict[str, list[JobInfo]], bool | None]:
        """All records of these jobs; whether accounting answered, None where there is none."""
        found: dict[str, list[JobInfo]] = {}
        try:
            for start in range(0, len(ids), _HISTORY_CHUNK):
                chunk = ids[start : start + _HISTORY_CHUNK]
                part = self.client.run(self.client.scheduler.history(chunk))
                found |= part
        except NotSupported:
            return {}, None
        except SchedulerSilent as error:
            logger.info("accounting of %s does not answer: %s", self.account.system, error)
            return {}, False
        return found, True

    def _look_closely(
        self, judged: dict[Run, Judgement], sightings: dict[Run, Sighting]
    ) -> list[Change]:
        """Before an end without a result is believed: look into the directories under their locks."""
        odd = [run for run, judgement in judged.items() if judgement.verdict in _PROBED]
        if not odd:
            return []
        now = timezone.now()
        phantoms = [run for run in odd if judged[run].verdict is Verdict.KICK]
        self._kick(phantoms)
        looked = self._probe([(run, Look.LOOK) for run in odd])
        changes = []
        gone = []
        for run in odd:
            seen = looked.get(str(run.pk))
            if seen is None or seen.word == "busy":
                judged[run] = Judgement(Verdict.SUSPECT)
                continue
            sighting = sightings[run]
            sightings[run] = Sighting(
                sighting.listed, seen.markers, sighting.record, sighting.accounting, seen.claim_job
            )
            again = judge(known_of(run), sightings[run], now, self.timing)
            if seen.word == "missing" and again.verdict in _PROBED:
                again = _without_directory(judged[run])
            if again.verdict in (Verdict.FORGET, Verdict.KICK):
                gone.append((run, again))
            judged[run] = again
        forgotten = self._probe([(run, Look.FORGET) for run, _ in gone])
        for run, judgement in gone:
            seen = forgotten.get(str(run.pk))
            if seen is not None and seen.word == "forgotten":
                changes.append(verdicts.lost(run, judgement, now, self.timing.settle))
            else:
                judged[run] = Judgement(Verdict.SUSPECT)
        return changes

    def _probe(self, runs: list[tuple[Run, Look]]) -> dict[str, Probed]:
        if not runs:
            return {}
        return self.client.run(
            probe([(str(run.pk), run.directory, run.job_id, look) for run, look in runs])
        )

    def _kick_losers(self, judged: dict[Run, Judgement]) -> None:
        """A job that lost the race for its run has no business any more."""
        self._kick([run for run, j in judged.items() if j.verdict is Verdict.ADOPT])

    def _kick(self, runs: list[Run]) -> None:
        if runs:
            jobs = [(str(r.pk), r.key, r.job_id, End.KICK, r.directory) for r in runs]
            self.client.run(cancel(self.client.scheduler, jobs))

    def _write(self, changes: list[Change]) -> None:
        changed = apply(changes, actor=self.holder)
        finishing = False
        for change in changes:
            if change.run.pk not in changed:
                continue
            finishing = finishing or change.to is RunState.FINISHING
            if "lost_attempts" in change.fields:
                Attempt.objects.filter(run=change.run, number=change.run.lost_attempts + 1).update(
                    lost_at=timezone.now()
                )
            elif any(note.type == "adopted" for note in change.notes):
                Attempt.objects.filter(run=change.run, number=change.run.lost_attempts + 1).update(
                    job_id=change.fields["job_id"], found_by="adopted"
                )
        if finishing:
            dispatch.ring(dispatch.FINISH, self.account.pk)


def known_of(run: Run) -> Known:
    """The run before this look."""
    return Known(
        state=RunState(run.state),
        job_id=run.job_id,
        cancel_wanted=run.desired == Desired.CANCEL,
        cancel_sent=run.cancel_sent_at is not None,
        misses=run.misses + 1,
        missing_since=run.missing_since,
    )


def _is_unexplained(listed: JobInfo | None, markers: Markers) -> bool:
    """Whether accounting has something to add: the job is over or gone, and it did not say how it ended, or
    says that a signal ended it, which the scheduler may have sent."""
    if markers.result is not None:
        return listed is None and markers.result.code >= 128
    return listed is None or listed.state.is_final


def _without_directory(judgement: Judgement) -> Judgement:
    """The job is gone and so is the run's directory: whether it executed can no longer be known."""
    text = "The job is gone from the scheduler, and so is the run's directory with its result."
    return Judgement(Verdict.FINISH, judgement.source, RunState.FAILED, Reason.NO_RESULT, text)


def _note_success(account: SystemAccount, changed: bool) -> None:
    quiet = 0 if changed else account.quiet_polls + 1
    shortest = float(account.system.poll_interval)
    interval = min(
        max(LONGEST_INTERVAL, shortest), shortest * 1.3 ** min(max(0, quiet - QUIET_AFTER), 30)
    )
    SystemAccount.objects.filter(pk=account.pk).update(
        polled_at=Now(),
        quiet_polls=quiet,
        poll_failures=0,
        poll_error="",
        next_poll_at=Now() + timedelta(seconds=interval),
    )
    system = account.system
    if account.poll_failures or system.health != HealthState.OK:
        trouble.clear(Run.objects.filter(account=account).open(), trouble.FLAGS_OF_SYSTEMS)
    stale = system.health_at is None or timezone.now() - system.health_at > timedelta(seconds=30)
    if stale or system.health != HealthState.OK:
        trouble.set_health(system.pk, HealthState.OK, "")
