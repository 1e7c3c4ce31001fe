"""The form of the submission page. What is in the JSON is not judged here but by the intake services."""

from __future__ import annotations

import uuid
from typing import Any

from crispy_forms.helper import FormHelper
from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.policy import Viewer
from pipeline_management.models import PipelineVersion
from pipeline_management.querysets import visible_versions
from pipeline_management.services.drafts import Content
from pipeline_management.services.intake import MAX_BODY


class _VerbatimField(forms.Field):
    """Text exactly as typed, but for the line ends that browsers write as CRLF."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        return str(value or "").replace("\r\n", "\n")


def version_choices(user: Viewer) -> list[tuple[str, Any]]:
    """What the drop-down offers: per pipeline its newest version under "latest", then each version."""
    groups: dict[str, list[tuple[str, str]]] = {}
    latest: dict[str, PipelineVersion] = {}
    versions = visible_versions(user).defer("schema", "script", "example")
    for version in versions.order_by("pipeline__name", "-sort_key"):
        name = version.pipeline.name
        label = f"{name}@{version.version}"
        if version.is_development:
            label += f" ({gettext('development')})"
        elif name not in latest:
            latest[name] = version
        groups.setdefault(name, []).append((f"{name}@{version.version}", label))
    choices: list[tuple[str, Any]] = [("", gettext("As the JSON says"))]
    for name, of_pipeline in groups.items():
        options = list(of_pipeline)
        if name in latest:
            newest = gettext("%(name)s, latest (%(version)s)") % {
                "name": name,
                "version": latest[name].version,
            }
            options.insert(0, (f"{name}@latest", newest))
        choices.append((name, options))
    return choices


class SubmitForm(forms.Form):
    """A configuration, pasted or as a file, and the pipeline to run it with."""

    pipeline = forms.ChoiceField(
        label=_("Pipeline"),
        required=False,
        help_text=_('Needed only if the JSON has no "pipeline" key.'),
    )
    file = forms.FileField(
        label=_("From a file"),
        required=False,
        help_text=_("A JSON file of up to 10 MB; it takes the place of the text below."),
        widget=forms.FileInput(attrs={"accept": ".json,application/json,text/plain"}),
    )
    configuration = _VerbatimField(
        label=_("Run configuration (JSON)"),
        required=False,
        widget=forms.Textarea(
            attrs={
                "class": "json-text form-control",
                "spellcheck": "false",
                "autocapitalize": "off",
                "autocomplete": "off",
                "wrap": "off",
                "aria-describedby": "syntax",
            }
        ),
    )
    token = forms.UUIDField(required=False, widget=forms.HiddenInput)
    origin = forms.CharField(required=False, max_length=36, widget=forms.HiddenInput)

    def __init__(self, *args: Any, user: Viewer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["pipeline"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  for the type checker
        field.choices = version_choices(user)
        self.initial.setdefault("token", uuid.uuid4())
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = False

    def body(self) -> bytes:
        """The configuration's bytes: the file's if one was sent, else the text's. At most one byte over the limit.

        Lone surrogates cannot come in by UTF-8; a form sent in another way has them replaced.
        """
        upload = self.files.get("file")
        if isinstance(upload, UploadedFile):
            upload.seek(0)
            return upload.read(MAX_BODY + 1)
        return self.text().encode("utf-8", "surrogatepass")

    def text(self) -> str:
        """The text of the field as sent, whether or not the rest of the form is valid."""
        return str(self.fields["configuration"].clean(self.data.get("configuration")))

    def content(self, text: str) -> Content:
        """What a draft of this form keeps, with ``text`` as its configuration."""
        return Content(
            text=text,
            pipeline=str(self.data.get("pipeline", ""))[:200],
            origin=str(self.data.get("origin", ""))[:36],
            token=self.once(),
        )

    def once(self) -> uuid.UUID:
        """The form's one-time token; a new one where a request has none or a broken one."""
        try:
            return uuid.UUID(str(self.data.get("token")))
        except ValueError:
            return uuid.uuid4()
