"""The example site's Phoenix pipeline as a row that is not written down, and its example configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from pipeline_management.models import Pipeline, PipelineVersion

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"


def declared() -> dict[str, Any]:
    """The pipeline's part of the example site file."""
    site = yaml.safe_load((DEPLOY / "example-site.yaml").read_text())
    (part,) = [part for part in site["pipelines"] if part["name"] == "phoenix"]
    found: dict[str, Any] = part
    return found


def version() -> PipelineVersion:
    """The version with its schema and rules."""
    part = declared()
    return PipelineVersion(
        pipeline=Pipeline(name="phoenix"),
        version=part["version"],
        schema=json.loads((DEPLOY / part["schema_file"]).read_text()),
        rules=part["rules"],
    )


def example() -> dict[str, Any]:
    """A fresh copy of the configuration for NA12878: eight files, 183 switches."""
    loaded: dict[str, Any] = json.loads((DEPLOY / "pipelines/phoenix/example.json").read_text())
    return loaded
