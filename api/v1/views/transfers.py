"""Files between the person and systems: listing, beginning, parts of uploads, stopping."""

from __future__ import annotations

import uuid

from django.core.paginator import Paginator
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from api.v1.serializers import ErrorSerializer
from api.v1.transfers import (
    NewTransferSerializer,
    PartLinksSerializer,
    PartsSerializer,
    TransferPageSerializer,
    TransferSerializer,
    WantedPartsSerializer,
)
from api.v1.views.base import ApiView
from api.v1.views.submission import read_body
from pipeline_management.models import Transfer
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.services import transfer_intake
from pipeline_management.services.documents import parse_document
from pipeline_management.services.transfers import parts, requests

PAGE_SIZE = 100
_LAST_PAGE = 100_000
MISSING = {404: OpenApiResponse(ErrorSerializer, "Unknown, or not yours.")}
CONFLICT = {409: OpenApiResponse(ErrorSerializer, "Not in the state that it is in.")}
AWAY = {503: OpenApiResponse(ErrorSerializer, "The staging area or the system does not answer.")}


class TransferView(ApiView):
    """What the views of one transfer share."""

    def transfer(self, transfer_id: uuid.UUID) -> Transfer:
        """The person's own transfer; ``Http404`` for any other."""
        found = requests.visible(self.person).filter(pk=transfer_id).first()
        if found is None:
            raise Http404
        return found

    def shown(self, transfer: Transfer, status: int = 200) -> Response:
        """The transfer as the answer."""
        context = {"request": self.request}
        return Response(TransferSerializer(transfer, context=context).data, status=status)


class TransferListView(TransferView):
    """The person's own transfers."""

    parameters = {"GET": frozenset({"state", "page"})}

    @extend_schema(
        operation_id="list_transfers",
        summary="List my transfers",
        description="Newest first, a hundred on a page.",
        parameters=[
            OpenApiParameter("state", OpenApiTypes.STR, enum=TransferState.values, many=True),
            OpenApiParameter("page", OpenApiTypes.INT, description="Counted from 1."),
        ],
        responses={200: TransferPageSerializer, 400: ErrorSerializer},
    )
    def get(self, request: Request) -> Response:
        rows = requests.visible(self.person)
        if states := self.query.several("state", TransferState.values):
            rows = rows.filter(state__in=states)
        number = self.query.integer("page", 1, _LAST_PAGE) or 1
        page = Paginator(rows, PAGE_SIZE).get_page(number)
        following = None
        if page.has_next() and number == page.number:
            query = request.query_params.copy()
            query["page"] = str(number + 1)
            following = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
        shown = page.object_list if number == page.number else []
        results = TransferSerializer(shown, many=True, context={"request": request}).data
        return Response({"results": results, "next": following})

    @extend_schema(
        operation_id="create_transfer",
        summary="Send or fetch a file",
        description="An upload waits for its parts: ask for their links, PUT each, then POST to `complete`. It "
        "goes on to the system by itself. A download is fetched from the system; its link appears once it is "
        "`ready`.",
        request=NewTransferSerializer,
        responses={
            201: TransferSerializer,
            400: ErrorSerializer,
            413: OpenApiResponse(ErrorSerializer, "The file is over the limit."),
            409: OpenApiResponse(ErrorSerializer, "Too many are open."),
            **AWAY,
        },
    )
    def post(self, request: Request) -> Response:
        wanted = NewTransferSerializer(data=parse_document(read_body(request._request)))
        wanted.is_valid(raise_exception=True)
        fields = wanted.validated_data
        if fields["direction"] == Direction.DOWNLOAD:
            made = transfer_intake.download(
                self.person, fields["system"], fields["path"], address=self.address
            )
        else:
            made = transfer_intake.upload(
                self.person,
                fields["system"],
                fields["path"],
                fields["name"],
                fields["size"],
                sha256=fields["sha256"],
                address=self.address,
            )
        return self.shown(made, 201)


class TransferDetailView(TransferView):
    """One transfer."""

    @extend_schema(
        operation_id="get_transfer",
        summary="Show a transfer",
        responses={200: TransferSerializer, **MISSING},
    )
    def get(self, request: Request, transfer_id: uuid.UUID) -> Response:
        return self.shown(self.transfer(transfer_id))


class TransferPartsView(TransferView):
    """The parts of an upload."""

    @extend_schema(
        operation_id="list_transfer_parts",
        summary="Which parts have arrived",
        description="An upload that was interrupted goes on with the others.",
        responses={200: PartsSerializer, **MISSING, **CONFLICT, **AWAY},
    )
    def get(self, request: Request, transfer_id: uuid.UUID) -> Response:
        transfer = self.transfer(transfer_id)
        done = [part.number for part in parts.there(transfer)]
        shown = {"part_size": transfer.part_size, "count": parts.count(transfer), "done": done}
        return Response(PartsSerializer(shown).data)

    @extend_schema(
        operation_id="get_transfer_part_links",
        summary="Where parts go",
        description="Each link takes one PUT with the part's bytes, needs no log-in, and may be used again.",
        request=WantedPartsSerializer,
        responses={200: PartLinksSerializer, 400: ErrorSerializer, **MISSING, **CONFLICT, **AWAY},
    )
    def post(self, request: Request, transfer_id: uuid.UUID) -> Response:
        transfer = self.transfer(transfer_id)
        wanted = WantedPartsSerializer(data=parse_document(read_body(request._request)))
        wanted.is_valid(raise_exception=True)
        found = parts.links(transfer, wanted.validated_data["numbers"])
        return Response(PartLinksSerializer({"links": found}).data)


class TransferCompleteView(TransferView):
    """All parts are there."""

    @extend_schema(
        operation_id="complete_transfer",
        summary="Say that all parts are sent",
        description="The file goes on to the system. Again is no error.",
        request=None,
        responses={200: TransferSerializer, **MISSING, **CONFLICT, **AWAY},
    )
    def post(self, request: Request, transfer_id: uuid.UUID) -> Response:
        transfer = self.transfer(transfer_id)
        parts.finish(transfer)
        return self.shown(self.transfer(transfer_id))


class TransferCancelView(TransferView):
    """Stop it, or take its link back."""

    @extend_schema(
        operation_id="cancel_transfer",
        summary="Cancel a transfer, or take its link back",
        description="The file of a download that is ready is deleted from the staging area; its link is dead.",
        request=None,
        responses={200: TransferSerializer, **MISSING, **CONFLICT, **AWAY},
    )
    def post(self, request: Request, transfer_id: uuid.UUID) -> Response:
        transfer_intake.stop(self.transfer(transfer_id), self.person, address=self.address)
        return self.shown(self.transfer(transfer_id))


class TransferRetryView(TransferView):
    """Once more."""

    @extend_schema(
        operation_id="retry_transfer",
        summary="Try a failed transfer again",
        request=None,
        responses={200: TransferSerializer, **MISSING, **CONFLICT, **AWAY},
    )
    def post(self, request: Request, transfer_id: uuid.UUID) -> Response:
        requests.retry(self.transfer(transfer_id), user=self.person, address=self.address)
        return self.shown(self.transfer(transfer_id))
