"""Jetstream: a head job that stages in, runs ``jetstream pipelines`` and archives.

What Jetstream does was measured with version 1.7.4; see docs/howto/jetstream.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar

from hpc.engines import head, program
from hpc.quoting import shell_words
from pipeline_management.choices import Engine
from pipeline_management.errors import Problem
from pipeline_management.models import PipelineVersion
from pipeline_management.models.pipeline import ALIASES
from pipeline_management.services.engines import options as parts
from pipeline_management.services.engines.base import (
    CancelSignal,
    Context,
    PipelineEngine,
    PlanRequest,
    Rendered,
)
from pipeline_management.services.schema_sentences import one_of, shown

ARCHIVE_KEY = "isilonPath"
_MOST_PROBLEMS = 100
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

_MEANINGS = {
    1: "at least one of the pipeline's tasks failed",
    65: "Jetstream could not build the pipeline from this configuration; the end of the error output says why",
    66: "the data could not be staged in",
    69: "the system has no jetstream command where the pipeline expects it",
    74: "the results could not be archived; resuming the run archives them without doing finished tasks again",
    75: "another run works in the same project",
}

_PLAN = """\
ref={reference}
if [ {resume} = 1 ]; then
  "$JETSTREAM_COMMAND" pipelines "$ref" -p "$CENTRO_WORK_DIR/project" --mash-only -o plan.workflow 1>&2 || exit 65
else
  "$JETSTREAM_COMMAND" init project -C "$CENTRO_CONFIG" --project-id plan 1>&2 || exit 65
  "$JETSTREAM_COMMAND" pipelines "$ref" -p project --build-only -o plan.workflow 1>&2 || exit 65
fi
python={python}
if [ -z "$python" ]; then
  read -r python < "$(command -v "$JETSTREAM_COMMAND")"
  python=${{python#\\#!}}
fi
exec $python jetstream_plan.py plan.workflow
"""


class JetstreamEngine(PipelineEngine):
    """On Slurm every task is a job of its own, unless the options say otherwise; elsewhere all run in one job."""

    name: ClassVar[str] = Engine.JETSTREAM.value
    can_plan: ClassVar[bool] = True
    can_resume: ClassVar[bool] = True
    makes_script: ClassVar[bool] = True
    runner_log: ClassVar[str] = "runner.log"
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "pipeline": {
                "type": "string",
                "pattern": r"^[A-Za-z_][A-Za-z0-9_-]*$",
                "description": "its name in Jetstream",
            },
            "version": {
                "type": "string",
                "pattern": r"^[A-Za-z0-9][A-Za-z0-9_.+!-]*$",
                "not": {"enum": list(ALIASES)},
                "description": "its version in Jetstream, never latest or development",
            },
            "command": parts.COMMAND,
            "python": parts.ABSOLUTE,
            "search_path": {"type": "array", "items": parts.ABSOLUTE, "maxItems": 20},
            "backend": {"enum": ["slurm", "local"]},
            "queue": parts.SCHEDULER_WORD,
            "sacct_frequency": {"type": "integer", "minimum": 1, "maximum": 600},
            "setup": parts.SHELL_TEXT,
            "stage_in": parts.SHELL_TEXT,
            "archive": {
                "type": "object",
                "additionalProperties": False,
                "required": ["under"],
                "properties": {
                    "under": {"type": "array", "items": parts.ABSOLUTE, "minItems": 1},
                    "retrieve": {"type": "boolean"},
                },
            },
        },
    }

    def check_configuration(
        self, version: PipelineVersion, document: Mapping[str, Any]
    ) -> list[Problem]:
        """Jetstream pastes values into YAML and shell text: what is not plain text is refused here."""
        problems = list(islice(parts.harmful_text(document), _MOST_PROBLEMS))
        known = {problem.pointer for problem in problems}
        found = [*parts.account_problems(document), *_archive_problems(version, document)]
        return problems + [problem for problem in found if problem.pointer not in known]

    def resources(
        self, version: PipelineVersion, document: Mapping[str, Any], scheduler: str
    ) -> dict[str, Any]:
        return parts.with_account(version.resources, document, scheduler)

    def render(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> Rendered:
        options, document = version.engine_options, context["config"]
        archive = options.get("archive", {})
        target = _archive_of(version, document, context["run"]["id"])
        variables = {
            **_common(version, context),
            "JETSTREAM_PIPELINE": _reference(version),
            "JETSTREAM_BACKEND": f"centro_{_backend(version, context['system']['scheduler'])}",
            "CENTRO_RESUME": str(int(resume)),
            "CENTRO_STAGE_IN": options.get("stage_in", ""),
            "CENTRO_ARCHIVE": target,
            "CENTRO_RETRIEVE": str(int(bool(target) and archive.get("retrieve", False))),
        }
        script = (
            "#!/bin/sh\n# The head of a Jetstream run.\n"
            f"{_setup(version, context)}{parts.exports(variables)}"
            'exec /bin/sh "$CENTRO_RUN_DIR/engine/head.sh"\n'
        )
        return Rendered(script, self.files(version))

    def files(self, version: PipelineVersion) -> dict[str, bytes]:
        return {
            "engine/head.sh": head("jetstream"),
            "engine/jetstream/config.yaml": _settings(version),
            "engine/python/centro_reporting.py": program("centro_reporting.py"),
            "engine/python/centro_jetstream.py": program("centro_jetstream.py"),
        }

    def cancel_signal(self, version: PipelineVersion, scheduler: str) -> CancelSignal:
        in_one_job = _backend(version, scheduler) == "local"
        return CancelSignal.PLAIN if in_one_job else CancelSignal.BATCH_TERM

    def plan_request(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> PlanRequest:
        script = _PLAN.format(
            reference=shell_words([_reference(version)]),
            resume=int(resume),
            python=shell_words([version.engine_options.get("python", "")]),
        )
        settings = {
            "JETSTREAMDIR": "./jetstream-settings",
            "PYTHONPATH": ".",
            **_common(version, context),
        }
        files = {
            "jetstream-settings/config.yaml": _settings(version),
            "jetstream_plan.py": program("jetstream_plan.py"),
            "centro_reporting.py": program("centro_reporting.py"),
            "centro_jetstream.py": program("centro_jetstream.py"),
        }
        return PlanRequest(f"{_setup(version, context)}{parts.exports(settings)}{script}", files)

    def exit_meaning(self, code: int) -> str:
        return _MEANINGS.get(code, "")


def _reference(version: PipelineVersion) -> str:
    """Name and version as Jetstream knows them; aliases are resolved before."""
    options = version.engine_options
    name = options.get("pipeline", version.pipeline.name)
    return f"{name}@{options.get('version', version.version)}"


def _backend(version: PipelineVersion, scheduler: str) -> str:
    """Jetstream knows no scheduler but Slurm."""
    wanted: str = version.engine_options.get("backend", "slurm")
    return wanted if scheduler == "slurm" else "local"


def _setup(version: PipelineVersion, context: Context) -> str:
    """The site's own lines, after the scheduler's commands are on the PATH."""
    folder = context["system"].get("bin_dir", "")
    path = f'PATH={shell_words([folder])}:"$PATH"\n' if folder else ""
    text: str = version.engine_options.get("setup", "")
    return f"{path}{text}\n" if text else path


def _common(version: PipelineVersion, context: Context) -> dict[str, str]:
    """What Jetstream's Slurm backend has no settings for, Slurm reads from the environment."""
    options, resources = version.engine_options, context["resources"]
    queue = options.get("queue") or resources.get("queue")
    found = {"SBATCH_ACCOUNT": resources.get("account"), "SBATCH_PARTITION": queue}
    command = options.get("command", "jetstream")
    return {"JETSTREAM_COMMAND": command, **{key: value for key, value in found.items() if value}}


def _settings(version: PipelineVersion) -> bytes:
    """Jetstream's settings; JSON is YAML."""
    options = version.engine_options
    fields = (
        *("JobID", "JobName", "Partition", "Account", "AllocCPUS", "State", "ExitCode"),
        *("Elapsed", "ElapsedRaw", "Start", "End", "MaxRSS"),
    )
    log = {
        "version": 1,
        "formatters": {"f": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
        "handlers": {
            "h": {
                "class": "logging.FileHandler",
                "filename": JetstreamEngine.runner_log,
                "level": "INFO",
                "formatter": "f",
            }
        },
        "loggers": {"jetstream": {"level": "INFO", "handlers": ["h"]}},
    }
    content: dict[str, Any] = {
        "log": "centro",
        "logging_profiles": {"centro": log},
        "backends": {
            "centro_slurm": {
                "()": "centro_jetstream.CentroSlurmBackend",
                "sacct_frequency": options.get("sacct_frequency", 15),
                "sacct_fields": list(fields),
            },
            "centro_local": {"()": "centro_jetstream.CentroLocalBackend"},
        },
    }
    if options.get("search_path"):
        content["pipelines"] = {"searchpath": ":".join(options["search_path"])}
    return f"{json.dumps(content, indent=1)}\n".encode()


def _archive_of(version: PipelineVersion, document: Mapping[str, Any], run_id: str) -> str:
    """Where the results go: a directory of the project's name in the one that the configuration names."""
    place = document.get(ARCHIVE_KEY)
    if "archive" not in version.engine_options or not place:
        return ""
    project = document.get("project")
    is_plain = isinstance(project, str) and _PLAIN_NAME.fullmatch(project)
    return f"{str(place).rstrip('/')}/{project if is_plain else run_id}"


def _archive_problems(version: PipelineVersion, document: Mapping[str, Any]) -> list[Problem]:
    allowed = version.engine_options.get("archive", {}).get("under", [])
    place = document.get(ARCHIVE_KEY)
    if not allowed or place in (None, ""):
        return []
    if isinstance(place, str) and ".." not in place.split("/"):
        path = re.sub(r"/+", "/", place).rstrip("/")
        if any(path == root or path.startswith(f"{root}/") for root in _roots(allowed)):
            return []
    message = (
        f"{ARCHIVE_KEY} is {shown(place)}; expected a directory in {one_of(allowed)}, without .."
    )
    return [Problem("archive", f"{message}.", f"/{ARCHIVE_KEY}")]


def _roots(allowed: list[str]) -> list[str]:
    return [root.rstrip("/") for root in allowed]
