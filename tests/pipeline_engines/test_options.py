"""What engines accept: options from the site file, and configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline_management.services.engines.registry import ENGINES
from tests.pipeline_engines.driving import version_of

ROOT = Path(__file__).resolve().parents[2]
JETSTREAM, SNAKEMAKE, SHELL = (ENGINES[name] for name in ("jetstream", "snakemake", "shell"))

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("shell", {}),
    ("jetstream", {}),
    ("jetstream", {"pipeline": "tempe", "version": "v1.2.0", "command": "/opt/js/bin/jetstream"}),
    ("jetstream", {"search_path": ["/data/pipelines"], "backend": "local", "sacct_frequency": 30}),
    ("jetstream", {"setup": "module load x\n", "stage_in": "true", "python": "/opt/js/bin/python"}),
    ("jetstream", {"archive": {"under": ["/archive"], "retrieve": True}, "queue": "long"}),
    ("snakemake", {"snakefile": "/data/Snakefile"}),
    ("snakemake", {"snakefile": "/data/Snakefile", "mode": "cluster", "jobs": 100}),
    (
        "snakemake",
        {"snakefile": "/s", "profile": "/p", "keep_going": True, "arguments": ["--sdm", "conda"]},
    ),
]

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("shell", {"mode": "job"}, "/mode"),
    ("jetstream", {"pipeline": "a b"}, "/pipeline"),
    ("jetstream", {"version": "latest"}, "/version"),
    ("jetstream", {"version": "development"}, "/version"),
    ("jetstream", {"command": "jetstream; rm -rf /"}, "/command"),
    ("jetstream", {"backend": "pbs"}, "/backend"),
    ("jetstream", {"sacct_frequency": 0}, "/sacct_frequency"),
    ("jetstream", {"search_path": ["pipelines"]}, "/search_path/0"),
    ("jetstream", {"archive": {}}, "/archive"),
    ("jetstream", {"archive": {"under": []}}, "/archive/under"),
    ("jetstream", {"serch_path": []}, "/serch_path"),
    ("snakemake", {}, ""),
    ("snakemake", {"snakefile": "Snakefile"}, "/snakefile"),
    ("snakemake", {"snakefile": "/s", "mode": "cloud"}, "/mode"),
    ("snakemake", {"snakefile": "/s", "arguments": "--sdm conda"}, "/arguments"),
    ("snakemake", {"snakefile": "/s", "arguments": ["a\nb"]}, "/arguments/0"),
]


@pytest.mark.parametrize(("engine", "options"), GOOD)
def test_good_options(engine: str, options: dict[str, Any]) -> None:
    assert ENGINES[engine].check_options(options) == []


@pytest.mark.parametrize(("engine", "options", "pointer"), BAD)
def test_bad_options_are_named(engine: str, options: dict[str, Any], pointer: str) -> None:
    problems = ENGINES[engine].check_options(options)
    assert [problem.pointer for problem in problems] == [pointer]
    assert all(problem.message.endswith(".") for problem in problems)


HARMFUL = [
    "0; echo pwned > file",
    "0\n  exec: open('pwned', 'w')\n  z: |\n    true",
    "`id`",
    "$(id)",
    "${HOME}",
    "a | b",
    "a & b",
    "a > b",
    "it's",
    'say "x"',
    "back\\slash",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "tab\there",
    "bell\x07",
    "line\u2028separator",
    "*",
    "a # comment",
    "!!python/object:x",
    "(a)",
    "~root",
    "[a]",
]


@pytest.mark.parametrize("value", HARMFUL)
def test_jetstream_refuses_what_a_shell_yaml_or_a_template_would_read(value: str) -> None:
    version = version_of("jetstream", "demo")
    document = {"rows": [{"x": 1}, {"sleep": value}]}
    (problem,) = JETSTREAM.check_configuration(version, document)
    assert (problem.code, problem.pointer, problem.row) == ("characters", "/rows/1/sleep", 2)
    assert "only these are allowed" in problem.message


def test_keys_are_refused_as_well_as_values() -> None:
    problems = JETSTREAM.check_configuration(version_of("jetstream", "demo"), {"a;b": {"c`": "x"}})
    assert [problem.pointer for problem in problems] == ["/a;b", "/a;b/c`"]


def test_thousands_of_bad_values_are_not_all_listed() -> None:
    document = {"rows": [";"] * 5000}
    assert len(JETSTREAM.check_configuration(version_of("jetstream", "demo"), document)) == 100


def test_a_real_configuration_has_nothing_harmful() -> None:
    document = json.loads((ROOT / "deploy/pipelines/phoenix/example.json").read_text())
    assert document.pop("hpcAccount") == "tgen-#####"  # made unreadable by those who published it
    assert JETSTREAM.check_configuration(version_of("jetstream", "phoenix"), document) == []


@pytest.mark.parametrize(
    "value", ["Grün-3", "a b_c.d", "/data/x:y", "a@b.org, c@d.org", "50%", "x=1", ""]
)
def test_plain_text_passes(value: str) -> None:
    assert JETSTREAM.check_configuration(version_of("jetstream", "demo"), {"x": value}) == []


@pytest.mark.parametrize("engine", [JETSTREAM, SNAKEMAKE])
def test_the_account_is_the_one_that_the_configuration_names(engine: Any) -> None:
    version = version_of(engine.name, "demo", options={"snakefile": "/s"})
    wanted = {"hpcAccount": "lab-7"}
    assert engine.resources(version, wanted, "slurm")["account"] == "lab-7"
    assert engine.resources(version, {}, "slurm")["account"] == "acct1"
    assert engine.resources(version, wanted, "local")["account"] == "acct1"
    assert version.resources["account"] == "acct1"
    for wrong in ("--uid=0", "a b", "x\n", 7, ["a"]):
        problems = engine.check_configuration(version, {"hpcAccount": wrong})
        assert [problem.pointer for problem in problems] == ["/hpcAccount"], wrong
    assert engine.check_configuration(version, {"hpcAccount": ""}) == []


@pytest.mark.parametrize("place", ["/archive", "/archive/", "/archive/a/b", "//archive/a", ""])
def test_results_may_be_archived_where_the_site_allows_it(place: str) -> None:
    version = version_of("jetstream", "demo", options={"archive": {"under": ["/archive/"]}})
    assert JETSTREAM.check_configuration(version, {"isilonPath": place}) == []


@pytest.mark.parametrize("place", ["/archives", "/etc", "archive", "/archive/../etc", "/", 7])
def test_and_nowhere_else(place: Any) -> None:
    version = version_of("jetstream", "demo", options={"archive": {"under": ["/archive"]}})
    (problem,) = JETSTREAM.check_configuration(version, {"isilonPath": place})
    assert problem.pointer == "/isilonPath" and '"/archive"' in problem.message
