"""What every engine must offer, and that what it brings to a system can be read there."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpc.engines import program
from pipeline_management.choices import Engine
from pipeline_management.services.engines.base import CancelSignal, PipelineEngine
from pipeline_management.services.engines.registry import ENGINES, engine_of
from tests.pipeline_engines.driving import version_of

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "hpc/engines/files"
OPTIONS: dict[str, dict[str, Any]] = {
    "shell": {},
    "jetstream": {
        "setup": "module() { :; }\nmodule load 'x'",
        "stage_in": 'echo "it\'s here"',
        "archive": {"under": ["/archive"], "retrieve": True},
    },
    "snakemake": {
        "snakefile": "/data/it's a/Snakefile",
        "mode": "cluster",
        "arguments": ["--x", "$(id)"],
    },
}


def context(scheduler: str = "slurm") -> dict[str, Any]:
    return {
        "config": {"project": "p", "isilonPath": "/archive/x"},
        "run": {"id": "5d5a2fbe-0000-0000-0000-000000000000", "directory": "/run", "name": "n"},
        "system": {
            "name": "s",
            "username": "u",
            "scheduler": scheduler,
            "bin_dir": "/opt/slurm/bin",
        },
        "resources": {"queue": "part01", "account": "acct1", "cpus": 3},
    }


@pytest.fixture(params=sorted(ENGINES))
def engine(request: pytest.FixtureRequest) -> PipelineEngine:
    return ENGINES[request.param]


def test_every_engine_of_the_model_is_there() -> None:
    assert set(ENGINES) == set(Engine.values)
    assert engine_of(None).name == "shell"


@pytest.mark.parametrize("scheduler", ["slurm", "pbs", "local"])
@pytest.mark.parametrize("resume", [False, True])
def test_scripts_and_files_can_be_read(
    engine: PipelineEngine, scheduler: str, resume: bool
) -> None:
    version = version_of(engine.name, "demo", options=OPTIONS[engine.name])
    version.script = "" if engine.makes_script else "#!/bin/sh\necho {{ config.project }}\n"
    rendered = engine.render(version, context(scheduler), resume=resume)
    assert rendered.script.startswith("#!/bin/sh\n")
    assert rendered.files == engine.files(version)
    checked = subprocess.run(
        ["sh", "-n"], input=rendered.script.encode(), check=False, capture_output=True
    )
    assert checked.returncode == 0, checked.stderr
    for name, data in rendered.files.items():
        assert name.startswith("engine/") and ".." not in name
        if name.endswith(".sh"):
            assert subprocess.run(["sh", "-n"], input=data, check=False).returncode == 0
        elif name.endswith(".py"):
            ast.parse(data)
        else:
            assert isinstance(yaml.safe_load(data), dict)


def test_the_script_hands_values_on_as_they_are(tmp_path: Path) -> None:
    """Whatever stands in the options reaches the head as it is, and none of it is run on the way."""
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine/head.sh").write_text('env -0; printf "%s\\0" "ARGUMENTS" "$@"\n')
    seen = {}
    for name in ("jetstream", "snakemake"):
        version = version_of(name, "demo", options=OPTIONS[name])
        script = ENGINES[name].render(version, context()).script
        environment = {"CENTRO_RUN_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
        said = subprocess.run(
            ["sh", "-c", script], env=environment, capture_output=True, check=True
        ).stdout
        seen[name] = said.decode().split("\0")
    assert "PATH=/opt/slurm/bin:/usr/bin:/bin" in seen["jetstream"]
    assert 'CENTRO_STAGE_IN=echo "it\'s here"' in seen["jetstream"]
    assert "CENTRO_ARCHIVE=/archive/x/p" in seen["jetstream"]
    assert "CENTRO_RETRIEVE=1" in seen["jetstream"]
    assert "JETSTREAM_PIPELINE=demo@1.0" in seen["jetstream"]
    assert (
        "SBATCH_ACCOUNT=acct1" in seen["jetstream"]
        and "SBATCH_PARTITION=part01" in seen["jetstream"]
    )
    assert "SNAKEMAKE_SNAKEFILE=/data/it's a/Snakefile" in seen["snakemake"]
    arguments = seen["snakemake"][seen["snakemake"].index("ARGUMENTS") + 1 : -1]
    assert arguments[-2:] == ["--x", "$(id)"]
    assert "slurm_account='acct1'" in arguments and "slurm_partition='part01'" in arguments


@pytest.mark.parametrize(
    ("name", "options", "scheduler", "expected"),
    [
        ("shell", {}, "slurm", CancelSignal.PLAIN),
        ("jetstream", {}, "slurm", CancelSignal.BATCH_TERM),
        ("jetstream", {"backend": "local"}, "slurm", CancelSignal.PLAIN),
        ("jetstream", {}, "pbs", CancelSignal.PLAIN),
        ("snakemake", {"mode": "cluster"}, "slurm", CancelSignal.BATCH_TERM),
        ("snakemake", {"mode": "cluster"}, "local", CancelSignal.PLAIN),
        ("snakemake", {}, "slurm", CancelSignal.PLAIN),
    ],
)
def test_runs_with_jobs_of_their_own_are_ended_by_a_signal_first(
    name: str, options: dict[str, Any], scheduler: str, expected: CancelSignal
) -> None:
    version = version_of(name, "demo", options=options)
    assert ENGINES[name].cancel_signal(version, scheduler) is expected


def test_where_there_is_no_slurm_jetstream_runs_in_one_job() -> None:
    version = version_of("jetstream", "demo")
    scripts = {
        s: ENGINES["jetstream"].render(version, context(s)).script
        for s in ("slurm", "pbs", "local")
    }
    backends = {s: "JETSTREAM_BACKEND=centro_slurm" in text for s, text in scripts.items()}
    assert backends == {"slurm": True, "pbs": False, "local": False}


def test_jetstream_resumes_by_skipping_what_is_done_and_staged() -> None:
    version = version_of("jetstream", "demo")
    engine = ENGINES["jetstream"]
    assert "CENTRO_RESUME=0" in engine.render(version, context()).script
    assert "CENTRO_RESUME=1" in engine.render(version, context(), resume=True).script
    assert engine.can_resume and ENGINES["snakemake"].can_resume and not ENGINES["shell"].can_resume


def test_a_job_in_another_one_project_gets_no_archive_unless_the_site_names_places() -> None:
    version = version_of("jetstream", "demo")
    assert "CENTRO_ARCHIVE=\n" in ENGINES["jetstream"].render(version, context()).script


@pytest.mark.parametrize("path", sorted(FILES.rglob("*.py")), ids=lambda path: path.name)
def test_python_that_runs_elsewhere_keeps_to_old_grammar(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 6))
    newer = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
    ]
    assert not newer  # "annotations" came with 3.7


def test_what_jetstream_runs_needs_nothing_but_jetstream() -> None:
    for name in ("centro_reporting.py", "centro_jetstream.py", "jetstream_plan.py"):
        tree = ast.parse(program(name))
        found = {
            (node.module or "").partition(".")[0]
            if isinstance(node, ast.ImportFrom)
            else node.names[0].name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        standard = {
            *("asyncio", "atexit", "contextlib", "json", "os", "queue", "sys"),
            *("threading", "time", "urllib"),
        }
        assert found - standard <= {"jetstream", "centro_reporting"}


@pytest.mark.parametrize("path", sorted(FILES.glob("*.sh")), ids=lambda path: path.name)
def test_shell_that_runs_elsewhere_is_posix(path: Path) -> None:
    assert subprocess.run(["dash", "-n", str(path)], check=False).returncode == 0
    text = path.read_text()
    assert "[[" not in text.replace("[[:", "") and "function " not in text and "local " not in text


@pytest.mark.parametrize("name", ["jetstream", "snakemake"])
def test_exit_codes_have_a_meaning(name: str) -> None:
    engine = ENGINES[name]
    text = (FILES / f"{name}_head.sh").read_text()
    used = {
        int(line.split()[1]) for line in text.splitlines() if line.strip().startswith("give_up 6")
    }
    assert used
    assert all(engine.exit_meaning(code) for code in {1, 65, 69, 75} | used)
    assert engine.exit_meaning(2) == "" == ENGINES["shell"].exit_meaning(1)
