"""``main.py read|mark``: a workbook on standard input, JSON or a workbook on standard output.

For ``mark`` the first line of the input is the JSON list of faults. A refusal is ``{"code", "message"}`` on
standard output and exit code 3; whatever else goes wrong in here is a refusal too, since the file was the reason.
"""

from __future__ import annotations

import json
import resource
import sys
import warnings
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[4]
MEMORY = 320 * 1024 * 1024
"""Bytes of address space, some 60 MiB of which are Python and openpyxl."""
SECONDS = 15
FILE = 128 * 1024 * 1024
"""Bytes of the largest file; openpyxl writes each sheet to a temporary one first."""
REFUSED = 3


def main() -> None:
    """Limits first, then the imports, then the file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(ROOT))
    try:
        answer = _work(sys.argv[1])
    except MemoryError:
        answer = b""
    if not answer:
        refuse("workbook_memory", "Reading the workbook takes more memory than one may have.")
    sys.stdout.buffer.write(answer)


def _work(what: str) -> bytes:
    from pipeline_management.services.workbook.child import cells, marks, package

    faults = json.loads(sys.stdin.buffer.readline()) if what == "mark" else []
    data = sys.stdin.buffer.read()
    try:
        package.check(data)
        if what == "mark":
            return marks.mark(data, faults)
        return json.dumps(cells.read(data), separators=(",", ":")).encode()
    except package.Refused as error:
        refuse(error.code, str(error))
    except MemoryError:
        raise
    except Exception as error:  # openpyxl raises any kind of exception for a damaged file
        refuse("workbook_broken", f"The file is damaged: {type(error).__name__} while reading it.")


def refuse(code: str, message: str) -> NoReturn:
    """Say why on standard output and end."""
    sys.stdout.write(json.dumps({"code": code, "message": message}))
    sys.stdout.flush()
    sys.exit(REFUSED)


if __name__ == "__main__":
    main()
