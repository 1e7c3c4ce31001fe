"""Pipelines whose job script is their author's: a template, filled in with shell-quoted values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pipeline_management.choices import Engine
from pipeline_management.models import PipelineVersion
from pipeline_management.services.engines.base import Context, PipelineEngine, Rendered
from pipeline_management.services.rendering import render_script


class ShellEngine(PipelineEngine):
    """No options, no plan, no resume: what the script does is known to its author only."""

    name: ClassVar[str] = Engine.SHELL.value
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
    }

    def render(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> Rendered:
        return Rendered(render_script(version.script, dict(context)))
