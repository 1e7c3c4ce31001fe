"""Forms of the usage pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import Lab
from accounts.policy import Viewer, scope_of
from pipeline_management.choices import BudgetKind
from pipeline_management.models import Budget
from pipeline_management.services.usage.counting import day_of
from pipeline_management.services.usage.periods import LONGEST, Period, PeriodName, named
from pipeline_management.services.usage.reading import Group, Measure

SORTS = tuple(f"{sign}{name}" for name in ("name", *Measure.values) for sign in ("", "-"))


def _day(label: Any) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        widget=forms.DateInput(attrs={"type": "date", "class": "form-control"}, format="%Y-%m-%d"),
    )


def _choice(label: Any, choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        choices=choices,
        required=False,
        widget=forms.Select(attrs={"class": "form-select"}),
    )


def reviewed_labs(viewer: Viewer) -> Any:
    """The labs by which the person may narrow usage: his own, all for administrators."""
    scope = scope_of(viewer)
    return Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.labs)


class UsageForm(forms.Form):
    """What usage is to be shown: of which days, of whom, added up by what. Everything may be left out."""

    period = _choice(gettext_lazy("Period"), PeriodName.choices)
    first = _day(gettext_lazy("From (UTC day)"))
    last = _day(gettext_lazy("To (UTC day)"))
    group = _choice(gettext_lazy("Added up by"), Group.choices)
    measure = _choice(gettext_lazy("Shown over time"), Measure.choices)
    lab = forms.ModelChoiceField(
        label=gettext_lazy("Lab"),
        queryset=Lab.objects.none(),
        to_field_name="slug",
        required=False,
        empty_label=gettext_lazy("Any"),
        widget=forms.Select(attrs={"class": "form-select"}),
    )
    sort = forms.ChoiceField(
        choices=[(name, name) for name in SORTS], required=False, widget=forms.HiddenInput
    )

    def __init__(self, data: Any, *, viewer: Viewer) -> None:
        filled = data.copy()
        if (filled.get("first") or filled.get("last")) and not filled.get("period"):
            filled["period"] = PeriodName.CUSTOM
        for name, value in (
            ("period", PeriodName.MONTH), ("group", Group.PERSON), ("measure", Measure.CORE),
        ):  # fmt: skip
            if not filled.get(name):
                filled[name] = str(value)
        super().__init__(filled)
        labs = self.fields["lab"]
        if isinstance(labs, forms.ModelChoiceField):
            labs.queryset = reviewed_labs(viewer)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("period") == PeriodName.CUSTOM:
            self._check_days(values.get("first"), values.get("last"))
        return values

    def _check_days(self, first: Any, last: Any) -> None:
        for name, value in (("first", first), ("last", last)):
            if value is None and name not in self.errors:
                self.add_error(name, _("Give a day as YYYY-MM-DD."))
        if first is None or last is None:
            return
        if last < first:
            self.add_error("last", _("The last day is before the first."))
        elif (last - first).days >= LONGEST:
            self.add_error("last", _("At most %(days)s days at once.") % {"days": LONGEST})

    @property
    def chosen_period(self) -> Period:
        """The days to show; this month where what was given is wrong."""
        name = self.cleaned_data.get("period") or PeriodName.MONTH
        if name == PeriodName.CUSTOM and not self.errors:
            return Period(self.cleaned_data["first"], self.cleaned_data["last"])
        if name == PeriodName.CUSTOM:
            name = PeriodName.MONTH
        return named(name, day_of(timezone.now()))

    def chosen(self, name: str, default: str) -> str:
        """The value of a choice, or the default where it is wrong."""
        return str(self.cleaned_data.get(name) or default)


class BudgetForm(forms.ModelForm):
    """The core hours that a lab may use."""

    class Meta:
        model = Budget
        fields = ("kind", "core_hours", "starts", "ends")
        labels = {
            "kind": gettext_lazy("For"),
            "core_hours": gettext_lazy("Core hours"),
            "starts": gettext_lazy("First day (UTC)"),
            "ends": gettext_lazy("Last day (UTC)"),
        }
        widgets = {
            "kind": forms.Select(attrs={"class": "form-select"}),
            "core_hours": forms.NumberInput(attrs={"class": "form-control", "min": 1}),
            "starts": forms.DateInput(attrs={"type": "date", "class": "form-control"}, format="%Y-%m-%d"),
            "ends": forms.DateInput(attrs={"type": "date", "class": "form-control"}, format="%Y-%m-%d"),
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("kind") == BudgetKind.MONTH:
            values["starts"] = values["ends"] = None
            return values
        for name in ("starts", "ends"):
            if values.get(name) is None and name not in self.errors:
                self.add_error(name, _("Give a day as YYYY-MM-DD."))
        starts, ends = values.get("starts"), values.get("ends")
        if starts and ends and ends < starts:
            self.add_error("ends", _("The last day is before the first."))
        elif starts and ends and (ends - starts).days >= LONGEST:
            self.add_error("ends", _("At most %(days)s days at once.") % {"days": LONGEST})
        return values
