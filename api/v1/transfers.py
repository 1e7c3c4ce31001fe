"""What the API shows of transfers, and what it takes to begin one."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from api.v1.serializers import ReadOnly, text_choice
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, Route, TransferState

TRANSFER_STATES = TransferState.choices
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]+")


class TransferLinksSerializer(ReadOnly):
    self = serializers.URLField()
    cancel = serializers.URLField(help_text="POST here to cancel it or to take its link back.")
    retry = serializers.URLField(help_text="POST here when it has failed.")
    parts = serializers.URLField(
        allow_null=True, help_text="Of an upload that waits for its file: where its parts go."
    )
    complete = serializers.URLField(allow_null=True, help_text="POST here when all parts are sent.")
    file = serializers.URLField(
        allow_null=True, help_text="Of a download that is ready: the file. Needs no log-in."
    )


class TransferSerializer(ReadOnly):
    """A file on its way. ``bytes_done`` and ``rate`` are of the movement between the store and the system."""

    id = serializers.UUIDField()
    direction = text_choice(Direction)
    state = text_choice(TransferState)
    system = serializers.CharField(source="account.system.name")
    path = serializers.CharField(
        source="shown_path",
        help_text="On the system: target of an upload, source of a download.",
    )
    name = serializers.CharField()
    size = serializers.IntegerField(allow_null=True, help_text="Bytes; null while not known.")
    bytes_done = serializers.IntegerField()
    rate = serializers.FloatField(help_text="Bytes per second.")
    remaining_seconds = serializers.SerializerMethodField()
    route = text_choice(Route, blank=True, help_text="Who moves it; null while not known.")
    sha256 = serializers.CharField(help_text="Found equal at both ends; empty until then.")
    error = serializers.CharField(help_text="Why it failed, in the system's words; else empty.")
    part_size = serializers.IntegerField(
        help_text="Bytes of each part but the last; 0 without parts."
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField()
    links = serializers.SerializerMethodField()

    def get_remaining_seconds(self, transfer: Transfer) -> int | None:
        left = transfer.remaining
        return None if left is None else round(left.total_seconds())

    @extend_schema_field(TransferLinksSerializer)
    def get_links(self, transfer: Transfer) -> dict[str, str | None]:
        request = self.context["request"]

        def address(name: str) -> str:
            return reverse(name, kwargs={"transfer_id": transfer.pk}, request=request)

        waits = bool(transfer.upload_id) and transfer.state == TransferState.AWAITING
        return {
            "self": address("api-transfer"),
            "cancel": address("api-transfer-cancel"),
            "retry": address("api-transfer-retry"),
            "parts": address("api-transfer-parts") if waits else None,
            "complete": address("api-transfer-complete") if waits else None,
            "file": transfer.link if transfer.state == TransferState.READY else None,
        }

    def to_representation(self, instance: Transfer) -> dict[str, Any]:
        return super().to_representation(instance) | {"route": instance.route or None}


class TransferPageSerializer(ReadOnly):
    results = TransferSerializer(many=True)
    next = serializers.URLField(allow_null=True)


class _Strict(serializers.Serializer[Transfer]):
    """Unknown fields are refused."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = ", ".join(self.fields)
        unknown = {
            name: [serializers.ErrorDetail(f"Unknown field; known: {known}.", code="unknown_field")]
            for name in self.initial_data
            if name not in self.fields
        }
        if unknown:
            raise serializers.ValidationError(unknown)
        return attrs


class NewTransferSerializer(_Strict):
    """What a new transfer needs."""

    direction = serializers.ChoiceField(
        choices=Direction.choices,
        error_messages={"invalid_choice": f"Expected one of {', '.join(Direction.values)}."},
    )
    system = serializers.CharField(max_length=100)
    path = serializers.RegexField(
        _PRINTABLE,
        max_length=4000,
        help_text="Upload: an existing directory. Download: a file, or a directory, which comes as an "
        "archive. Absolute, or beginning with ~/ for the home directory.",
    )
    name = serializers.RegexField(
        _PRINTABLE,
        max_length=1000,
        required=False,
        help_text="Upload: the file's name; directories in it are made.",
    )
    size = serializers.IntegerField(min_value=0, required=False, help_text="Upload: bytes.")
    sha256 = serializers.RegexField(
        r"^[0-9a-f]{64}\Z",
        required=False,
        default="",
        help_text="Upload: compared with what arrived, where given.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        upload = attrs["direction"] == Direction.UPLOAD
        faults: dict[str, str] = {}
        for name in ("name", "size"):
            if upload and name not in attrs:
                faults[name] = "An upload needs this field."
        for name in ("name", "size", "sha256"):
            if not upload and attrs.get(name, "") != "":
                faults[name] = "Only an upload has this field."
        if faults:
            raise serializers.ValidationError(faults)
        return attrs


class WantedPartsSerializer(_Strict):
    """Which links are wanted."""

    numbers = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10_000),
        min_length=1,
        max_length=100,
        help_text="Numbers of parts, counted from 1.",
    )


class PartLinkSerializer(ReadOnly):
    number = serializers.IntegerField()
    url = serializers.URLField(help_text="PUT the part's bytes here; needs no log-in.")


class PartLinksSerializer(ReadOnly):
    links = PartLinkSerializer(many=True)


class PartsSerializer(ReadOnly):
    part_size = serializers.IntegerField(help_text="Bytes of each part but the last.")
    count = serializers.IntegerField(help_text="How many parts there must be.")
    done = serializers.ListField(
        child=serializers.IntegerField(), help_text="Numbers of those that have arrived."
    )
