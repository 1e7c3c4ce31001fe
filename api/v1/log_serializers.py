"""What the API shows of a run's output."""

from __future__ import annotations

from rest_framework import serializers

from api.v1.serializers import LOG_SOURCES, ReadOnly


class LogSerializer(ReadOnly):
    """Part of an output stream. ``text`` shows bytes that are not UTF-8 as U+FFFD; offsets count bytes."""

    stream = serializers.CharField()
    text = serializers.CharField(trim_whitespace=False)
    offset = serializers.IntegerField()
    next_offset = serializers.IntegerField()
    size = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="The run is over and this reaches the end.")
    source = serializers.ChoiceField(choices=LOG_SOURCES)  # type: ignore[assignment]  # a field's name; the metaclass takes it out
    at = serializers.DateTimeField()
    note = serializers.CharField()
    starts_line = serializers.BooleanField(
        help_text="The first byte is the first of a line; false where that is not known."
    )


class HitSerializer(ReadOnly):
    """A line that matches."""

    offset = serializers.IntegerField(help_text="Of the line's first byte.")
    text = serializers.CharField(help_text="Its beginning, without colours.")


class LogSearchSerializer(ReadOnly):
    """Matches in the bytes from `start` to `next_offset`. Ask again from there until `complete`."""

    hits = HitSerializer(many=True)
    start = serializers.IntegerField()
    next_offset = serializers.IntegerField()
    size = serializers.IntegerField()
    complete = serializers.BooleanField(help_text="The end of the stream is reached.")


class LogPlaceSerializer(ReadOnly):
    """A line and where it begins. What is not known is null: ask again, unless `complete`."""

    line = serializers.IntegerField(allow_null=True)
    offset = serializers.IntegerField(allow_null=True)
    counted = serializers.IntegerField(help_text="Bytes that have been counted so far.")
    lines = serializers.IntegerField(help_text="Newlines in them.")
    complete = serializers.BooleanField(help_text="Known, or the stream ends before.")
