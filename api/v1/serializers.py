"""What the API shows of runs: explicit fields, read-only throughout."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from pipeline_management.choices import (
    Attention,
    Confirmation,
    Desired,
    HealthState,
    OriginKind,
    Reason,
    RunKind,
    RunSource,
    RunState,
)
from pipeline_management.models import Attempt, Run
from pipeline_management.services import presentation
from pipeline_management.services.control import waiting


class ReadOnly(serializers.Serializer):
    """A serializer that only describes and writes answers; nothing is ever read through it."""

    def get_fields(self) -> dict[str, serializers.Field]:
        fields = super().get_fields()
        # what is called read-only is described as never missing; a field that is not required may be
        for field in fields.values():
            field.read_only = field.read_only or field.required
        return fields


def _choices(enum: Any) -> list[tuple[str, Any]]:
    return [(value, label) for value, label in enum.choices if value]


def text_choice(enum: Any, *, blank: bool = False, help_text: str = "") -> serializers.ChoiceField:
    """A field of one of the enumeration's values; with ``blank`` also null, which stands for none."""
    return serializers.ChoiceField(choices=_choices(enum), allow_null=blank, help_text=help_text)


# By these the OpenAPI description names the sets of words (settings, ENUM_NAME_OVERRIDES).
RUN_STATES = _choices(RunState)
RUN_SOURCES = _choices(RunSource)
CONFIRMATION_SOURCES = _choices(Confirmation)
HEALTH_STATES = _choices(HealthState)
ORIGIN_KINDS = _choices(OriginKind)
RUN_KINDS = _choices(RunKind)
LOG_SOURCES = [(word, word) for word in ("system", "stored", "none")]


class LinksSerializer(ReadOnly):
    self = serializers.URLField(help_text="This run.")
    page = serializers.URLField(help_text="Its page for people.")
    events = serializers.URLField()
    tasks = serializers.URLField()
    log = serializers.URLField()
    labels = serializers.URLField(help_text="PUT or DELETE a name below it.")
    notes = serializers.URLField(help_text="POST here to write one.")
    star = serializers.URLField(help_text="PUT or DELETE your star.")
    cancel = serializers.URLField(help_text="POST here to cancel.")
    hold = serializers.URLField(help_text="POST here to keep it from starting.")
    release = serializers.URLField(help_text="POST here to let it start.")
    resubmit = serializers.URLField(help_text="POST here to have it again.")
    resume = serializers.URLField(help_text="POST here to go on where it stopped.")


class AttentionSerializer(ReadOnly):
    code = text_choice(Attention)
    text = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)


class ConfirmationSerializer(ReadOnly):
    at = serializers.DateTimeField(allow_null=True)
    source = text_choice(Confirmation, blank=True)  # type: ignore[assignment]  # a field's name; the metaclass takes it out


class AttemptSerializer(ReadOnly):
    number = serializers.IntegerField()
    job_id = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    lost_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the scheduler was found to have lost the job before its start.",
    )

    def to_representation(self, instance: Attempt) -> dict[str, Any]:
        return super().to_representation(instance) | {"job_id": instance.job_id or None}


_VERBS = ("cancel", "hold", "release", "resubmit", "resume")


def run_links(run: Run, request: Any) -> dict[str, str]:
    """Absolute addresses that belong to a run."""

    def address(name: str) -> str:
        return reverse(name, kwargs={"run_id": run.pk}, request=request)

    return {
        "self": address("api-run"),
        "page": request.build_absolute_uri(f"/runs/{run.pk}/"),
        "events": address("api-run-events"),
        "tasks": address("api-run-tasks"),
        **{part: address(f"api-run-{part}") for part in ("log", "labels", "notes", "star")},
        **{verb: address(f"api-run-{verb}") for verb in _VERBS},
    }


class OriginSerializer(ReadOnly):
    """Another run and how the newer of both came out of the older one."""

    id = serializers.UUIDField()
    kind = text_choice(OriginKind)


class WaitingSerializer(ReadOnly):
    """Why a job waits."""

    reason = serializers.CharField(help_text="The scheduler's own word.")
    sentence = serializers.CharField(help_text="What it means.")
    priority = serializers.IntegerField(allow_null=True)
    estimated_start = serializers.DateTimeField(
        source="start",
        allow_null=True,
        help_text="When the scheduler expects to start it; changes with every job that comes or ends.",
    )
    at = serializers.DateTimeField(
        allow_null=True, help_text="When the scheduler said so; null: not asked yet."
    )


class CreatedSerializer(ReadOnly):
    """The answer to a submission."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    state = text_choice(RunState)
    links = LinksSerializer()
    warnings = serializers.ListField(child=serializers.DictField())


class RunSerializer(ReadOnly):
    """A run as messages show it; expects ``for_lists()``, asks the database nothing more."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = text_choice(
        RunKind, help_text="`job`: a job script as its submitter wrote it, without a pipeline."
    )
    pipeline = serializers.CharField(source="version.pipeline.name", allow_null=True)
    version = serializers.CharField(source="version.version", allow_null=True)
    system = serializers.CharField(source="system.name")
    lab = serializers.CharField(source="lab.slug", allow_null=True)
    submitter = serializers.CharField(source="submitter.username")
    source = text_choice(RunSource)  # type: ignore[assignment]  # a field's name; the metaclass takes it out
    state = text_choice(RunState)
    desired = text_choice(
        Desired, help_text="What people want; `cancel` once a cancellation is wanted."
    )
    held = serializers.BooleanField(
        source="is_held", help_text="It waits, or is to wait, until somebody releases it."
    )
    reason = text_choice(Reason, blank=True, help_text="Why the run ended as it did.")
    reason_text = serializers.CharField(
        help_text="The same in the system's or scheduler's own words."
    )
    explanation = serializers.SerializerMethodField(
        help_text="One sentence: what it waits for or how it ended."
    )
    exit_code = serializers.IntegerField(allow_null=True)
    signal = serializers.IntegerField(allow_null=True)
    attention = serializers.SerializerMethodField()
    job_id = serializers.CharField(allow_null=True)
    queue_state = serializers.CharField(help_text="The scheduler's own word for the job's state.")
    queue_reason = serializers.CharField()
    nodes = serializers.CharField()
    progress = serializers.IntegerField(
        allow_null=True, help_text="0 to 100, as the job last reported it."
    )
    progress_text = serializers.CharField()
    tasks_total = serializers.IntegerField(help_text="Tasks that the job has reported.")
    tasks_done = serializers.IntegerField(help_text="Of them complete or skipped.")
    tasks_failed = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(
        allow_null=True, help_text="When the job ended on the system."
    )
    finished_at = serializers.DateTimeField(
        allow_null=True, help_text="When Centro had settled the outcome."
    )
    last_confirmation = serializers.SerializerMethodField()
    links = serializers.SerializerMethodField()

    def get_explanation(self, run: Run) -> str:
        return presentation.explain(run)

    @extend_schema_field(AttentionSerializer(allow_null=True))
    def get_attention(self, run: Run) -> dict[str, Any] | None:
        if not run.attention:
            return None
        text = run.attention_text or str(Attention(run.attention).label)
        fields = {"code": run.attention, "text": text, "since": run.attention_since}
        return dict(AttentionSerializer(fields).data)

    @extend_schema_field(ConfirmationSerializer)
    def get_last_confirmation(self, run: Run) -> dict[str, Any]:
        at, source = presentation.last_confirmation(run)
        return dict(ConfirmationSerializer({"at": at, "source": source or None}).data)

    @extend_schema_field(LinksSerializer)
    def get_links(self, run: Run) -> dict[str, str]:
        return run_links(run, self.context["request"])

    def to_representation(self, instance: Run) -> dict[str, Any]:
        data = super().to_representation(instance)
        return data | {"reason": instance.reason or None, "job_id": instance.job_id or None}


class ListedRunSerializer(RunSerializer):
    """A run as lists show it, with what people have added; expects ``labels`` prefetched and ``starred`` in the
    context, the ids of the runs that have the viewer's star."""

    labels = serializers.SerializerMethodField()
    starred = serializers.SerializerMethodField(help_text="Whether it has your star.")

    def get_labels(self, run: Run) -> list[str]:
        return sorted(label.name for label in run.labels.all())

    def get_starred(self, run: Run) -> bool:
        return run.pk in self.context["starred"]


class RunDetailSerializer(ListedRunSerializer):
    """A run with everything; expects ``attempts`` prefetched."""

    origin = serializers.SerializerMethodField()
    successors = serializers.SerializerMethodField(
        help_text="The runs that were made from this one, the newest first; at most 50."
    )
    work_directory = serializers.CharField(
        source="works_in", help_text="Where on the system the pipeline works."
    )
    waiting = serializers.SerializerMethodField(help_text="While its job waits in the queue.")
    resources = serializers.DictField()
    configuration = serializers.DictField(help_text="As posted.")
    script = serializers.CharField(help_text="The job script as rendered.")
    attempts = AttemptSerializer(many=True)

    @extend_schema_field(OriginSerializer(allow_null=True))
    def get_origin(self, run: Run) -> dict[str, Any] | None:
        if run.origin_id is None:
            return None
        return dict(OriginSerializer({"id": run.origin_id, "kind": run.origin_kind}).data)

    @extend_schema_field(OriginSerializer(many=True))
    def get_successors(self, run: Run) -> list[dict[str, Any]]:
        rows = run.successors.order_by("-created_at").values_list("pk", "origin_kind")[:50]
        return [dict(OriginSerializer({"id": pk, "kind": kind}).data) for pk, kind in rows]

    @extend_schema_field(WaitingSerializer(allow_null=True))
    def get_waiting(self, run: Run) -> dict[str, Any] | None:
        found = waiting.waiting_of(run)
        return dict(WaitingSerializer(found).data) if found is not None else None


class RunPageSerializer(ReadOnly):
    """One page of runs; ``next`` is the address of the following page."""

    next = serializers.URLField(allow_null=True)
    results = ListedRunSerializer(many=True)


class DryRunSerializer(ReadOnly):
    """What a submission would become."""

    valid = serializers.BooleanField()
    pipeline = serializers.CharField(help_text="name@version")
    system = serializers.CharField()
    lab = serializers.CharField()
    name = serializers.CharField()
    resources = serializers.DictField()
    script = serializers.CharField()
    warnings = serializers.ListField(child=serializers.DictField())


class ProblemSerializer(ReadOnly):
    """One thing that is wrong."""

    code = serializers.CharField()
    message = serializers.CharField()
    pointer = serializers.CharField(help_text="JSON pointer (RFC 6901) of the value.")
    row = serializers.IntegerField(allow_null=True, help_text="In an array, counted from 1.")
    line = serializers.IntegerField(allow_null=True)
    column = serializers.IntegerField(allow_null=True)
    parameter = serializers.CharField(allow_null=True, help_text="Query parameter or header.")
    sheet = serializers.CharField(required=False, help_text="For workbooks only: the sheet.")
    cell = serializers.CharField(required=False, help_text="For workbooks only, like C7; may be empty.")


class ErrorSerializer(ReadOnly):
    """Every error of the API."""

    errors = ProblemSerializer(many=True)  # type: ignore[assignment]  # a field's name; the metaclass takes it out
    detail = serializers.CharField()
