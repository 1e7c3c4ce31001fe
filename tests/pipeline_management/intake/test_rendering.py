"""Job scripts: exact quoting under a real shell, the sandbox, and the limits of the child process."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_management.errors import InvalidRequest
from pipeline_management.services import rendering
from pipeline_management.services.rendering import check_template, render_script

CONFIG: dict[str, Any] = {
    "name": 'a\'b; $(id)\n`id` \\ "x" !',
    "number": 5,
    "real": 1.5,
    "yes": True,
    "nothing": None,
    "empty": "",
    "list": ["a", "b c", "d'e", ""],
    "object": {"items": "own", "k": "v"},
    "items": "own too",
    "rows": [{"s": "x", "n": 2}, {"s": "y", "n": 3}, {"s": "x", "n": 4}],
}


def sh(script: str) -> bytes:
    """What the script prints when a real POSIX shell runs it."""
    return subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True).stdout


def rendered(template: str, config: dict[str, Any] | None = None) -> str:
    return render_script(
        template, {"config": CONFIG if config is None else config, "run": {"id": "r"}}
    )


def refusal(template: str, config: dict[str, Any] | None = None) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        rendered(template, config)
    (problem,) = caught.value.problems
    return problem.code, problem.message


# --- quoting ----------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_the_shell_receives_exactly_the_bytes(value: str) -> None:
    script = rendered("printf %s {{ config.x }}", {"x": value})
    assert sh(script) == value.encode()


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
        max_size=6,
    )
)
@settings(max_examples=100, deadline=None)
def test_args_gives_exactly_the_words(values: list[str]) -> None:
    script = rendered(
        "set -- {{ config.x | args }}\nfor w; do printf '%s\\036' \"$w\"; done", {"x": values}
    )
    assert sh(script) == "".join(f"{value}\036" for value in values).encode()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ config.number }} {{ config.real }} {{ config.yes }}", "5 1.5 true"),
        ("{{ config.nothing }}{{ config.empty }}", "''''"),
        ("{{ config.list | args }}", "a 'b c' 'd'\"'\"'e' ''"),
        ("{{ config.list[:2] | join(' ') }}", "'a b c'"),
        ("{{ config.object | tojson }}", '\'{"items": "own", "k": "v"}\''),
        ("{{ config.object.items }}{{ config.items }}", "own'own too'"),
        ("{{ 'v' | raw }}={{ config.empty | default('x y', true) }}", "v='x y'"),
        ("{{ ('a ' | raw) ~ config.empty }}", "'a '"),
        ("{% for r in config.rows %}\n{{ r.s }}\n{% endfor %}", "x\ny\nx\n"),
        (
            "{% for s, rows in config.rows | groupby('s') %}{{ s }}{{ rows | length }} {% endfor %}",
            "x2 y1 ",
        ),
        ("{{ config.rows | sum(attribute='n') }}", "9"),
        ("{% macro m(x) %}-f {{ x }}{% endmacro %}{{ m('a b') | raw }}", "-f 'a b'"),
        ("{% set x %}{{ 'a b' }}{% endset %}{{ x | raw }}", "'a b'"),
        ("{# nothing #}no end of line", "no end of line"),
        ("a\n", "a\n"),
        (
            "echo \"{{ config.number }}\" '{{ config.yes }}' # {{ config.real }}",
            "echo \"5\" 'true' # 1.5",
        ),
    ],
)
def test_what_a_template_gives(template: str, expected: str) -> None:
    assert rendered(template) == expected


@pytest.mark.parametrize(
    ("template", "code", "words"),
    [
        ("{{ config.list }}", "script_value", "got a list"),
        ("{{ config.object }}", "script_value", "got an object"),
        (
            "\n{{ config.name.upper }}",
            "script_value",
            "line 2: {{ … }} got something that is not a value",
        ),
        ("{{ config.list | raw }}", "script_value", "raw takes a single value"),
        ("{{ config.name | args }}", "script_value", "args takes a list"),
        ("{{ config.rows | args }}", "script_value", "got an object"),
        ("{% macro m() %}{{ 'a b' }}{% endmacro %}{{ m() }}", "script_value", "already rendered"),
        ("\n\n{{ config.missing }}", "script_missing", "line 3: 'missing'"),
        ("{{ missing.name }}", "script_missing", "'missing'"),
        ("{{ config.object.no.further }}", "script_missing", "'no'"),
        ("{{ config.name | int / 0 }}", "script_failed", "division by zero"),
        ("{{ config.name + 1 }}", "script_failed", "line 1"),
        ("{% if %}", "script_template", "line 1"),
        ("{{ config.name | e }}", "script_template", "No filter named 'e'"),
        ("{{ config.name | safe }}", "script_template", "No filter named 'safe'"),
    ],
)
def test_templates_that_cannot_be_filled(template: str, code: str, words: str) -> None:
    found, message = refusal(template)
    assert found == code
    assert words in message


@pytest.mark.parametrize(
    "template",
    [
        "{% if %}",
        "{{ x | nofilter }}",
        "{% include 'x' %}",
        "{% extends 'x' %}",
        "{% import 'x' as y %}",
        "{{ unfinished",
        "a\0b",
        "{% from 'x' import y %}",
        "{% for x in y is nosuchtest %}{% endfor %}",
    ],
)
def test_unusable_templates_are_found_without_a_configuration(template: str) -> None:
    assert check_template(template)


def test_usable_templates_pass_the_check() -> None:
    assert check_template("#!/bin/sh\n{% for x in config.l %}{{ x | raw }}{% endfor %}\n") is None
    assert (
        check_template("{{ 'a' * 700000000 }}") is None
    )  # not computed: only the syntax is looked at


# --- the sandbox ------------------------------------------------------------------------------

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ config.__class__ }}",
    "{{ config['__class__'] }}",
    "{{ ().__class__.__bases__[0] }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].system('id') }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ range.__self__ }}",
    "{{ dict.mro() }}",
    "{{ dict.__subclasses__() }}",
    "{{ config | attr('__class__') }}",
    "{{ config.list | map(attribute='__class__') | args }}",
    "{{ config.rows | sum(attribute='__class__') }}",
    "{{ config.rows | groupby('__class__') | args }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(config) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{% set f = '{0.__class__}'.format %}{{ f(config) }}",
    "{{ ('{0.__class__}' | raw).format(config) }}",
    "{{ (config.name | raw)._text.__class__ }}",
    "{{ (config.name | raw).__init__.__globals__ }}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{ config.update({'a': 1}) }}",
    "{{ config.list.append(1) }}",
    "{{ config.list.sort() }}",
    "{% do config.clear() %}",
    "{{ config.name.__getattribute__('__class__') }}",
    "{{ ''.join.__self__.__class__ }}",
    "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "{{ (config.x is defined).__class__ }}",
    "{{ undefined_name.__class__ }}",
    "{{ config.name.encode().__class__ }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ loop.__class__ }}",
    "{% for x in [1] %}{{ loop._iterable.__class__ }}{% endfor %}",
    "{{ caller.__globals__ }}",
    "{{ __import__('os') }}",
    "{{ open('/etc/passwd') }}",
    "{{ environment }}",
]


@pytest.mark.parametrize("template", ESCAPES)
def test_nothing_gets_out_of_the_sandbox(template: str) -> None:
    code, message = refusal(template)
    assert code in (
        "script_forbidden",
        "script_missing",
        "script_template",
        "script_value",
        "script_failed",
    )
    assert "class '" not in message
    assert "root:" not in message


# --- limits -----------------------------------------------------------------------------------

BOMBS = [
    "{{ 'a' * 700000000 }}",
    "{{ [0] * 10 ** 9 }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ 'a'.ljust(10 ** 10) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000d}'.format(1) }}",
    "{{ range(10 ** 12) | list }}",
    "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
    "{% set n = namespace(s='a') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}",
    "{% set n = namespace(l=[1]) %}{% for i in range(60) %}{% set n.l = n.l + n.l %}{% endfor %}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{% for i in range(99999) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}",
    "{{ 'a b' * 900000 }}",
    "{{ ['ab'] * 1000000 | length }}",
    "{{ 'x'.replace('', 'y' * 1000000).replace('y', 'z' * 1000000) }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{{ '' | raw }}{% endfor %}{% endfor %}",
]


@pytest.mark.parametrize("template", BOMBS)
def test_bombs_hurt_nobody_else(template: str) -> None:
    before = _resident()
    started = time.monotonic()
    code, _ = refusal(template)
    assert time.monotonic() - started < rendering.WALL_SECONDS + 2
    assert code in (
        "script_memory",
        "script_time",
        "script_output",
        "script_failed",
        "script_value",
        "script_template",
    )
    assert _resident() - before < 64 * 1024 * 1024
    assert rendered("echo {{ config.name }}")


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_child_has_no_environment_and_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CENTRO_TEST_SECRET", "do not tell")
    child = rendering._Child()
    try:
        assert child.ask(b'{"template": "x"}\n') == {}
        pid = child._process.pid
        with open(f"/proc/{pid}/environ", "rb") as environ:
            assert b"do not tell" not in environ.read()
        assert len(os.listdir(f"/proc/{pid}/fd")) <= 4
        with open(f"/proc/{pid}/limits") as limits:
            rows = {line[:26].strip(): line[26:].split()[0] for line in limits}
        assert int(rows["Max address space"]) == 256 * 1024 * 1024
        assert rows["Max file size"] == "0"
    finally:
        child.close()


def test_a_child_that_dies_is_replaced() -> None:
    assert rendered("a") == "a"
    for child in rendering._idle:
        child._process.kill()
        child._process.wait()
    assert rendered("b") == "b"


def test_many_threads_get_their_own_answers() -> None:
    wrong: list[str] = []

    def ask(name: str) -> None:
        for _ in range(30):
            if rendered("{{ config.n }}", {"n": name}) != name:
                wrong.append(name)

    threads = [threading.Thread(target=ask, args=(f"thread{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(rendering._idle) <= 2


def test_many_threads_share_the_kept_children(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    class Counted(rendering._Child):
        def __init__(self) -> None:
            started.append(1)
            super().__init__()

    monkeypatch.setattr(rendering, "_Child", Counted)
    monkeypatch.setattr(rendering, "_PATIENCE", 30.0)  # a busy machine starts none for impatience
    for child in rendering._idle:
        child.close()
    rendering._idle.clear()
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda n: rendered("{{ config.n }}", {"n": n}), range(200))) == [
            str(n) for n in range(200)
        ]
    assert len(started) <= 2


def test_a_request_does_not_wait_long_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "_PATIENCE", 0.01)
    for _ in range(2):
        assert rendering._turns.acquire(timeout=10)
    try:
        assert rendered("echo {{ config.n }}", {"n": 1}) == "echo 1"
    finally:
        rendering._turns.release()
        rendering._turns.release()


def test_a_large_configuration_passes_through() -> None:
    config = {"rows": [{"a": "x" * 50, "n": n} for n in range(60_000)]}
    assert rendered("{{ config.rows | length }} {{ config.rows[-1].n }}", config) == "60000 59999"


def test_rendering_costs_little() -> None:
    rendered("echo {{ config.name }}")
    best = min(_timed() for _ in range(20))
    assert best < 0.010


def _timed() -> float:
    started = time.perf_counter()
    rendered("echo {{ config.name }}", {"name": "x"})
    return time.perf_counter() - started
