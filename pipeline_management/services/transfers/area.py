"""The staging area of this installation, one object per process."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

from django.conf import settings

from pipeline_management.errors import Unavailable
from staging.base import MIB, StagingArea
from staging.errors import StagingError
from staging.local import LocalArea

logger = logging.getLogger(__name__)
_ready: WeakSet[StagingArea] = WeakSet()

PREFIX = "staging"
"""The path below which Centro serves the local area."""


def area() -> StagingArea:
    """The area that the settings describe."""
    values: dict[str, Any] = settings.CENTRO_STAGING
    public = str(settings.CENTRO_PUBLIC_URL)
    return _area(tuple(sorted(values.items())), settings.SECRET_KEY, public)


@lru_cache(maxsize=4)
def _area(items: tuple[tuple[str, Any], ...], secret: str, public: str) -> StagingArea:
    values = dict(items)
    if values["kind"] == "s3":
        from staging.s3 import (
            S3Area,
            S3Settings,
        )  # boto3 costs 20 MB, which a local area need not pay

        return S3Area(
            S3Settings(
                endpoint=values["endpoint"],
                public_endpoint=values["public_endpoint"],
                system_endpoint=values["system_endpoint"],
                region=values["region"],
                bucket=values["bucket"],
                access_key=values["access_key"],
                secret_key=values["secret_key"],
                addressing=values["addressing"],
                keep_days=-(-values["link_seconds"] // 86_400) + 1,
            )
        )
    inside = values["system_endpoint"] or public
    return LocalArea(Path(values["path"]), secret, f"{public}/{PREFIX}", f"{inside}/{PREFIX}")


def prepared_area() -> StagingArea:
    """The same, once per process after it has been made ready for use. Raises ``StagingError``."""
    found = area()
    if found not in _ready:
        for fault in found.prepare():
            logger.warning("%s", fault)
        _ready.add(found)
    return found


def local_area() -> LocalArea | None:
    """The area if Centro itself serves it."""
    if settings.CENTRO_STAGING["kind"] != "local":
        return None
    found = prepared_area()
    return found if isinstance(found, LocalArea) else None


def largest() -> int:
    """The most bytes that a transfer may have."""
    return int(settings.CENTRO_STAGING["max_size_mb"]) * MIB


def link_seconds() -> int:
    """How long links are valid."""
    return int(settings.CENTRO_STAGING["link_seconds"])


@contextmanager
def store_answers() -> Iterator[None]:
    """For requests: a store that fails is an ``Unavailable``."""
    try:
        yield
    except StagingError as error:
        raise Unavailable(f"The staging area does not take this at present: {error}") from error
