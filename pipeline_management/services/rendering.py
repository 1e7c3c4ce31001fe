"""Job scripts from templates, rendered in bounded child processes that are kept for the next request.

A child costs 0.1 s to start and 0.2 ms a request; it has no environment, no files to write and a limit of
memory and time (see ``script_renderer``). A template that loops for ever or multiplies strings costs its
own child only.
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pipeline_management.errors import InvalidRequest, Problem
from pipeline_management.services import script_renderer
from pipeline_management.services.script_renderer import CPU_SECONDS, MARK
from pipeline_management.services.shell_places import misplaced

WALL_SECONDS = 10.0
"""A backstop for a machine under heavy load; the limit that counts is the child's own CPU time."""

_KEPT = 2
_PATIENCE = 0.5
"""Seconds that a request waits for one of the kept children before it starts one for itself: longer than
many honest requests take, shorter than what a template that loops for ever may cost others."""

_PROGRAM = Path(script_renderer.__file__)
_SENTENCES = {
    "template": "The pipeline's script template cannot be read: {}.",
    "missing": "The job script needs a value that is not given: {}.",
    "forbidden": "The pipeline's script template does something that is forbidden: {}.",
    "value": "The job script cannot be made: {}.",
    "memory": "The job script needs too much memory to be made ({}).",
    "output": "The job script is too long: {}.",
    "failed": "The job script cannot be made: {}.",
    "time": "The job script takes too long to be made: {}.",
    "place": "The pipeline's script template puts a value where quoting cannot protect it: {}.",
}


class _Child:
    """One renderer process. Not safe for use by two threads at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own program, no shell, no arguments from outside
            [sys.executable, "-I", "-X", "utf8", str(_PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            bufsize=0,
        )

    def ask(self, line: bytes) -> dict[str, str] | None:
        """The answer, or None when the child died or did not answer in time; it is then gone."""
        try:
            answer = self._exchange(line)
        except OSError:
            answer = b""
        if not answer.endswith(b"\n"):
            self.close()
            return None
        reply: dict[str, str] = json.loads(answer)
        if reply.get("error") == "memory":
            self.close()
        return reply

    def _exchange(self, line: bytes) -> bytes:
        """Send the line and read one line, neither waiting for the other side for more than the time left."""
        sink, source = self._process.stdin, self._process.stdout
        if sink is None or source is None:
            raise OSError("the renderer has no pipes")
        deadline = time.monotonic() + WALL_SECONDS
        os.set_blocking(sink.fileno(), False)
        unsent, answer = memoryview(line), bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(sink, selectors.EVENT_WRITE)
            selector.register(source, selectors.EVENT_READ)
            while not answer.endswith(b"\n"):
                ready = selector.select(deadline - time.monotonic())
                if not ready:
                    break
                for key, _ in ready:
                    if key.fileobj is sink:
                        unsent = unsent[os.write(sink.fileno(), unsent[:65536]) :]
                        if not unsent:
                            selector.unregister(sink)
                        continue
                    piece = os.read(source.fileno(), 65536)
                    if not piece:
                        return bytes(answer)
                    answer += piece
        return bytes(answer)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        self._process.wait()


_idle: list[_Child] = []
_turns = threading.BoundedSemaphore(_KEPT)
_lock = threading.Lock()


def _forget_children() -> None:
    """After a fork the children belong to the parent process, and so do the turns that its threads hold."""
    global _turns, _lock
    _idle.clear()
    _turns = threading.BoundedSemaphore(_KEPT)
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_children)


def _ask(request: dict[str, Any]) -> dict[str, str]:
    """One request to a kept child, or to one of its own when all of them are busy for long."""
    line = json.dumps(request).encode() + b"\n"
    turns = _turns
    kept = turns.acquire(timeout=_PATIENCE)
    try:
        return _ask_one(line, kept)
    finally:
        if kept:
            turns.release()


def _ask_one(line: bytes, keep: bool) -> dict[str, str]:
    with _lock:
        child = _idle.pop() if keep and _idle else None
    if child is not None and not child.is_alive:
        child.close()
        child = None
    child = child or _Child()
    reply = child.ask(line)
    if reply is None:
        seconds = f"more than {CPU_SECONDS} s of computing, or more memory than allowed"
        return {"error": "time", "message": seconds}
    if keep and child.is_alive:
        with _lock:
            _idle.append(child)
    else:
        child.close()
    return reply


def check_template(template: str) -> str | None:
    """What makes a script template unusable, or None. Asked when the site file is applied."""
    reply = _ask({"template": template})
    return reply["message"] if "error" in reply else None


def render_script(template: str, context: dict[str, Any]) -> str:
    """The job script: the template filled in, every value one quoted shell word.

    ``context`` is plain JSON data. Raises ``InvalidRequest`` with one problem, whose code is "script_"
    and one of template, missing, forbidden, value, memory, output, failed, time, place.
    """
    reply = _ask({"template": template, "context": context})
    if "error" in reply:
        raise _refused(reply["error"], reply["message"])
    marked = reply["script"]
    wrong = misplaced(marked, MARK)
    if wrong:
        raise _refused("place", f"line {wrong[0]} of the script has one {wrong[1]}")
    return marked.replace(MARK, "")


def _refused(kind: str, detail: str) -> InvalidRequest:
    return InvalidRequest([Problem(f"script_{kind}", _SENTENCES[kind].format(detail.rstrip(".")))])
