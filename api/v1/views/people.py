"""Who am I, and my access tokens."""

from __future__ import annotations

from django.http import Http404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions as rest
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import services
from accounts.models import ApiToken, Membership, TokenScope
from accounts.policy import is_administrator
from api.v1.catalogue import (
    CreatedTokenSerializer,
    NewTokenSerializer,
    TokenListSerializer,
    TokenSerializer,
    WhoAmISerializer,
)
from api.v1.serializers import ErrorSerializer
from api.v1.views.base import ApiView
from api.v1.views.submission import read_body
from pipeline_management.services.documents import parse_document

_LARGEST = 2**63 - 1  # of a primary key; a larger number is an error in the database's driver


class WhoAmIView(ApiView):
    """The person behind the request."""

    @extend_schema(operation_id="whoami", summary="Who am I", responses=WhoAmISerializer)
    def get(self, request: Request) -> Response:
        token = request.auth if isinstance(request.auth, ApiToken) else None
        by_header = "HTTP_AUTHORIZATION" in request.META
        fields = {
            "username": self.person.get_username(),
            "email": self.person.email,
            "is_administrator": is_administrator(self.person),
            "labs": Membership.objects.filter(user=self.person)
            .select_related("lab")
            .order_by("lab__slug"),
            "authenticated_by": "token" if token else "password" if by_header else "session",
            "token": token.name if token else None,
            "scope": token.scope if token else TokenScope.ALL,
        }
        return Response(WhoAmISerializer(fields).data)


class TokenListView(ApiView):
    """The person's own tokens."""

    @extend_schema(
        operation_id="list_tokens", summary="List my tokens", responses=TokenListSerializer
    )
    def get(self, request: Request) -> Response:
        tokens = ApiToken.objects.filter(user=self.person)
        return Response({"results": TokenSerializer(tokens, many=True).data})

    @extend_schema(
        operation_id="create_token",
        summary="Create a token",
        description="Its text is shown this once. A token cannot make tokens.",
        request=NewTokenSerializer,
        responses={
            201: CreatedTokenSerializer,
            400: ErrorSerializer,
            403: OpenApiResponse(ErrorSerializer, "The request was authenticated by a token."),
        },
    )
    def post(self, request: Request) -> Response:
        if isinstance(request.auth, ApiToken):
            raise rest.PermissionDenied("A token cannot make tokens; log in with your password.")
        wanted = NewTokenSerializer(data=parse_document(read_body(request._request)))
        wanted.is_valid(raise_exception=True)
        fields = wanted.validated_data
        token, text = services.create_token(
            self.person,
            fields["name"],
            fields["expires_at"],
            scope=TokenScope(fields["scope"]),
            address=self.address,
        )
        token.token = text  # type: ignore[attr-defined]  # for the serializer; never stored
        return Response(CreatedTokenSerializer(token).data, status=201)


class TokenView(ApiView):
    """One of the person's own tokens."""

    @extend_schema(
        operation_id="revoke_token",
        summary="Revoke a token",
        responses={204: None, 404: ErrorSerializer},
    )
    def delete(self, request: Request, token_id: int) -> Response:
        name = services.revoke_token(
            user=self.person, token_id=min(token_id, _LARGEST), address=self.address
        )
        if name is None:
            raise Http404
        return Response(status=204)
