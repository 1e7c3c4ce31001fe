"""The look at the lab's real Slurm, over SSH, as the person whose run it would be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from pipeline_management.models import PipelineVersion
from pipeline_management.services.intake import prepare
from pipeline_management.services.preflight.asking import Preflight, preflight
from tests.lab.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab"), pytest.mark.django_db]


@pytest.fixture
def alice(lab: Lab) -> User:
    call_command("apply", str(lab.layout.site_file), verbosity=0)
    return User.objects.get(username="alice")


def looked(user: User, resources: dict[str, Any], paths: list[str]) -> Preflight:
    version = PipelineVersion.objects.get(pipeline__name="hello")
    version.schema, version.content_sha256 = {"type": "object"}, "open"
    version.resources = resources
    version.save()
    document = {"pipeline": "hello", "name": "x", "files": paths}
    return preflight(prepare(user=user, document=document))


def test_a_job_that_slurm_would_take(alice: User) -> None:
    found = looked(alice, {"queue": "part01", "account": "acct1"}, ["/etc/passwd", "/bin"])
    assert (found.system, found.username) == ("cluster", "test1")
    status = {step.name: step.status for step in found.steps}
    assert status.pop("quota") == "unknown" and status.pop("space") in ("good", "warning")
    assert status == dict.fromkeys(("inputs", "directory", "account", "queue", "start"), "good")
    assert (
        found.start is not None and abs((found.start - datetime.now(UTC)).total_seconds()) < 86400
    )


def test_a_job_that_slurm_would_refuse(alice: User) -> None:
    found = looked(alice, {"queue": "nowhere", "account": "acct9"}, ["/etc/shadow", "/none"])
    message = {step.name: step.message for step in found.steps}
    assert found.status == "bad" and found.start is None
    assert message["inputs"] == "2 of 2 paths cannot be read by test1."
    assert message["account"].startswith("test1 may not charge the account acct9 (did you mean")
    assert message["queue"] == "There is no queue nowhere; there are part01, part02, closed."
    assert message["start"] == "Slurm would refuse the job: Invalid partition name specified"
