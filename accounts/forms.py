"""Forms of the log-in, password, token and OAuth client pages."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Submit
from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import TokenScope


def _helper(button: Any) -> FormHelper:
    helper = FormHelper()
    helper.add_input(Submit("save", button))
    return helper


class LoginForm(AuthenticationForm):
    """User name and password; also says when too many tries were made."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("The user name or the password is wrong. Both are case-sensitive."),
        "throttled": _("Too many wrong passwords. Try again in %(seconds)s seconds."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = _helper(_("Log in"))

    @property
    def retry_after(self) -> int | None:
        """Seconds until the next try makes sense, if this one was refused unseen."""
        throttled = getattr(self.request, "login_throttled", None)
        return throttled.retry_after if throttled else None

    def get_invalid_login_error(self) -> forms.ValidationError:
        if self.retry_after is not None:
            return forms.ValidationError(
                self.error_messages["throttled"],
                code="throttled",
                params={"seconds": self.retry_after},
            )
        return super().get_invalid_login_error()


class ChangePasswordForm(PasswordChangeForm):
    """The old password once, the new one twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = _helper(_("Change password"))


def _in_90_days() -> date:
    return timezone.now().date() + timedelta(days=90)


class ClientForm(forms.Form):
    """Name of a new OAuth client."""

    name = forms.CharField(
        max_length=100,
        label=_("Name"),
        help_text=_("Which program will use it, for example “workflow on atlas”."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = _helper(_("Create client"))


class TokenForm(forms.Form):
    """Name, last day and reach of a new token."""

    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("Where it will be used, for example “laptop”.")
    )
    last_day = forms.DateField(
        label=_("Valid until"),
        required=False,
        initial=_in_90_days,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("The end of this day in UTC. Empty: until it is revoked."),
    )
    scope = forms.ChoiceField(
        label=_("It may"),
        choices=TokenScope.choices,
        initial=TokenScope.SUBMIT,
        help_text=_(
            "Reading suits reports and displays; submitting suits a LIMS or a script. Files are moved and tokens "
            "revoked only by one that may do everything."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = _helper(_("Create token"))

    def clean_last_day(self) -> date | None:
        day: date | None = self.cleaned_data["last_day"]
        if day is not None and day >= date.max:
            raise forms.ValidationError(_("Give an earlier day, or none."))
        return day

    @property
    def expires_at(self) -> datetime | None:
        """The moment after the last day, in UTC; None for a token without an end."""
        day = self.cleaned_data["last_day"]
        return datetime.combine(day + timedelta(days=1), time.min, tzinfo=UTC) if day else None
