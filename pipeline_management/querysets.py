"""What a person may see. Every page, API view, export and count starts from ``visible_to``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

from accounts.policy import Scope, Viewer, scope_of
from pipeline_management.choices import OPEN_STATES

if TYPE_CHECKING:
    from pipeline_management.models import (  # noqa: F401  types only
        Pipeline,
        PipelineVersion,
        Run,
        RunWord,
        System,
    )
    from pipeline_management.models.usage import UsageSums  # noqa: F401  types only


def narrowest(*parts: Any) -> tuple[int | None, models.QuerySet[RunWord] | None]:
    """How many runs can fit all of the parts, and words of them all, as far as any part knows."""
    known = (getattr(part, "at_most", None) for part in parts)
    hits = (getattr(part, "hits", None) for part in parts)
    return (
        min((number for number in known if number is not None), default=None),
        next((words for words in hits if words is not None), None),
    )


class RunQuerySet(models.QuerySet["Run"]):
    at_most: int | None = None
    """How many runs there can be at most, where a search has found that out; None where nobody knows."""
    hits: models.QuerySet[RunWord] | None = None
    """Words of all these runs, and perhaps of others, where a search has found a bounded number."""

    def _clone(self) -> Self:
        made: Self = super()._clone()  # type: ignore[misc]  # Django's own way to keep something, not in its stubs
        made.at_most, made.hits = self.at_most, self.hits
        return made

    def fitting(self, fits: Q) -> Self:
        """Filtered by a condition of a search, which may know how many it leaves."""
        made = self.filter(fits)
        made.at_most, made.hits = narrowest(self, fits)
        return made

    def by_hits(self) -> Self:
        """The same, by way of ``hits``."""
        return self if self.hits is None else self.filter(pk__in=self.hits.values("run_id"))

    def visible_to(self, user: Viewer) -> Self:
        """The runs of the person's labs, as role and the lab's visibility allow, and his own job scripts that
        belong to no lab; all for administrators."""
        scope = scope_of(user)
        if scope.everything:
            return self
        if scope.user_id is None:
            return self.none()
        own = Q(lab_id__in=scope.sees_own) | Q(lab_id__isnull=True)
        return self.filter(Q(lab_id__in=scope.sees) | Q(own, submitter_id=scope.user_id))

    def for_lists(self) -> Self:
        """With what a row of a list shows, and without the large texts."""
        return self.select_related(
            "version__pipeline", "lab", "submitter", "system", "account"
        ).defer("configuration_json", "script")

    def mentioning(self, text: str) -> Self:
        """Words that begin so in the name, the reason or the input files; a whole job id or run id."""
        from pipeline_management.search.meaning import mentions  # circular with the models module

        return self.fitting(mentions(text))

    def open(self) -> Self:
        """Runs that still need work or watching."""
        return self.filter(state__in=OPEN_STATES)


class PipelineQuerySet(models.QuerySet["Pipeline"]):
    def visible_to(self, user: Viewer) -> Self:
        """Pipelines of which the person's labs may run at least one version."""
        scope = scope_of(user)
        if scope.everything:
            return self
        if not scope.labs:
            return self.none()
        theirs = Q(versions__all_labs=True) | Q(versions__labs__in=scope.labs)
        return self.filter(theirs, versions__is_hidden=False).distinct()


def visible_versions(user: Viewer, scope: Scope | None = None) -> models.QuerySet[PipelineVersion]:
    """Pipeline versions that the person's labs may run; none that is hidden. ``scope``, when already known, saves a
    query."""
    from pipeline_management.models import PipelineVersion  # circular with the models module

    scope = scope or scope_of(user)
    versions = PipelineVersion.objects.select_related("pipeline").filter(is_hidden=False)
    if scope.everything:
        return versions
    if not scope.labs:
        return versions.none()
    # A sub-query and not a join with DISTINCT: with long texts in the row MariaDB would write a
    # temporary table to disk for every question.
    shared = PipelineVersion.labs.through.objects.filter(lab_id__in=scope.labs)
    return versions.filter(Q(all_labs=True) | Q(pk__in=shared.values("pipelineversion_id")))


class SystemQuerySet(models.QuerySet["System"]):
    def visible_to(self, user: Viewer) -> Self:
        """Systems on which the person has an account, of his own or the one for everybody."""
        scope = scope_of(user)
        if scope.everything:
            return self
        if scope.user_id is None:
            return self.none()
        return self.filter(
            Q(accounts__user_id=scope.user_id)
            | Q(accounts__user__isnull=True, accounts__isnull=False, pk__in=self._of_labs(user))
        ).distinct()

    def _of_labs(self, user: Viewer) -> models.QuerySet[PipelineVersion, int]:
        return visible_versions(user).values_list("systems", flat=True)


class UsageQuerySet(models.QuerySet["UsageSums"]):
    def visible_to(self, user: Viewer) -> Self:
        """The usage of the runs that the person sees; see ``RunQuerySet.visible_to``."""
        scope = scope_of(user)
        if scope.everything:
            return self
        if scope.user_id is None:
            return self.none()
        own = Q(lab_id__in=scope.sees_own) | Q(lab_id__isnull=True)
        return self.filter(Q(lab_id__in=scope.sees) | Q(own, submitter_id=scope.user_id))

    def reviewed_by(self, user: Viewer, scope: Scope | None = None) -> Self:
        """The usage that the person answers for: all of the labs that he manages, his own of the others;
        everything for administrators. ``scope``, when already known, saves a query."""
        scope = scope or scope_of(user)
        if scope.everything:
            return self
        if scope.user_id is None:
            return self.none()
        return self.filter(Q(lab_id__in=scope.manages) | Q(submitter_id=scope.user_id))
