"""The rendering of job scripts, as a program of its own: run by ``rendering`` in a bounded child process.

It imports nothing of the project, so that the child starts fast and has nothing to give away. One request
a line on standard input, one answer a line on standard output, both JSON:

    {"template": "…", "context": {…}}  ->  {"script": "…"}  or  {"error": "<kind>", "message": "…"}
    {"template": "…"}                  ->  {} when the template can be used, else the error

Kinds: ``template`` (the template does not parse), ``missing`` (a value that the context does not have),
``forbidden`` (the sandbox), ``value`` (a value that cannot stand in a script), ``memory``, ``output``,
``failed``. A request that takes too long ends the process by a signal.

Every value that the template prints becomes one quoted shell word. Values are handed on between two NUL
characters, which no value and no template can contain: ``rendering`` checks by them where in the script
each value stands.
"""

from __future__ import annotations

import json
import resource
import shlex
import signal
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, BinaryIO

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.sandbox import ImmutableSandboxedEnvironment

CPU_SECONDS = 1.5
MEMORY_BYTES = 256 * 1024 * 1024
MAX_OUTPUT = 1024 * 1024
"""Characters of a script."""

MARK = "\0"
_FILTERS = (
    *("abs", "batch", "d", "default", "dictsort", "first", "float", "groupby", "int", "items"),
    *("join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr"),
    *("replace", "reverse", "round", "select", "selectattr", "slice", "sort", "string", "sum"),
    *("title", "trim", "unique", "upper"),
)
_GLOBALS = ("dict", "namespace", "range")


class ValueRefused(Exception):
    """A value that cannot be printed into a script."""


class OutputTooLong(Exception):
    """The script is longer than ``MAX_OUTPUT``."""


class Missing(StrictUndefined):
    """A value that the context does not have: whatever is done with it fails with its name."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        return self._undefined_hint or f"{self._undefined_name!r}"


class Raw:
    """Text that the author of the template wants in the script as it is. Not a str: whatever is done
    with it gives a plain str, which is quoted again."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def quoted(value: Any) -> str:
    """One value as one shell word; numbers, true and false as they are, None as an empty word.

    Raises ``ValueRefused`` for lists, objects and everything else that is not a single value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return "''"
    if not isinstance(value, str):
        kind = "a list" if isinstance(value, list | tuple) else "something that is not a value"
        kind = "an object" if isinstance(value, dict) else kind
        raise ValueRefused(
            f"{{{{ … }}}} got {kind}: loop over it, or use the filter args (every entry a word) or "
            "tojson (one word)"
        )
    if MARK in value:
        raise ValueRefused(
            "{{ … }} got text that is already rendered (a macro or a set block): add the filter raw"
        )
    return MARK + shlex.quote(str(value)) + MARK


def _finalize(value: Any) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, StrictUndefined):
        return str(value)  # raises with the name of what is missing
    return quoted(value)


def _raw(value: Any) -> Raw:
    if isinstance(value, Raw):
        return value
    if isinstance(value, str | int | float):
        return Raw(str(value).lower() if isinstance(value, bool) else str(value))
    raise ValueRefused("the filter raw takes a single value, not a list or an object")


def _args(values: Any) -> Raw:
    if isinstance(values, str | dict) or not isinstance(values, Iterable):
        raise ValueRefused("the filter args takes a list")
    return Raw(" ".join(quoted(value) for value in values))


def _tojson(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


class Environment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, cut down: no imports, no HTML filters, a key of an object wins over a method."""

    def __init__(self) -> None:
        super().__init__(
            undefined=Missing,
            finalize=_finalize,
            autoescape=False,
            keep_trailing_newline=True,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=0,
        )
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= {"raw": _raw, "args": _args, "tojson": _tojson}
        self.globals = {name: self.globals[name] for name in _GLOBALS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


_ENVIRONMENT = Environment()


@lru_cache(maxsize=100)
def _compiled(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)


def check(source: str) -> None:
    """Raises ``TemplateSyntaxError`` for a template that cannot be used. Runs none of its statements."""
    if MARK in source:
        raise TemplateSyntaxError("the script contains a NUL character", 1)
    tree = _ENVIRONMENT.parse(source)
    for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends):
        other = tree.find(kind)
        if other is not None:
            raise TemplateSyntaxError("other templates cannot be used here", other.lineno)
    _ENVIRONMENT.compile(tree)


def render(source: str, context: dict[str, Any]) -> str:
    """The script with its marks. Raises what Jinja2 raises, ``ValueRefused`` and ``OutputTooLong``."""
    size = 0
    pieces = []
    for piece in _compiled(source).generate(context):
        size += len(piece)
        if size > MAX_OUTPUT:
            raise OutputTooLong
        pieces.append(piece)
    return "".join(pieces)


def answer(request: dict[str, Any]) -> dict[str, str]:
    """The answer to one request; never raises except when memory is short even for that."""
    try:
        if "context" not in request:
            check(request["template"])
            return {}
        return {"script": render(request["template"], request["context"])}
    except TemplateSyntaxError as error:
        return {"error": "template", "message": f"line {error.lineno}: {error.message}"}
    except UndefinedError as error:
        return {"error": "missing", "message": f"{_line(error)}{error.message}"}
    except SecurityError as error:
        return {"error": "forbidden", "message": f"{_line(error)}{error.message}"}
    except ValueRefused as error:
        return {"error": "value", "message": f"{_line(error)}{error}"}
    except OutputTooLong:
        return {"error": "output", "message": f"longer than {MAX_OUTPUT} characters"}
    except (MemoryError, OverflowError, RecursionError) as error:
        return {"error": "memory", "message": str(error)[:200] or type(error).__name__}
    except (TemplateRuntimeError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        return {"error": "failed", "message": f"{_line(error)}{str(error)[:200]}"}
    except Exception as error:  # whatever else a template provokes is the template's fault
        return {"error": "failed", "message": f"{_line(error)}{type(error).__name__}"}


def _line(error: BaseException) -> str:
    """Where in the template: the last frame that belongs to it (Jinja2 rewrites the trace)."""
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _confine() -> None:
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
    ):
        resource.setrlimit(what, (limit, limit))


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until the other side closes. CPU time is limited per request by SIGPROF."""
    for line in source:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        reply = answer(json.loads(line))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sink.write(json.dumps(reply).encode() + b"\n")
        sink.flush()
        if reply.get("error") == "memory":
            return  # a fresh process has its memory in one piece again


if __name__ == "__main__":
    _confine()
    serve(sys.stdin.buffer, sys.stdout.buffer)
