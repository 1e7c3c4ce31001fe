"""Snakemake: a head job that runs the workflow in itself, or as jobs of its own on Slurm.

Tried with Snakemake 9.27 and its executor plugin for Slurm 2.8; see docs/howto/snakemake.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hpc.engines import head, program
from hpc.quoting import shell_words
from pipeline_management.choices import Engine
from pipeline_management.errors import Problem
from pipeline_management.models import PipelineVersion
from pipeline_management.services.engines import options as parts
from pipeline_management.services.engines.base import (
    CancelSignal,
    Context,
    PipelineEngine,
    PlanRequest,
    Rendered,
)

_PLUGIN = "snakemake_logger_plugin_centro/__init__.py"
_MEANINGS = {
    1: "at least one job of the workflow failed",
    65: "Snakemake could not build the workflow from this configuration; the end of the error output says why",
    69: "the system has no snakemake command where the pipeline expects it",
    75: "another run works in the same directory",
}

_PLAN = """\
folder=$CENTRO_WORK_DIR/project
mkdir -p "$folder" || exit 75
dry() {{ # FILE OPTION...: the jobs go to FILE
  plan=$PWD/$1
  shift
  : > "$plan"
  CENTRO_PLAN_FILE=$plan "$SNAKEMAKE_COMMAND" --snakefile {snakefile} --directory "$folder" \\
    --configfile "$CENTRO_CONFIG" --dry-run --quiet all --logger centro --nocolor --rerun-incomplete "$@" 1>&2
}}
dry jobs.ndjson {arguments} || exit 65
if [ {resume} = 1 ]; then dry all.ndjson {arguments} --forceall || exit 65; fi
[ -e all.ndjson ] || cp jobs.ndjson all.ndjson
printf '{{"total": %d}}\\n' "$(wc -l < all.ndjson)"
cat jobs.ndjson
"""


class SnakemakeEngine(PipelineEngine):
    """Mode ``cluster`` needs Slurm; on other systems, and by default, the jobs run within the head's own."""

    name: ClassVar[str] = Engine.SNAKEMAKE.value
    can_plan: ClassVar[bool] = True
    can_resume: ClassVar[bool] = True
    makes_script: ClassVar[bool] = True
    options_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["snakefile"],
        "properties": {
            "snakefile": parts.ABSOLUTE,
            "command": parts.COMMAND,
            "mode": {"enum": ["job", "cluster"]},
            "cores": {"type": "integer", "minimum": 1, "maximum": 10_000},
            "jobs": {"type": "integer", "minimum": 1, "maximum": 10_000},
            "queue": parts.SCHEDULER_WORD,
            "status_seconds": {"type": "integer", "minimum": 1, "maximum": 600},
            "profile": parts.ABSOLUTE,
            "keep_going": {"type": "boolean"},
            "latency_wait": {"type": "integer", "minimum": 0, "maximum": 3600},
            "arguments": {
                "type": "array",
                "maxItems": 50,
                "items": {"type": "string", "pattern": r"^[^\x00-\x1f]+$", "maxLength": 1000},
            },
            "setup": parts.SHELL_TEXT,
        },
    }

    def check_configuration(
        self, version: PipelineVersion, document: Mapping[str, Any]
    ) -> list[Problem]:
        return parts.account_problems(document)

    def resources(
        self, version: PipelineVersion, document: Mapping[str, Any], scheduler: str
    ) -> dict[str, Any]:
        return parts.with_account(version.resources, document, scheduler)

    def render(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> Rendered:
        """Snakemake finds by itself what is done: a resume differs only in where it works."""
        arguments = shell_words(_arguments(version, context))
        script = (
            "#!/bin/sh\n# The head of a Snakemake run.\n"
            f"{_preparation(version, context)}"
            f'exec /bin/sh "$CENTRO_RUN_DIR/engine/head.sh" {arguments}\n'
        )
        return Rendered(script, self.files(version))

    def files(self, version: PipelineVersion) -> dict[str, bytes]:
        return {
            "engine/head.sh": head("snakemake"),
            "engine/python/centro_reporting.py": program("centro_reporting.py"),
            f"engine/python/{_PLUGIN}": program(_PLUGIN),
        }

    def cancel_signal(self, version: PipelineVersion, scheduler: str) -> CancelSignal:
        in_one_job = _mode(version, scheduler) == "job"
        return CancelSignal.PLAIN if in_one_job else CancelSignal.BATCH_TERM

    def plan_request(
        self, version: PipelineVersion, context: Context, *, resume: bool = False
    ) -> PlanRequest:
        script = _PLAN.format(
            snakefile=shell_words([version.engine_options["snakefile"]]),
            arguments=shell_words(_planned(version)),
            resume=int(resume),
        )
        files = {
            "centro_reporting.py": program("centro_reporting.py"),
            _PLUGIN: program(_PLUGIN),
        }
        path = 'export PYTHONPATH="$PWD"\n'
        return PlanRequest(f"{_preparation(version, context)}{path}{script}", files)

    def exit_meaning(self, code: int) -> str:
        return _MEANINGS.get(code, "")


def _mode(version: PipelineVersion, scheduler: str) -> str:
    wanted: str = version.engine_options.get("mode", "job")
    return wanted if scheduler == "slurm" else "job"


def _preparation(version: PipelineVersion, context: Context) -> str:
    options, system = version.engine_options, context["system"]
    folder = system.get("bin_dir", "")
    path = f'PATH={shell_words([folder])}:"$PATH"\n' if folder else ""
    setup = f"{options['setup']}\n" if options.get("setup") else ""
    variables = {
        "SNAKEMAKE_COMMAND": options.get("command", "snakemake"),
        "SNAKEMAKE_SNAKEFILE": options["snakefile"],
        "SNAKEMAKE_MODE": _mode(version, system["scheduler"]),
    }
    return f"{path}{setup}{parts.exports(variables)}"


def _chosen(version: PipelineVersion) -> list[str]:
    """What the site's author added: a profile and arguments of his own."""
    options = version.engine_options
    profile = ["--profile", options["profile"]] if options.get("profile") else []
    return [*profile, *options.get("arguments", [])]


def _planned(version: PipelineVersion) -> list[str]:
    cores = version.engine_options.get("cores") or version.resources.get("cpus") or 1
    return ["--cores", str(cores), *_chosen(version)]


def _arguments(version: PipelineVersion, context: Context) -> list[str]:
    options, resources = version.engine_options, context["resources"]
    words = []
    if _mode(version, context["system"]["scheduler"]) == "cluster":
        seconds = str(options.get("status_seconds", 15))
        words += ["--executor", "slurm", "--jobs", str(options.get("jobs", 50))]
        words += ["--seconds-between-status-checks", seconds]
        words += ["--slurm-init-seconds-before-status-checks", seconds]
        queue = options.get("queue") or resources.get("queue")
        given = {"slurm_account": resources.get("account"), "slurm_partition": queue}
        # quoted once more: Snakemake reads these values as Python
        defaults = [f"{key}='{value}'" for key, value in given.items() if value]
        words += ["--default-resources", *defaults] if defaults else []
    else:
        words += ["--cores", str(options.get("cores") or resources.get("cpus") or 1)]
    if options.get("keep_going"):
        words.append("--keep-going")
    if "latency_wait" in options:
        words += ["--latency-wait", str(options["latency_wait"])]
    return [*words, *_chosen(version)]
