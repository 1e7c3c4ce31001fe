"""Forms of the notification pages."""

from __future__ import annotations

from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Submit
from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from pipeline_management.choices import RunState
from pipeline_management.models import MailPreference
from pipeline_management.models.notification import MailWish

# Failed first: who takes only one takes that one.
STATES = [
    (state.value, state.label)
    for state in (RunState.FAILED, RunState.CANCELLED, RunState.SUCCEEDED)
]
HOURS = [(hour, f"{hour:02d}:00") for hour in range(24)]


def _helper(button: Any) -> FormHelper:
    helper = FormHelper()
    helper.add_input(Submit("save", button))
    return helper


class PreferenceForm(forms.Form):
    """What the person wants to be mailed; the digest is offered to managers of labs only."""

    runs = forms.ChoiceField(
        label=_("Mails about your runs"), choices=MailWish.choices, widget=forms.RadioSelect
    )
    digest = forms.BooleanField(
        label=_("A daily digest of each lab that you manage"),
        required=False,
        help_text=_("What ended since the last one, failed runs first. None when nothing ended."),
    )
    digest_hour = forms.TypedChoiceField(
        label=_("At"), choices=HOURS, coerce=int, required=False, empty_value=None
    )

    def __init__(
        self, *args: Any, preference: MailPreference, manages: bool, **kwargs: Any
    ) -> None:
        names = ("runs", "digest", "digest_hour")
        kwargs["initial"] = {name: getattr(preference, name) for name in names}
        super().__init__(*args, **kwargs)
        self._known = preference
        if not manages:
            del self.fields["digest"], self.fields["digest_hour"]
        else:
            text = _("In the time zone %(zone)s.") % {"zone": settings.TIME_ZONE}
            self.fields["digest_hour"].help_text = text
        self.helper = _helper(_("Save"))

    def choice(self) -> dict[str, Any]:
        """The values to keep; what was not offered stays as it is."""
        hour = self.cleaned_data.get("digest_hour")
        return {
            "runs": self.cleaned_data["runs"],
            "digest": self.cleaned_data.get("digest", self._known.digest),
            "digest_hour": self._known.digest_hour if hour is None else hour,
        }


class WebhookForm(forms.Form):
    """Address and states of a new webhook."""

    url = forms.CharField(
        label=_("Address"),
        max_length=500,
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.org/centro"}),
    )
    states = forms.MultipleChoiceField(
        label=_("Runs that end as"),
        choices=STATES,
        initial=[value for value, _label in STATES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reach = _("The server must have a public address and answer by https.")
        if settings.CENTRO_WEBHOOK_ALLOW_PRIVATE:
            reach = _("Private addresses and http are allowed in this installation.")
        self.fields["url"].help_text = reach
        self.helper = _helper(_("Add webhook"))
        # The server's own sentences say more than the browser's.
        self.helper.attrs = {"novalidate": ""}
