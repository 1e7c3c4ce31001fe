"""Forms of the catalogue and of maintenance, for administrators."""

from __future__ import annotations

from typing import Any, cast

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Submit
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Lab
from pipeline_management.models import Maintenance, PipelineVersion, System
from pipeline_management.services.catalogue.package import MAX_UPLOAD

_FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


class UploadForm(forms.Form):
    """A YAML or zip file with versions of pipelines."""

    file = forms.FileField(
        label=_("YAML or zip file"),
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml,.zip"}),
        error_messages={"empty": _("The file is empty.")},
    )

    def clean_file(self) -> Any:
        """Not more than is ever read."""
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD:
            raise ValidationError(
                _("The file has %(size)s bytes, expected at most %(most)s."),
                params={"size": file.size, "most": MAX_UPLOAD},
            )
        return file


class VersionSettingsForm(forms.Form):
    """Who may run a version and where, and how it is offered."""

    all_labs = forms.BooleanField(label=_("Every lab may run it"), required=False)
    labs = forms.ModelMultipleChoiceField(
        label=_("Labs that may run it"),
        queryset=Lab.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    systems = forms.ModelMultipleChoiceField(
        label=_("Systems where it may run"),
        queryset=System.objects.all(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    default_system = forms.ModelChoiceField(
        label=_("Where it runs unless a configuration names a system"),
        queryset=System.objects.all(),
        required=False,
        empty_label=_("The first of them"),
    )
    is_development = forms.BooleanField(
        label=_("For development"),
        required=False,
        help_text=_("It is what @development means, and not what @latest means."),
    )
    is_pinned = forms.BooleanField(
        label=_("The latest"),
        required=False,
        help_text=_("It is what @latest means, though there may be newer versions."),
    )
    is_hidden = forms.BooleanField(
        label=_("Hidden"),
        required=False,
        help_text=_("In nobody's catalogue; takes no new runs. Its runs stay what they are."),
    )

    def __init__(self, *args: Any, version: PipelineVersion, **kwargs: Any) -> None:
        links = list(version.pipeline_systems.select_related("system"))
        names = ("all_labs", "is_development", "is_pinned", "is_hidden")
        kwargs["initial"] = {name: getattr(version, name) for name in names} | {
            "labs": list(version.labs.all()),
            "systems": [link.system for link in links],
            "default_system": links[0].system if links else None,
        }
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.add_input(Submit("save", _("Save")))

    def clean(self) -> dict[str, Any]:
        """The default system is one of those chosen; what is pinned is not for development."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        default = values.get("default_system")
        if default is not None and default not in values.get("systems", []):
            self.add_error("default_system", _("Expected one of the systems that are ticked."))
        if values.get("is_pinned") and (values.get("is_development") or values.get("is_hidden")):
            self.add_error(
                "is_pinned", _("A version for development, or a hidden one, cannot be the latest.")
            )
        return values

    def ordered_systems(self) -> list[System]:
        """The chosen systems, the default one first."""
        chosen = list(self.cleaned_data["systems"])
        default = self.cleaned_data["default_system"]
        return (
            sorted(chosen, key=lambda system: (system != default, system.name))
            if default
            else chosen
        )


class MaintenanceForm(forms.ModelForm):
    """An announcement; times are in UTC."""

    class Meta:
        model = Maintenance
        fields = ("system", "starts_at", "ends_at", "text", "holds_runs")
        widgets = {
            "starts_at": forms.DateTimeInput(
                attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
            ),
            "ends_at": forms.DateTimeInput(
                attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"
            ),
        }
        labels = {"system": _("System"), "text": _("What people are told")}
        help_texts = {
            "starts_at": _("UTC"),
            "ends_at": _("UTC. Empty: until you end it."),
            "holds_runs": _("Runs are accepted and wait until it is over."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ModelChoiceField, self.fields["system"]).empty_label = _("All systems")
        for name in ("starts_at", "ends_at"):
            cast(forms.DateTimeField, self.fields[name]).input_formats = _FORMATS
        self.helper = FormHelper()
        self.helper.add_input(Submit("save", _("Announce")))
