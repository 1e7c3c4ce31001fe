"""Pipelines and their versions. What a run was made from stays as it was."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError as SettingsError

from pipeline_management.models import Pipeline, PipelineSystem, PipelineVersion
from pipeline_management.models.pipeline import ALIASES
from pipeline_management.services.engines.registry import ENGINES
from pipeline_management.services.outputs import check_outputs
from pipeline_management.services.rendering import check_template
from pipeline_management.services.rules.vocabulary import check_rules
from pipeline_management.services.schema_check import check_schema
from pipeline_management.services.site.schema import Resources
from pipeline_management.services.site.versions import content_sha256, sort_key

CONTENT = (
    *(
        "pipeline",
        "version",
        "engine",
        "engine_options",
        "schema",
        "script",
        "resources",
        "rules",
        "example",
    ),
)


class VersionForm(forms.ModelForm):
    """Checks schema, template and resources as the site file's reader does."""

    script = forms.CharField(
        strip=False,
        required=False,
        widget=forms.Textarea(attrs={"rows": 20, "cols": 100, "spellcheck": "false"}),
        help_text=_(
            "Jinja2 template of the job script; every value is shell-quoted. Empty where the engine makes it."
        ),
    )

    class Meta:
        model = PipelineVersion
        exclude = ()
        help_texts = {
            "schema": _(
                "JSON Schema (draft 2020-12) of the configuration; {} accepts every object."
            ),
            "resources": _(
                "queue, walltime (HH:MM:SS), cpus, memory_mb, account, nodes, tasks, gpus, qos"
            ),
            "all_labs": _("Every lab may run it; the labs below do not count then."),
        }

    def clean_version(self) -> str:
        """``latest`` and ``development`` have a meaning of their own."""
        version: str = self.cleaned_data["version"]
        if version in ALIASES:
            raise ValidationError(
                _("This word has a meaning of its own: call the version otherwise.")
            )
        return version

    def clean_schema(self) -> Any:
        schema = self.cleaned_data["schema"] or {}
        problems = check_schema(schema)
        if problems:
            raise ValidationError(
                [f"{problem.pointer or '/'}: {problem.message}" for problem in problems]
            )
        return schema

    def clean_script(self) -> str:
        script: str = self.cleaned_data["script"].replace("\r\n", "\n")
        fault = check_template(script)
        if fault:
            raise ValidationError(fault)
        return script

    def clean(self) -> dict[str, Any] | None:
        """The options must fit the engine, and the script is there where it is needed."""
        cleaned = super().clean() or self.cleaned_data
        engine = ENGINES.get(cleaned.get("engine", ""))
        if engine is None or "script" not in cleaned:
            return cleaned
        if engine.makes_script and cleaned["script"].strip():
            self.add_error(
                "script", _("This engine makes the job script by itself: leave it empty.")
            )
        elif not engine.makes_script and not cleaned["script"].strip():
            self.add_error("script", _("This engine needs a script."))
        for problem in check_rules(cleaned.get("rules") or [], cleaned.get("schema") or {}):
            self.add_error("rules", f"{problem.pointer or '/'}: {problem.message}")
        for problem in engine.check_options(cleaned.get("engine_options") or {}):
            self.add_error("engine_options", f"{problem.pointer or '/'}: {problem.message}")
        return cleaned

    def clean_outputs(self) -> Any:
        declared = self.cleaned_data["outputs"] or {}
        for problem in check_outputs(declared):
            self.add_error("outputs", f"{problem.pointer or '/'}: {problem.message}")
        return declared

    def clean_rules(self) -> Any:
        return self.cleaned_data["rules"] or []

    def clean_engine_options(self) -> Any:
        options = self.cleaned_data["engine_options"]
        if options is None:
            return {}
        if not isinstance(options, dict):
            raise ValidationError(_("Expected a JSON object."))
        return options

    def clean_example(self) -> Any:
        example = self.cleaned_data["example"] or {}
        if not isinstance(example, dict):
            raise ValidationError(_("Expected a JSON object."))
        return example

    def clean_resources(self) -> Any:
        resources = self.cleaned_data["resources"] or {}
        try:
            Resources.model_validate(resources)
        except SettingsError as error:
            faults = [
                f"{'.'.join(map(str, fault['loc'])) or '/'}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in error.errors()
            ]
            raise ValidationError(faults) from error
        return resources


class SystemsInline(admin.TabularInline):
    """Where the version may run; the lowest position is the default."""

    model = PipelineSystem
    extra = 1


@admin.register(PipelineVersion)
class PipelineVersionAdmin(admin.ModelAdmin):
    """Versions: once a run uses one, only who may run it and where can change."""

    form = VersionForm
    list_display = ("__str__", "is_development", "all_labs", "engine", "created_at")
    list_filter = ("pipeline", "is_development")
    list_select_related = ("pipeline",)
    search_fields = ("pipeline__name", "version")
    filter_horizontal = ("labs",)
    readonly_fields = ("content_sha256", "created_at")
    inlines = (SystemsInline,)

    def get_readonly_fields(
        self, request: HttpRequest, obj: PipelineVersion | None = None
    ) -> tuple[str, ...]:
        used = obj is not None and obj.runs.exists()
        return self.readonly_fields + (CONTENT if used else ())

    def has_delete_permission(
        self, request: HttpRequest, obj: PipelineVersion | None = None
    ) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.runs.exists())

    def save_model(
        self, request: HttpRequest, obj: PipelineVersion, form: forms.ModelForm, change: bool
    ) -> None:
        """Order and content hash follow from the content."""
        obj.sort_key = sort_key(obj.version)
        obj.content_sha256 = content_sha256(
            schema=obj.schema,
            script=obj.script,
            resources=obj.resources,
            engine=obj.engine,
            engine_options=obj.engine_options,
            rules=obj.rules,
        )
        super().save_model(request, obj, form, change)


class VersionInline(admin.TabularInline):
    """The versions of a pipeline, each with a link to its own page."""

    model = PipelineVersion
    fields = ("version", "is_development", "all_labs", "created_at")
    readonly_fields = fields
    show_change_link = True
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Pipeline)
class PipelineAdmin(admin.ModelAdmin):
    """Pipelines; their versions have pages of their own."""

    list_display = ("name", "title")
    search_fields = ("name", "title", "description")
    inlines = (VersionInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Pipeline | None = None) -> bool:
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.versions.filter(runs__isnull=False).exists())
