"""The checkers of the project, each as one test, so that one closing line speaks for everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

CHECKS = {
    "ruff": ["ruff", "check", "--no-cache", "."],
    "mypy": ["mypy"],
    "import-linter": ["lint-imports", "--no-cache"],
    "djlint": ["djlint", "--lint", "--quiet", "templates"],
}


@pytest.mark.parametrize("name", CHECKS)
def test_checker(name: str) -> None:
    program, *arguments = CHECKS[name]
    answer = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.django_db
def test_every_model_change_has_a_migration() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=1)
