"""Rules about the shape of the code that no linter knows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("accounts", "api", "bench", "centro", "hpc", "pipeline_management", "staging", "tests")
LONGEST_MODULE = 400
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
CDN = re.compile(
    r"(?:https?:)?//[\w.-]*(?:cdn|unpkg|jsdelivr|googleapis|gstatic|bootstrapcdn|cloudflare)[\w.-]*"
)


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git knows or would add, so that ignored state is left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = (name for name in listed.decode().split("\0") if name)
    return tuple(sorted(ROOT / name for name in names if (ROOT / name).is_file()))


def files(*suffixes: str, under: tuple[str, ...] = ()) -> list[Path]:
    """Tracked files by suffix and top folder."""
    return [
        path
        for path in tracked()
        if path.suffix in suffixes and (not under or path.relative_to(ROOT).parts[0] in under)
    ]


def hits(pattern: str, paths: list[Path]) -> list[str]:
    """`file:line: text` of every line that matches."""
    expression = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if expression.search(line)
    ]


def product() -> list[Path]:
    """The Python modules that are installed, tests and benches left out."""
    return files(".py", under=tuple(name for name in PACKAGES if name not in ("bench", "tests")))


def test_there_is_code_to_look_at() -> None:
    assert len(product()) > 50
    assert ROOT / "manage.py" in tracked()


def test_modules_are_short() -> None:
    long = {
        str(path.relative_to(ROOT)): length
        for path in files(".py")
        if "migrations" not in path.parts
        and not path.stem.endswith("_tables")
        and (length := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert not long


def test_modules_have_telling_names() -> None:
    vague = [
        str(path.relative_to(ROOT))
        for path in files(".py")
        if VAGUE_NAMES & {path.stem, *path.relative_to(ROOT).parts[:-1]}
    ]
    assert not vague


def test_host_keys_are_never_accepted_unseen() -> None:
    assert not hits(r"AutoAddPolicy|WarningPolicy", product())


def test_commands_run_only_through_a_transport() -> None:
    outside = [
        path for path in product() if path.is_relative_to(ROOT / "hpc" / "transports") is False
    ]
    assert not hits(r"shell=True|\bexec_command\(", outside)
    assert not hits(r"shell=True", product())


def test_quoting_for_the_remote_shell_happens_in_one_module() -> None:
    users = {line.split(":")[0] for line in hits(r"shlex\.join\(", files(".py", under=("hpc",)))}
    assert len(users) <= 1, users


def test_no_text_is_declared_safe() -> None:
    """But for two: a template's own output, in which a placeholder of ours becomes a hex digest, and what the
    parser of Markdown makes of text with its HTML off."""
    found = hits(r"\bmark_safe\(|\bSafeString\((?!\"\"\))", product())
    assert [line.split(":")[0] for line in found] == [
        "pipeline_management/services/catalogue/markdown.py",
        "pipeline_management/views/live.py",
    ], found
    assert not hits(r"\|\s*safe\b|autoescape\s+off", files(".html", under=("templates", *PACKAGES)))


def test_views_ask_for_visible_objects() -> None:
    views = [path for path in product() if "views" in path.parts or path.stem == "views"]
    assert not hits(r"\.objects\.all\(\)", views)


def test_nothing_comes_from_a_cdn() -> None:
    pages = files(".html", ".css", ".js", under=("templates", "static", *PACKAGES))
    assert pages
    broken = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in pages
        for found in CDN.finditer(path.read_text())
    ]
    assert not broken


def shells() -> Iterator[tuple[str, Path]]:
    """Shell scripts with the shell that their first line names."""
    for path in tracked():
        if path.suffix == ".sh" or path == ROOT / ".ci" / "run":
            first = path.read_text().partition("\n")[0]
            yield ("bash" if "bash" in first else "sh"), path


@pytest.mark.parametrize(
    ("shell", "path"), [pytest.param(*pair, id=str(pair[1].relative_to(ROOT))) for pair in shells()]
)
def test_shell_scripts_parse(shell: str, path: Path) -> None:
    answer = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize(
    "name",
    ["start.sh", "start_server.sh", "start_worker.sh", "start_beat.sh", "test.sh", ".ci/run"],
)
def test_commands_are_executable(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK), f"chmod +x {name}"
