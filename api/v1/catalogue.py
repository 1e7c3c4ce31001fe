"""What the API shows of pipelines, systems, people and tokens: explicit fields, read-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from accounts.models import ApiToken, Role, TokenScope
from api.v1.serializers import ReadOnly, text_choice
from pipeline_management.choices import Engine, HealthState, SchedulerKind, TransportKind
from pipeline_management.models import Pipeline, PipelineVersion, System


class VersionSummarySerializer(ReadOnly):
    version = serializers.CharField()
    is_development = serializers.BooleanField(
        help_text="Left out when the newest version is asked for."
    )
    created_at = serializers.DateTimeField()
    links = serializers.SerializerMethodField()

    @extend_schema_field(serializers.DictField(child=serializers.URLField()))
    def get_links(self, version: PipelineVersion) -> dict[str, str]:
        request = self.context["request"]
        names = {"name": version.pipeline.name, "version": version.version}
        return {
            "self": reverse("api-pipeline-version", kwargs=names, request=request),
            "schema": reverse("api-pipeline-schema", kwargs=names, request=request),
        }


class VersionSerializer(VersionSummarySerializer):
    """One version with its schema and the systems on which it may run, the default one first."""

    pipeline = serializers.CharField(source="pipeline.name")
    engine = text_choice(Engine)
    systems = serializers.SerializerMethodField()
    resources = serializers.DictField()
    example = serializers.DictField(help_text="A configuration to begin with.")
    configuration_schema = serializers.DictField(
        source="schema", help_text="JSON Schema, draft 2020-12."
    )

    def get_systems(self, version: PipelineVersion) -> list[str]:
        return [item.system.name for item in version.pipeline_systems.all()]


class PipelineSerializer(ReadOnly):
    """A pipeline with the versions that the person may run, newest first; expects ``shown_versions``."""

    name = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    latest = serializers.SerializerMethodField(
        help_text="The version that `name` or `name@latest` means."
    )
    development = serializers.SerializerMethodField(
        help_text="The version that `name@development` means."
    )
    versions = VersionSummarySerializer(many=True, source="shown_versions")
    links = serializers.SerializerMethodField()

    @staticmethod
    def _newest(pipeline: Any, development: bool) -> str | None:
        found = [v for v in pipeline.shown_versions if v.is_development is development]
        pinned = (v for v in found if v.is_pinned)
        chosen = next(pinned, found[0] if found else None)
        return chosen.version if chosen else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_latest(self, pipeline: Pipeline) -> str | None:
        return self._newest(pipeline, development=False)

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_development(self, pipeline: Pipeline) -> str | None:
        return self._newest(pipeline, development=True)

    @extend_schema_field(serializers.DictField(child=serializers.URLField()))
    def get_links(self, pipeline: Pipeline) -> dict[str, str]:
        request = self.context["request"]
        return {
            "self": reverse("api-pipeline", kwargs={"name": pipeline.name}, request=request),
            "page": request.build_absolute_uri(f"/pipelines/{pipeline.name}/"),
        }


class HealthSerializer(ReadOnly):
    state = text_choice(HealthState)
    reason = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class SystemSerializer(ReadOnly):
    """A system as its users see it; expects ``shown_accounts``. Hosts and keys are not shown."""

    name = serializers.CharField()
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    transport = text_choice(TransportKind)
    scheduler = text_choice(SchedulerKind)
    health = serializers.SerializerMethodField()
    usernames = serializers.SerializerMethodField(
        help_text="The account on the system that your runs use."
    )
    last_answer = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    @extend_schema_field(HealthSerializer)
    def get_health(self, system: System) -> dict[str, Any]:
        fields = {"state": system.health, "reason": system.health_reason, "at": system.health_at}
        return dict(HealthSerializer(fields).data)

    def get_usernames(self, system: Any) -> list[str]:
        return [account.username for account in system.shown_accounts]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_last_answer(self, system: Any) -> str | None:
        times = [account.polled_at for account in system.shown_accounts if account.polled_at]
        return serializers.DateTimeField().to_representation(max(times)) if times else None

    @extend_schema_field(serializers.DictField(child=serializers.URLField()))
    def get_links(self, system: System) -> dict[str, str]:
        request = self.context["request"]
        return {
            "self": reverse("api-system", kwargs={"name": system.name}, request=request),
            "page": request.build_absolute_uri(f"/systems/{system.name}/"),
        }


class PipelineListSerializer(ReadOnly):
    results = PipelineSerializer(many=True)


class SystemListSerializer(ReadOnly):
    results = SystemSerializer(many=True)


class LabRoleSerializer(ReadOnly):
    slug = serializers.CharField(source="lab.slug")
    name = serializers.CharField(source="lab.name")
    role = text_choice(Role)


class WhoAmISerializer(ReadOnly):
    """The person, and how the request was authenticated."""

    username = serializers.CharField()
    email = serializers.CharField()
    is_administrator = serializers.BooleanField()
    labs = LabRoleSerializer(many=True)
    authenticated_by = serializers.ChoiceField(choices=["password", "token", "session"])
    token = serializers.CharField(allow_null=True, help_text="The token's name.")
    scope = serializers.ChoiceField(
        choices=TokenScope.choices, help_text="What this request's token may do; `all` without one."
    )


class TokenSerializer(ReadOnly):
    """A token without its text."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    hint = serializers.CharField(help_text="How the token begins.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)
    scope = serializers.ChoiceField(choices=TokenScope.choices)


class TokenListSerializer(ReadOnly):
    results = TokenSerializer(many=True)


class AwareDateTimeField(serializers.DateTimeField):
    """A time that must carry its zone: a token must not live some hours longer by a misunderstanding."""

    default_error_messages = {
        "naive": "Give the time with its zone, for example 2027-01-31T12:00:00Z.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        return super().enforce_timezone(value)


class NewTokenSerializer(serializers.Serializer[ApiToken]):
    """What a new token needs. Unknown fields are refused."""

    name = serializers.CharField(max_length=100)
    expires_at = AwareDateTimeField(
        required=False,
        allow_null=True,
        default=None,
        help_text="With its time zone; null for never.",
    )
    scope = serializers.ChoiceField(
        choices=TokenScope.choices,
        default=TokenScope.ALL,
        help_text=(
            "`read` changes nothing; `submit` also submits, steers and annotates runs; `all` is everything that "
            "its person may. What is beyond it is answered by 403."
        ),
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = set(self.fields)
        unknown = {
            name: [
                serializers.ErrorDetail(
                    "Unknown field; known: name, expires_at, scope.", code="unknown_field"
                )
            ]
            for name in self.initial_data
            if name not in known
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return attrs


class CreatedTokenSerializer(TokenSerializer):
    """A new token with its text, which is shown this once."""

    token = serializers.CharField()
