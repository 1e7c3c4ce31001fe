"""What jobs report, as the API shows it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.v1.serializers import ReadOnly, text_choice
from pipeline_management.choices import TaskState
from pipeline_management.models import RunEvent, RunTask


class EventSerializer(ReadOnly):
    """Something that happened to a run; ``type`` is "state" for a change of state."""

    seq = serializers.IntegerField()
    at = serializers.DateTimeField()
    type = serializers.CharField()
    actor = serializers.CharField()
    sender = serializers.CharField(
        allow_null=True, help_text="Who in the job reported it; null where Centro itself did."
    )
    from_state = serializers.CharField(allow_null=True)
    to_state = serializers.CharField(allow_null=True)
    evidence = serializers.CharField(help_text="What the change rests on.")
    data = serializers.DictField()  # type: ignore[assignment]  # a field's name; the metaclass takes it out

    def to_representation(self, instance: RunEvent) -> dict[str, Any]:
        data = super().to_representation(instance)
        return data | {
            "sender": instance.sender or None,
            "from_state": instance.from_state or None,
            "to_state": instance.to_state or None,
        }


class EventPageSerializer(ReadOnly):
    """Events in order; ask again with ``?after=`` the ``last`` value."""

    last = serializers.IntegerField(help_text="Pass it as `after` to get what follows.")
    more = serializers.BooleanField(help_text="Whether more events are there already.")
    results = EventSerializer(many=True)


class TaskSerializer(ReadOnly):
    """A step of the run's pipeline as the job last reported it."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    state = text_choice(TaskState)
    job_id = serializers.CharField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    resources = serializers.DictField(help_text="What the job says of it, as it says it.")
    log_path = serializers.CharField(allow_null=True, help_text="A path on the system.")
    reported_at = serializers.DateTimeField(help_text="By the clock of who reported it.")

    def to_representation(self, instance: RunTask) -> dict[str, Any]:
        data = super().to_representation(instance)
        return data | {"job_id": instance.job_id or None, "log_path": instance.log_path or None}


class TaskPageSerializer(ReadOnly):
    """Tasks in the order in which they were first reported; ask again with ``?after=`` the ``last`` value."""

    last = serializers.IntegerField(help_text="Pass it as `after` to get what follows.")
    more = serializers.BooleanField()
    results = TaskSerializer(many=True)


class ReceivedSerializer(ReadOnly):
    """What became of the events of a request."""

    accepted = serializers.IntegerField(help_text="New ones.")
    duplicates = serializers.IntegerField(
        help_text="Known before, by their sender and its number; sending an event again does no harm."
    )
