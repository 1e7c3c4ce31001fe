"""Both stores, each as the same interface: Centro's own behind a real web server, S3 behind a real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from staging.base import StagingArea
from staging.local import LocalArea
from staging.s3 import S3Area, S3Settings
from tests.lab.lab import Lab
from tests.lab.s3 import ACCESS_KEY, S3, SECRET_KEY


@pytest.fixture(scope="session")
def s3(lab: Lab) -> Iterator[S3]:
    """The lab's S3 server, started for the first test that needs it; the lab stops it."""
    lab.s3.start()
    yield lab.s3


@pytest.fixture
def s3_area(s3: S3) -> S3Area:
    area = S3Area(S3Settings(ACCESS_KEY, SECRET_KEY, endpoint=s3.url, bucket="contract"))
    assert area.prepare() == []
    return area


@pytest.fixture
def local_area(live_server: Any, settings: Any) -> LocalArea:
    """Centro's own area, served by Django."""
    from pipeline_management.services.transfers.area import local_area

    settings.CENTRO_PUBLIC_URL = live_server.url
    found = local_area()
    assert found is not None
    return found


@pytest.fixture(params=["local", "s3"])
def area(request: pytest.FixtureRequest) -> StagingArea:
    """Each store in turn."""
    found: StagingArea = request.getfixturevalue(f"{request.param}_area")
    return found
