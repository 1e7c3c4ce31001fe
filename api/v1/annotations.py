"""What the API shows and takes of the labels and notes of a run."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from api.v1.serializers import ReadOnly
from pipeline_management.models import RunNote
from pipeline_management.services.marks import LONGEST_NOTE


class LabelsSerializer(ReadOnly):
    """The labels of a run."""

    labels = serializers.ListField(child=serializers.CharField(), help_text="By name.")


class NoteSerializer(ReadOnly):
    id = serializers.IntegerField()
    author = serializers.CharField(source="author.username")
    text = serializers.CharField(help_text="Plain text, with line ends.")
    created_at = serializers.DateTimeField()


class NoteListSerializer(ReadOnly):
    """All notes of a run, the oldest first."""

    results = NoteSerializer(many=True)


class NewNoteSerializer(serializers.Serializer[RunNote]):
    """What a new note needs. Unknown fields are refused."""

    text = serializers.CharField(max_length=LONGEST_NOTE, trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = {
            name: [serializers.ErrorDetail("Unknown field; known: text.", code="unknown_field")]
            for name in self.initial_data
            if name not in self.fields
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return attrs
