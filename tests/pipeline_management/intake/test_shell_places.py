"""Values where quotes do not protect them are refused; everywhere else a real shell agrees that they are data."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline_management.errors import InvalidRequest
from pipeline_management.services.rendering import render_script
from pipeline_management.services.shell_places import interpreter, misplaced

V = "{{ config.v }}"
REFUSED = [
    (f'echo "{V}"', "inside double quotes"),
    (f"echo '{V}'", "inside single quotes"),
    (f"echo $'{V}'", "inside single quotes"),
    (f'echo "a $x {V} b"', "inside double quotes"),
    (f'echo "a\n{V}"', "inside double quotes"),
    (f'echo "$(echo "{V}")"', "inside double quotes"),
    (f"echo `echo {V}`", "inside backquotes"),
    (f"echo `echo $(echo {V})`", "inside backquotes"),
    (f"# {V}", "in a comment"),
    (f"echo a # {V}", "in a comment"),
    (f"true; # it's {V}", "in a comment"),
    (f"cat <<EOF\n{V}\nEOF", "in a here-document"),
    (f"cat <<'EOF'\n{V}\nEOF", "in a here-document"),
    (f"cat <<-EOF\n\tx\n\t{V}\n\tEOF", "in a here-document"),
    (f"cat <<A <<B\nx\nA\n{V}\nB", "in a here-document"),
    (f"cat <<{V}\nx\n", "in a here-document"),
    (f"cat <<EOF\nEOF2\n{V}\nEOF", "in a here-document"),
    (f"echo $(( {V} + 1 ))", "inside $((…))"),
    (f"echo $(( (1) + ({V}) ))", "inside ((…))"),
    (f"(( x = {V} ))", "inside $((…))"),
    (f"echo ${{x:-{V}}}", "inside ${…}"),
    (f'echo "${{x:-{V}}}"', "inside ${…}"),
    (f"echo \\{V}", "after a backslash"),
    (f"echo ${V}", "after a dollar sign"),
    (f'echo "it\'s" \'"\' "{V}"', "inside double quotes"),
    (f"#!/usr/bin/env python3\nx = {V}", "a script for python3"),
    (f"#!/bin/csh\necho {V}", "a script for csh"),
    (f"echo $'it\\'s' '{V}'", "inside single quotes"),
]


@pytest.mark.parametrize(("template", "words"), REFUSED, ids=[t[:40] for t, _ in REFUSED])
def test_values_where_quotes_do_not_count(template: str, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        render_script(template, {"config": {"v": "x; y"}})
    assert caught.value.problems[0].code == "script_place"
    assert words in caught.value.message


ALLOWED = [
    "printf %s @",
    "printf %s a@b | cat",
    "printf %s \"it's\"@'\"'",
    'x="$(printf %s @)"; printf %s "$x"',
    'x="$(printf %s "a b" @)"; printf %s "$x"',
    "(printf %s @)",
    "if [ @ = x ]; then echo same; else printf %s @; fi",
    "case @ in (x) echo x;; *) printf %s @;; esac",
    "cat <<EOF\nit's $(echo one)\nEOF\nprintf %s @",
    "cat <<'E O F'\n\"\nE O F\nprintf %s @",
    "cat <<-EOF\n\tx'\n\tEOF\nprintf %s @",
    "# it's a comment\nprintf %s @",
    "echo a#b; printf %s @",
    'echo "$#"; printf %s @',
    "echo $(echo $#) @",
    "echo ${HOME#/} @",
    "echo {% raw %}${#HOME}{% endraw %} ${x:-'}'} @",
    "echo $((1 << 2)) @",
    "echo $(( (1+2) * 3 )) @",
    'echo \\" @',
    "echo \\\\@",
    'f() { printf %s "$1"; }; f @',
    'x=@; printf %s "$x"',
    'printf %s "a" \\\n  @',
    "echo '#' @ # done",
    'echo "`echo it`" @',
    "echo $(echo '(' \"(\" \\( ) @",
    "printf %s @ > /dev/null 2>&1 < /dev/null",
    'for w in @ @; do printf %s "$w"; done',
    "! false && printf %s @ || true",
]
NASTY = "'\"; touch pwned; $(touch pwned) `touch pwned`\ntouch pwned\nEOF\n)) # } ${x"


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("form", ALLOWED, ids=[form[:40] for form in ALLOWED])
def test_values_elsewhere_are_data_to_a_real_shell(form: str, shell: str, tmp_path: Path) -> None:
    script = render_script(form.replace("@", V), {"config": {"v": NASTY}})
    done = subprocess.run([shell], input=script.encode(), cwd=tmp_path, capture_output=True)
    assert not (tmp_path / "pwned").exists(), script
    expected = NASTY.encode()
    if "/dev/null" not in form and "same" not in form:
        assert expected.replace(b"\n", b"") in done.stdout.replace(b"\n", b""), (script, done)


def test_the_canary_itself_works(tmp_path: Path) -> None:
    script = f'echo "{shlex.quote("$(touch pwned)")}"'
    subprocess.run(["sh"], input=script.encode(), cwd=tmp_path, capture_output=True)
    assert (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("first", "name"),
    [
        ("#!/bin/sh", "sh"),
        ("#!/bin/bash -l", "bash"),
        ("#! /usr/bin/env bash", "bash"),
        ("#!/usr/bin/env -S A=1 dash -e", "dash"),
        ("#!/usr/bin/python3", "python3"),
        ("echo", "sh"),
        ("", "sh"),
        ("#!", "sh"),
    ],
)
def test_interpreter(first: str, name: str) -> None:
    assert interpreter(f"{first}\nmore") == name


def test_the_line_is_that_of_the_script() -> None:
    assert misplaced('a\n\0v\0\n"\0w\0"', "\0") == (3, "inside double quotes")
    assert misplaced("no values here '", "\0") is None
