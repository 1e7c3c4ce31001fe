"""A small site to submit to: two labs, three people, one pipeline with three versions, two systems."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from accounts.models import Lab, Membership, Role
from pipeline_management.models import (
    Pipeline,
    PipelineSystem,
    PipelineVersion,
    System,
    SystemAccount,
)

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string", "minLength": 1}},
    "additionalProperties": False,
}


@dataclass
class Site:
    alice: User
    viewer: User
    stranger: User
    admin: User
    lab: Lab
    other_lab: Lab
    near: System
    far: System
    pipeline: Pipeline
    versions: dict[str, PipelineVersion]


def make_version(
    pipeline: Pipeline, version: str, *, key: str, **fields: object
) -> PipelineVersion:
    values: dict[str, object] = {
        "schema": SCHEMA,
        "script": "echo hello {{ config.name }}\n",
        "resources": {"walltime": "00:10:00"},
        "content_sha256": f"{pipeline.name}-{version}",
        "all_labs": True,
    }
    return PipelineVersion.objects.create(
        pipeline=pipeline, version=version, sort_key=key, **(values | fields)
    )


def make_site() -> Site:
    """Write the site down."""
    near = System.objects.create(name="near", transport="local", scheduler="local", workdir="runs")
    far = System.objects.create(
        name="far", transport="ssh", scheduler="slurm", host="h", workdir="/home/{username}/centro"
    )
    alice, viewer, stranger, admin = (
        User.objects.create_user(name, f"{name}@example.org")
        for name in ("alice", "vera", "sam", "root")
    )
    admin.is_staff = True
    admin.save()
    lab = Lab.objects.create(name="Lab A", slug="lab-a")
    other_lab = Lab.objects.create(name="Lab B", slug="lab-b")
    Membership.objects.create(lab=lab, user=alice, role=Role.SUBMITTER)
    Membership.objects.create(lab=lab, user=viewer, role=Role.VIEWER)
    SystemAccount.objects.create(system=near, user=None, username="svc")
    SystemAccount.objects.create(system=far, user=alice, username="test1")
    pipeline = Pipeline.objects.create(name="hello")
    versions = {
        "1.0": make_version(pipeline, "1.0", key="1"),
        "1.1": make_version(pipeline, "1.1", key="2"),
        "2.0b": make_version(pipeline, "2.0b", key="3", is_development=True),
    }
    for version in versions.values():
        PipelineSystem.objects.create(version=version, system=near, position=0)
        PipelineSystem.objects.create(version=version, system=far, position=1)
    return Site(alice, viewer, stranger, admin, lab, other_lab, near, far, pipeline, versions)
