"""Sending to links and forms as people do, by curl."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from staging.base import UploadForm


@dataclass(frozen=True)
class Curled:
    """What curl got: the last status (0 where there was none), its body, the ETag."""

    status: int
    body: bytes
    etag: str = ""


def _curl(*words: str) -> Curled:
    with tempfile.TemporaryDirectory(prefix="centro-curl-") as folder:
        body, head = Path(folder) / "body", Path(folder) / "head"
        done = subprocess.run(
            ["curl", "-sS", "-o", str(body), "-D", str(head), "-w", "%{http_code}", *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        etags = [line for line in head.read_text().splitlines() if line.lower().startswith("etag:")]
        return Curled(
            int(done.stdout or 0),
            body.read_bytes() if body.exists() else b"",
            etags[-1].partition(":")[2].strip().strip('"') if etags else "",
        )


def post(form: UploadForm, data: bytes, fields: Mapping[str, str] | None = None) -> Curled:
    """Send a form; ``fields`` in place of its own."""
    with tempfile.NamedTemporaryFile(prefix="centro-post-") as file:
        file.write(data)
        file.flush()
        words = [
            word
            for name, value in (form.fields if fields is None else fields).items()
            for word in ("-F", f"{name}={value}")
        ]
        return _curl("-X", form.method, form.url, *words, "-F", f"file=@{file.name}")


def put(url: str, data: bytes) -> Curled:
    with tempfile.NamedTemporaryFile(prefix="centro-put-") as file:
        file.write(data)
        file.flush()
        return _curl("-T", file.name, url)


def get(url: str, span: str = "") -> Curled:
    return _curl(*(("-r", span) if span else ()), url)
