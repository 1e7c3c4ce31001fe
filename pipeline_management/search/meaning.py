"""What the keys of a search mean: conditions on runs that an index answers, on every database."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import reduce
from operator import and_, or_
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.lookups import IsNull

from accounts.models import Lab
from accounts.policy import Viewer
from pipeline_management.choices import (
    HOLDABLE_STATES,
    OPEN_STATES,
    TERMINAL_STATES,
    Attention,
    Desired,
    Reason,
    RunState,
)
from pipeline_management.models import (
    PipelineVersion,
    Run,
    RunInput,
    RunLabel,
    RunNote,
    RunStar,
    RunWord,
    System,
)
from pipeline_management.querysets import RunQuerySet, narrowest
from pipeline_management.rows_in_time import about
from pipeline_management.search import keys
from pipeline_management.search.language import Query
from pipeline_management.services import words

FEW = 400
"""Runs that are named one by one; more than these the database finds by itself."""
MANY, MANY_WORDS = 25_000, 60_000
"""Of about more rows, or words, than these each run is looked at while the list is walked."""
_LOST_REASONS = (Reason.NO_RESULT, Reason.NEVER_STARTED)
_LOST_FLAGS = (Attention.NO_SIGN_OF_LIFE, Attention.SUBMIT_UNKNOWN, Attention.STALE)


class Fits(Q):
    """A condition that knows how many runs ``at_most`` fit it, or where the newest are found: ``hits`` are words of
    all of them, and perhaps of others. Joined with others too."""

    at_most: int | None = None
    hits: QuerySet[RunWord] | None = None

    @classmethod
    def those(cls, condition: Q, at_most: int) -> Fits:
        """The condition, with the number of runs that can fit it."""
        made = cls(condition)
        made.at_most = at_most
        return made

    @classmethod
    def of_words(cls, condition: Q, hits: QuerySet[RunWord]) -> Fits:
        """The condition, with the words of those that fit it."""
        made = cls(condition)
        made.hits = hits
        return made

    def __and__(self, other: Any) -> Any:
        made: Any = super().__and__(other)
        made.at_most, made.hits = narrowest(self, other)
        return made

    def __or__(self, other: Any) -> Any:
        made: Any = super().__or__(other)
        both = (self.at_most, getattr(other, "at_most", None))
        made.at_most = None if None in both else sum(both)
        if 0 in both:
            made.hits = getattr(other if self.at_most == 0 else self, "hits", None)
        return made


def apply(runs: RunQuerySet, query: Query, viewer: Viewer) -> RunQuerySet:
    """Only the runs that fit the whole search. ``viewer`` is who "me", "mine" and stars refer to.

    Names (of users, labs, systems, pipelines) are looked up first, each by one small query; a name that nothing
    has fits no run.
    """
    for key, values in query.wanted.items():
        runs = runs.fitting(_any(key, values, viewer))
    for text in query.words:
        runs = runs.fitting(mentions(text))
    for term in query.unwanted:
        fits = _any(term.key, [term.value], viewer) if term.key else mentions(term.value)
        runs = runs.exclude(fits)
    return runs


def mentions(text: str) -> Q:
    """Words that begin so in the name, the reason or the input files; or a whole job id or run id."""
    found = [_begins(word) for word in words.whole_words(text)]
    fits = reduce(and_, found) if found else _named([])
    if len(text) <= 64:
        jobs = Run.objects.filter(job_id=text).order_by().values_list("pk", flat=True)
        fits |= _named(list(jobs[:FEW]))
    if keys.KEYS["id"].takes(text):
        fits |= _named([uuid.UUID(text)])
    return fits


def _begins(word: str, **narrower: Any) -> Q:
    # on MariaDB an index answers LIKE, not the LIKE BINARY of "startswith"; words have no capitals anyway
    return having(RunWord.objects.filter(word__istartswith=word, **narrower))


def having(rows: QuerySet[Any]) -> Q:
    """Runs that any of the rows (of a model with ``run``) belongs to.

    Few are named by their ids, so that the database goes straight to them. Many are asked for run by run:
    then the list finds its first page soon, while sorting them all would take long. MariaDB does sort them for
    EXISTS and IN; a value that is looked up for each run it cannot turn round. Of a number between, words tell
    which of their runs are the newest (``RunQuerySet.by_hits``).
    """
    rows = rows.order_by()
    ids = list(rows.values_list("run_id", flat=True)[: FEW + 1])
    if len(ids) <= FEW:
        return _named(ids)
    one_by_one = Q(IsNull(Subquery(rows.filter(run=OuterRef("pk")).values("pk")[:1]), False))
    if rows.model is RunWord:
        many = about(rows, MANY_WORDS) > MANY_WORDS
        return one_by_one if many else Fits.of_words(one_by_one, rows)
    return one_by_one if about(rows, MANY) > MANY else Q(pk__in=rows.values("run_id"))


def _named(ids: Iterable[uuid.UUID]) -> Fits:
    known = set(ids)
    return Fits.those(Q(pk__in=known), len(known))


def _any(key: str, values: list[str], viewer: Viewer) -> Q:
    if key in _TOGETHER:
        return _TOGETHER[key](values, viewer)
    join = and_ if key in ("after", "before") else or_
    return reduce(join, (_EACH[key](value, viewer) for value in values))


def _flag(value: str, viewer: Viewer) -> Q:
    name = value.lower()
    if name == "mine":
        return Q(submitter_id=viewer.pk)
    if name == "starred":
        return having(RunStar.objects.filter(user_id=viewer.pk or 0))
    if name == "noted":
        return having(RunNote.objects.all())
    if name == "attention":
        return Q(attention__gt="")
    return Q(state__in=OPEN_STATES if name == "open" else TERMINAL_STATES)


def _state(value: str, viewer: Viewer) -> Q:
    name = value.lower()
    if name == keys.HELD:
        return Q(desired=Desired.HOLD, state__in=HOLDABLE_STATES)
    if name == keys.LOST:
        # NO_RESULT and NEVER_STARTED end a run with a cause of that name
        return Q(state=RunState.FAILED, cause__in=_LOST_REASONS) | Q(attention__in=_LOST_FLAGS)
    return Q(state=name)


def _states(values: list[str], viewer: Viewer) -> Q:
    plain = [value.lower() for value in values if value.lower() not in (keys.HELD, keys.LOST)]
    special = [_state(value, viewer) for value in values if value.lower() in (keys.HELD, keys.LOST)]
    return reduce(or_, [*([Q(state__in=plain)] if plain else []), *special])


def _users(values: list[str], viewer: Viewer) -> Q:
    names = [value for value in values if value.lower() != "me"]
    found = list(get_user_model().objects.filter(username__in=names).values_list("pk", flat=True))
    return Q(submitter_id__in=[*found, *([viewer.pk] if len(names) < len(values) else [])])


def _pipelines(values: list[str], viewer: Viewer) -> Q:
    fits = Q(pk__in=[])
    for value in values:
        name, at, version = value.rpartition("@")
        fits |= Q(pipeline__name=name, version=version) if at else Q(pipeline__name=value)
    return Q(version_id__in=list(PipelineVersion.objects.filter(fits).values_list("pk", flat=True)))


def _versions(values: list[str], viewer: Viewer) -> Q:
    found = PipelineVersion.objects.filter(version__in=values).values_list("pk", flat=True)
    return Q(version_id__in=list(found))


def _labs(values: list[str], viewer: Viewer) -> Q:
    return Q(lab_id__in=list(Lab.objects.filter(slug__in=values).values_list("pk", flat=True)))


def _systems(values: list[str], viewer: Viewer) -> Q:
    return Q(
        system_id__in=list(System.objects.filter(name__in=values).values_list("pk", flat=True))
    )


def _labels(values: list[str], viewer: Viewer) -> Q:
    return having(RunLabel.objects.filter(name__in=[value.lower() for value in values]))


def _input(value: str, viewer: Viewer) -> Q:
    found = words.whole_words(value)
    if len(found) == 1 and found[0] == words.plain(value):
        return _begins(found[0], source=RunWord.Source.INPUT)
    if value.startswith("/"):
        name = value.rstrip("/").rpartition("/")[2]
        return having(RunInput.objects.filter(name__istartswith=name[:255], path__startswith=value))
    named = RunInput.objects.filter(name__istartswith=value[:255])
    if not found or named.exists():
        return having(named)
    return reduce(and_, (_begins(word, source=RunWord.Source.INPUT) for word in found))


_One = Callable[[str, Viewer], Q]
_EACH: dict[str, _One] = {
    "is": _flag,
    "input": _input,
    "after": lambda value, _viewer: Q(created_at__gte=keys.first_moment(value)),
    "before": lambda value, _viewer: Q(created_at__lt=keys.last_moment(value)),
    "id": lambda value, _viewer: Q(pk=uuid.UUID(value)),
}
_TOGETHER: dict[str, Callable[[list[str], Viewer], Q]] = {
    "state": _states,
    "user": _users,
    "pipeline": _pipelines,
    "version": _versions,
    "lab": _labs,
    "system": _systems,
    "label": _labels,
    "cause": lambda values, _viewer: Q(cause__in=[value.upper() for value in values]),
    "job": lambda values, _viewer: Q(job_id__in=values),
    "source": lambda values, _viewer: Q(source__in=[value.lower() for value in values]),
}
