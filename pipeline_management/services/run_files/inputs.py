"""Inputs that a configuration names by a URL or by an upload: read, checked, and told to the job.

Anywhere in a configuration an object with ``path`` and either ``url`` or ``upload``, and ``sha256``, stands for a
file. The job finds it at ``<run directory>/inputs/<path>``; schema, script and ``config.json`` see that path.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.models import User

from hpc.protocol.inputs import ARRIVES_IN, BroughtFile, input_files
from pipeline_management.errors import Problem
from pipeline_management.models import Run, System, Transfer
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.services.documents import canonical_json
from pipeline_management.transfer_states import OPEN

MOST = 1000
_KEYS = frozenset({"url", "upload", "sha256", "path"})
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LONGEST_PATH = 400
_LONGEST_URL = 8000


@dataclass(frozen=True, slots=True)
class Input:
    """One of them; ``pointer`` says where it stands. ``upload`` is a transfer's id, ``sha256`` lower case or ""."""

    pointer: str
    path: str
    url: str = ""
    upload: str = ""
    sha256: str = ""


def is_input(value: Any) -> bool:
    """Whether a value of a configuration stands for a file that is to be brought."""
    return (
        isinstance(value, dict)
        and "path" in value
        and ("url" in value) != ("upload" in value)
        and value.keys() <= _KEYS
    )


def read(document: dict[str, Any]) -> tuple[list[Input], list[Problem]]:
    """The inputs of a configuration, and what is wrong with them; asks nobody."""
    inputs: list[Input] = []
    problems: list[Problem] = []
    for pointer, value in _places(document, ""):
        found = _faults(pointer, value)
        problems += found
        if not found:
            inputs.append(_input(pointer, value))
    problems += _clashes(inputs)
    if len(inputs) > MOST:
        text = (
            f"A configuration may name {MOST} inputs by URL or upload, this one has {len(inputs)}."
        )
        problems.append(Problem("too_many_inputs", text, inputs[MOST].pointer))
    return inputs, problems


def uploads_wrong(inputs: Collection[Input], user: User, system: System) -> list[Problem]:
    """What is wrong with the uploads among them: they must be the person's, and go to that system."""
    wanted = {one.upload for one in inputs if one.upload}
    rows = Transfer.objects.filter(pk__in=wanted, user=user, direction=Direction.UPLOAD)
    known = {str(row.pk): row for row in rows.select_related("account__system")}
    problems = []
    for one in inputs:
        if one.upload:
            text = _refused(known.get(one.upload), system)
            if text:
                problems.append(Problem("upload", text, f"{one.pointer}/upload"))
    return problems


def resolved(document: Any, directory: str) -> Any:
    """The configuration as the job sees it: each input is the absolute path at which it will lie."""
    if is_input(document):
        return f"{directory}/{ARRIVES_IN}/{_tidy(str(document['path']))}"
    if isinstance(document, dict):
        return {key: resolved(part, directory) for key, part in document.items()}
    if isinstance(document, list):
        return [resolved(part, directory) for part in document]
    return document


def stored(inputs: Collection[Input]) -> list[dict[str, str]]:
    """As ``Run.brought_inputs`` keeps them."""
    return [asdict(one) for one in inputs]


def of_run(run: Run) -> list[Input]:
    """The inputs of a run."""
    return [Input(**one) for one in run.brought_inputs]


def job_files(run: Run) -> dict[str, bytes]:
    """What lies in the run's directory so that its job brings them: nothing for a run without inputs.

    An upload that names no checksum is compared with that of its transfer.
    """
    inputs = of_run(run)
    if not inputs:
        return {}
    ids = [one.upload for one in inputs if one.upload]
    moved = {str(row.pk): row for row in Transfer.objects.filter(pk__in=ids)}
    files = [
        BroughtFile(
            place=one.path,
            url=one.url,
            file=moved[one.upload].path if one.upload in moved else "",
            sha256=one.sha256 or (moved[one.upload].sha256 if one.upload in moved else ""),
        )
        for one in inputs
    ]
    seen = resolved(run.configuration, run.directory)
    return {"config.json": canonical_json(seen).encode(), **input_files(files)}


def _places(value: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if is_input(value):
        yield pointer, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _places(part, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _places(part, f"{pointer}/{number}")


def _input(pointer: str, value: dict[str, Any]) -> Input:
    return Input(
        pointer,
        _tidy(value["path"]),
        value.get("url", ""),
        str(uuid.UUID(value["upload"])) if "upload" in value else "",
        value.get("sha256", "").lower(),
    )


def _tidy(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _faults(pointer: str, value: dict[str, Any]) -> list[Problem]:
    faults = [("path", _wrong_path(value["path"])), ("sha256", _wrong_sum(value))]
    if "url" in value:
        faults.append(("url", _wrong_url(value["url"])))
    else:
        faults.append(("upload", _wrong_id(value["upload"])))
    return [Problem("input", text, f"{pointer}/{key}") for key, text in faults if text]


def _wrong_path(path: Any) -> str:
    if not isinstance(path, str) or not _tidy(path):
        return 'path: expected where the file goes below the run\'s folder "inputs", as "reads/a_R1.fastq.gz".'
    if path.startswith("/") or ".." in path.split("/"):
        return f'path: {path[:80]!r} must stay below the run\'s folder "inputs": no "/" at its begin and no "..".'
    if len(path) > _LONGEST_PATH or not path.isprintable():
        return f"path: expected at most {_LONGEST_PATH} printable characters."
    return ""


def _wrong_sum(value: dict[str, Any]) -> str:
    if "sha256" not in value:
        return "" if "upload" in value else "sha256: a file from a URL needs its SHA-256."
    found = value["sha256"]
    if isinstance(found, str) and _SHA256.fullmatch(found):
        return ""
    return "sha256: expected 64 hexadecimal digits, as sha256sum prints them."


def _wrong_url(url: Any) -> str:
    text = "url: expected an http or https address without blanks, at most 8000 characters."
    if not isinstance(url, str) or not url.isascii() or not url.isprintable() or " " in url:
        return text
    if len(url) > _LONGEST_URL or '"' in url or "\\" in url:
        return text
    try:
        parts = urlsplit(url)
    except ValueError:
        return text
    return "" if parts.scheme in ("http", "https") and parts.hostname else text


def _wrong_id(upload: Any) -> str:
    try:
        uuid.UUID(upload)
    except (ValueError, AttributeError, TypeError):
        return (
            "upload: expected the id of an upload, as its page or POST /api/v1/transfers/ shows it."
        )
    return ""


def _clashes(inputs: list[Input]) -> list[Problem]:
    first: dict[str, Input] = {}
    problems = []
    for one in inputs:
        known = first.setdefault(one.path, one)
        if (known.url, known.upload, known.sha256) != (one.url, one.upload, one.sha256):
            text = f"path: {one.path!r} is also the place of another input, {known.pointer}."
            problems.append(Problem("input", text, f"{one.pointer}/path"))
    for path, one in first.items():
        parents = {path[:at] for at, sign in enumerate(path) if sign == "/"}
        if parents & first.keys():
            text = f"path: {path!r} is below the place of another input, which is a file."
            problems.append(Problem("input", text, f"{one.pointer}/path"))
    return problems


def _refused(transfer: Transfer | None, system: System) -> str:
    if transfer is None:
        return "upload: there is no such upload of yours."
    if transfer.account.system_id != system.pk:
        return (
            f"upload: that file goes to {transfer.account.system.name}, the run to {system.name}."
        )
    if transfer.state_enum in OPEN or transfer.state == TransferState.DONE:
        return ""
    return f"upload: that upload is {transfer.state_enum.label.lower()}; send the file again."
