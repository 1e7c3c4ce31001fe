"""How the examples on the pages call curl: one way of logging in everywhere."""

from __future__ import annotations

import shlex

LOGIN = "curl --netrc"
"""curl takes name and password from the file ~/.netrc, so neither is in the shell's history (curl(1))."""


def posting(url: str, data: str) -> str:
    """The command that posts a configuration as JSON.

    ``data`` is what curl sends: ``@config.json`` for a file, ``@-`` for what follows the command. Quoted for the shell.
    """
    return (
        f"{LOGIN} --header 'Content-Type: application/json' \\\n"
        f"  --data-binary {shlex.quote(data)} \\\n  {shlex.quote(url)}"
    )
