"""Problems of a configuration with the line of the text that each is in."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline_management.errors import Problem

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem, its line cut to ``WIDTH`` characters around the column, and a caret to put below."""

    problem: Problem
    excerpt: str = ""
    caret: str = ""


def faults_in(text: str, problems: list[Problem]) -> list[Fault]:
    """The problems in their order; those without a place in ``text`` have no excerpt."""
    lines = text.split("\n")
    return [_fault(problem, lines) for problem in problems]


def _fault(problem: Problem, lines: list[str]) -> Fault:
    if problem.line is None or not 1 <= problem.line <= len(lines):
        return Fault(problem)
    line = lines[problem.line - 1].rstrip("\r").replace("\t", " ")
    column = max(1, problem.column or 1)
    start = max(0, column - 1 - WIDTH // 2)
    return Fault(problem, line[start : start + WIDTH], " " * (column - 1 - start) + "^")
