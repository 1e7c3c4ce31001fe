"""The filter of runs: one set of parameters for the list page and its exports.

Parameters: ``state`` (several), ``pipeline``, ``system``, ``lab``, ``submitter``, ``created_after``,
``created_before`` (dates in the site's time zone, both inclusive), ``attention`` (``on``), ``text``, and ``q``: a
search in the language of ``search.language``.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import django_filters as filters
from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import Lab
from accounts.policy import Viewer, scope_of
from pipeline_management.choices import RunState
from pipeline_management.models import Pipeline, PipelineVersion, Run, System
from pipeline_management.querysets import RunQuerySet, visible_versions
from pipeline_management.search import Query, SearchError, apply, parse
from pipeline_management.search.keys import midnight

MAX_TEXT = 200


def lab_choices(user: Viewer) -> QuerySet[Lab]:
    """The labs by which the person may filter: his own, all for administrators."""
    scope = scope_of(user)
    return Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.labs)


def system_choices(user: Viewer) -> QuerySet[System]:
    """The systems on which runs that the person sees may be: by account or by his labs' pipelines."""
    if scope_of(user).everything:
        return System.objects.all()
    by_lab = System.objects.filter(pipeline_versions__in=visible_versions(user)).values("pk")
    own = System.objects.visible_to(user).values("pk")
    return System.objects.filter(Q(pk__in=by_lab) | Q(pk__in=own))


class _ByName(filters.ModelChoiceFilter):
    """A choice of one row by its name (or slug), among those that the person may know."""

    def __init__(self, *, key: str = "name", **kwargs: Any) -> None:
        super().__init__(to_field_name=key, null_label=None, empty_label=_("Any"), **kwargs)


def _date_field(label: Any) -> dict[str, Any]:
    return {"label": label, "widget": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}


class _SearchField(forms.CharField):
    """A search in the language of ``search.language``; its value is the search as read."""

    def clean(self, value: Any) -> Any:
        """The ``Query``, "" for none; what cannot be read is a form error."""
        text = super().clean(value)
        try:
            return parse(text) or ""
        except SearchError as error:
            raise forms.ValidationError(str(error)) from None


class _SearchFilter(filters.Filter):
    field_class = _SearchField


class RunFilter(filters.FilterSet):
    """Narrows ``queryset`` (already limited to what the person sees). Invalid values are form errors."""

    state = filters.MultipleChoiceFilter(choices=RunState.choices, label=_("State"))
    pipeline = _ByName(
        method="by_pipeline",
        label=_("Pipeline"),
        queryset=lambda request: Pipeline.objects.visible_to(request.user),
    )
    system = _ByName(label=_("System"), queryset=lambda request: system_choices(request.user))
    lab = _ByName(key="slug", label=_("Lab"), queryset=lambda request: lab_choices(request.user))
    submitter = filters.CharFilter(
        label=_("Submitter"), method="by_submitter", max_length=150, strip=True
    )
    created_after = filters.DateFilter(method="by_first_day", **_date_field(_("From")))
    created_before = filters.DateFilter(method="by_last_day", **_date_field(_("To")))
    attention = filters.BooleanFilter(
        label=_("Needs attention"), method="by_attention", widget=forms.CheckboxInput
    )
    q = _SearchFilter(label=_("Search"), method="by_search")
    text = filters.CharFilter(label=_("Text"), method="by_text", max_length=MAX_TEXT, strip=True)

    class Meta:
        model = Run
        fields: list[str] = []

    def by_pipeline(self, queryset: QuerySet[Run], name: str, value: Pipeline) -> QuerySet[Run]:
        """Its versions are looked up first: joined, they keep MariaDB from walking the index by time."""
        versions = PipelineVersion.objects.filter(pipeline=value).values_list("pk", flat=True)
        return queryset.filter(version_id__in=list(versions))

    def by_submitter(self, queryset: QuerySet[Run], name: str, value: str) -> QuerySet[Run]:
        """Exact user name; "me" is the viewer."""
        if value == "me" and self.request is not None:
            return queryset.filter(submitter_id=self.request.user.pk)
        users = get_user_model().objects.filter(username=value).values_list("pk", flat=True)
        return queryset.filter(submitter_id__in=list(users))

    def by_first_day(self, queryset: QuerySet[Run], name: str, value: date) -> QuerySet[Run]:
        """From the day's first moment. A comparison of times, unlike one of dates, can use the index."""
        return queryset.filter(created_at__gte=midnight(value))

    def by_last_day(self, queryset: QuerySet[Run], name: str, value: date) -> QuerySet[Run]:
        """To the day's last moment."""
        if value >= date.max - timedelta(days=1):
            return queryset
        return queryset.filter(created_at__lt=midnight(value + timedelta(days=1)))

    def by_attention(self, queryset: QuerySet[Run], name: str, value: bool) -> QuerySet[Run]:
        """Only runs with an attention flag; an unticked box filters nothing."""
        return queryset.exclude(attention="") if value else queryset

    def by_search(self, queryset: RunQuerySet, name: str, value: Query) -> RunQuerySet:
        return apply(queryset, value, self.request.user)

    def by_text(self, queryset: RunQuerySet, name: str, value: str) -> RunQuerySet:
        return queryset.mentioning(value)

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter is set."""
        return any(
            self.data.getlist(name) != [] and any(self.data.getlist(name)) for name in self.filters
        )

    @property
    def fields_set(self) -> bool:
        """Whether any filter but the search and the switch between mine and all is set."""
        return any(
            any(self.data.getlist(name))
            for name in self.filters
            if name != "q" and not (name == "submitter" and self.data.get(name) == "me")
        )
