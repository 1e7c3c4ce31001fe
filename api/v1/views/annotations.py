"""Labels, notes and the star of one run. None of them changes what happens to it."""

from __future__ import annotations

import uuid

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import TokenScope
from api.v1.annotations import (
    LabelsSerializer,
    NewNoteSerializer,
    NoteListSerializer,
    NoteSerializer,
)
from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from api.v1.views.submission import read_body
from pipeline_management.models import Run, RunNote
from pipeline_management.services import marks
from pipeline_management.services.documents import parse_document

_LARGEST = 2**63 - 1  # of a primary key; a larger number is an error in the database's driver
_MISSING = {404: OpenApiResponse(ErrorSerializer, "Unknown, or not yours to see.")}
_REFUSED = {
    403: OpenApiResponse(ErrorSerializer, "Only its submitter, managers and administrators may."),
    **_MISSING,
}
_LABEL = OpenApiParameter(
    "name",
    OpenApiTypes.STR,
    OpenApiParameter.PATH,
    description="1 to 40 letters, digits, dots, plus signs, dashes and underscores; kept in lower case.",
)


def _labels(run: Run) -> Response:
    names = list(run.labels.order_by("name").values_list("name", flat=True))
    return Response(LabelsSerializer({"labels": names}).data)


class RunLabelsView(ApiView):
    """The labels of a run."""

    token_scope = TokenScope.SUBMIT
    @extend_schema(
        operation_id="list_run_labels",
        summary="List a run's labels",
        responses={200: LabelsSerializer, **_MISSING},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        return _labels(self.run(run_id))


class RunLabelView(ApiView):
    """One label of a run."""

    token_scope = TokenScope.SUBMIT
    @extend_schema(
        operation_id="add_run_label",
        summary="Stick a label on a run",
        description=f"Again changes nothing. A run has at most {marks.MOST_LABELS} labels.",
        parameters=[_LABEL],
        request=None,
        responses={
            200: OpenApiResponse(LabelsSerializer, "The labels that it has now."),
            400: OpenApiResponse(ErrorSerializer, "No label, or one too many."),
            **_REFUSED,
        },
    )
    def put(self, request: Request, run_id: uuid.UUID, name: str) -> Response:
        run = self.run(run_id)
        marks.label_run(run, self.person, add=[name])
        return _labels(run)

    @extend_schema(
        operation_id="remove_run_label",
        summary="Take a label off a run",
        description="Again, and one that the run does not have, changes nothing.",
        parameters=[_LABEL],
        responses={
            204: None,
            400: OpenApiResponse(ErrorSerializer, "No label."),
            **_REFUSED,
        },
    )
    def delete(self, request: Request, run_id: uuid.UUID, name: str) -> Response:
        run = self.run(run_id)
        marks.label_run(run, self.person, remove=[marks.clean_label(name)])
        return Response(status=204)


class RunNotesView(ApiView):
    """The notes of a run."""

    token_scope = TokenScope.SUBMIT
    @extend_schema(
        operation_id="list_run_notes",
        summary="List a run's notes",
        description=f"The oldest first; at most {marks.MOST_NOTES}.",
        responses={200: NoteListSerializer, **_MISSING},
    )
    def get(self, request: Request, run_id: uuid.UUID) -> Response:
        notes = RunNote.objects.filter(run=self.run(run_id)).select_related("author")
        return Response({"results": NoteSerializer(notes, many=True).data})

    @extend_schema(
        operation_id="add_run_note",
        summary="Write a note on a run",
        description=f"1 to {marks.LONGEST_NOTE} characters of plain text. Blanks at the ends go.",
        request=NewNoteSerializer,
        responses={
            201: NoteSerializer,
            400: ErrorSerializer,
            **_REFUSED,
            413: ErrorSerializer,
            415: ErrorSerializer,
        },
    )
    def post(self, request: Request, run_id: uuid.UUID) -> Response:
        run = self.run(run_id)
        wanted = NewNoteSerializer(data=parse_document(read_body(request._request)))
        wanted.is_valid(raise_exception=True)
        note = marks.add_note(run, self.person, wanted.validated_data["text"])
        return Response(NoteSerializer(note).data, status=201)


class RunNoteView(ApiView):
    """One note of a run."""

    token_scope = TokenScope.SUBMIT
    @extend_schema(
        operation_id="delete_run_note",
        summary="Delete a note",
        responses={
            204: None,
            403: OpenApiResponse(ErrorSerializer, "Only who wrote it and administrators may."),
            404: OpenApiResponse(ErrorSerializer, "No such note, or a run not yours to see."),
        },
    )
    def delete(self, request: Request, run_id: uuid.UUID, note_id: int) -> Response:
        marks.delete_note(self.run(run_id), self.person, min(note_id, _LARGEST))
        return Response(status=204)


class RunStarView(ApiView):
    """One's own star at a run; whoever sees the run may give it."""

    token_scope = TokenScope.SUBMIT
    @extend_schema(
        operation_id="star_run",
        summary="Star a run",
        description="Seen by nobody else; `is:starred` finds it. Again changes nothing.",
        request=None,
        responses={
            204: None,
            400: OpenApiResponse(ErrorSerializer, f"{marks.MOST_STARS} are given already."),
            **_MISSING,
        },
    )
    def put(self, request: Request, run_id: uuid.UUID) -> Response:
        marks.star(self.person, [self.run(run_id).pk], on=True)
        return Response(status=204)

    @extend_schema(
        operation_id="unstar_run",
        summary="Take the star away",
        responses={204: None, **_MISSING},
    )
    def delete(self, request: Request, run_id: uuid.UUID) -> Response:
        marks.star(self.person, [self.run(run_id).pk], on=False)
        return Response(status=204)
