"""Results that are taken away when a run has ended well: what a configuration asks for, and the way to the store.

The configuration's key ``archive`` is ``{"path": "/a/directory", "files": ["results", "*.bam"]}`` or, for the store,
``{"store": true, "files": […]}``. The job itself copies or packs them; results that are packed become a download.
"""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from hpc.errors import HpcError, RemoteFileError
from hpc.protocol.results import PACKED, result_files
from pipeline_management.choices import TERMINAL_STATES, RunState
from pipeline_management.errors import DomainError, Problem, Unavailable
from pipeline_management.models import PipelineVersion, Run, RunArchive
from pipeline_management.models.archive import ArchiveState
from pipeline_management.services import leases, trouble
from pipeline_management.services.transfers import requests
from pipeline_management.services.transition import Change, Note, apply

logger = logging.getLogger(__name__)

KEY = "archive"
MOST = 50
_LONGEST = 200
_PATH = re.compile(r"/[^\x00-\x1f\x7f]{1,500}")
_BATCH = 50
_GIVE_UP_AFTER = timedelta(days=1)


def is_ours(version: PipelineVersion) -> bool:
    """Whether the key has this meaning: a schema that names it itself keeps its own."""
    properties = version.schema.get("properties", {}) if isinstance(version.schema, dict) else {}
    return KEY not in properties


def problems_of(document: dict[str, Any], version: PipelineVersion) -> list[Problem]:
    """What is wrong with what the configuration asks for."""
    if KEY not in document or not is_ours(version):
        return []
    value = document[KEY]
    place = f"/{KEY}"
    if not isinstance(value, dict) or not value.keys() <= {"path", "store", "files"}:
        text = f'{KEY}: expected an object with "path" or "store", and "files".'
        return [Problem("archive", text, place)]
    if ("path" in value) == ("store" in value):
        return [Problem("archive", f'{KEY}: expected either "path" or "store".', place)]
    found: list[Problem] = []
    if "store" in value and value["store"] is not True:
        found.append(Problem("archive", "store: expected true.", f"{place}/store"))
    if "path" in value and not _is_directory(value["path"]):
        text = "path: expected an absolute path of a directory on the system, without “..”."
        found.append(Problem("archive", text, f"{place}/path"))
    return found + _wrong_files(value.get("files"), place)


def job_files(run: Run) -> dict[str, bytes]:
    """What lies in the run's directory so that its job takes the results away."""
    wish = _wish(run)
    return result_files(wish["files"], wish.get("path", "")) if wish else {}


def note_wish(run: Run) -> None:
    """Remember, in the transaction that makes the run, that its results are to go to the store."""
    wish = _wish(run)
    if wish and "store" in wish:
        RunArchive.objects.create(run=run, next_at=timezone.now())


def due() -> QuerySet[RunArchive]:
    """Archives whose run is over and which have not been asked for."""
    return RunArchive.objects.filter(
        state=ArchiveState.WAITING, next_at__lte=timezone.now(), run__state__in=TERMINAL_STATES
    )


def archive_due() -> int:
    """Ask for the downloads of packed results; returns how many archives were looked at. One process at a time."""
    with leases.holding() as holder:
        if not leases.take_named("archives", holder):
            return 0
        try:
            rows = (
                due().select_related("run__submitter", "run__account__system").order_by("next_at")
            )
            found = list(rows[:_BATCH])
            for archive in found:
                _send(archive)
            return len(found)
        finally:
            leases.release_named("archives", holder)


def _wish(run: Run) -> dict[str, Any]:
    if run.version is None or not is_ours(run.version):
        return {}
    wish: dict[str, Any] = run.configuration.get(KEY) or {}
    return wish


def _is_directory(path: Any) -> bool:
    return isinstance(path, str) and bool(_PATH.fullmatch(path)) and ".." not in path.split("/")


def _wrong_files(files: Any, place: str) -> list[Problem]:
    if not isinstance(files, list) or not 0 < len(files) <= MOST:
        text = f"files: expected 1 to {MOST} patterns of what to take, as “results” or “out/*.bam”."
        return [Problem("archive", text, f"{place}/files")]
    text = (
        f"files: expected a path or pattern below the run's directory, at most {_LONGEST} printable characters; "
        "a directory is taken with all that is in it, so “**” is not needed."
    )
    wrong = [number for number, pattern in enumerate(files) if not _is_pattern(pattern)]
    return [Problem("archive", text, f"{place}/files/{number}") for number in wrong]


def _is_pattern(pattern: Any) -> bool:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= _LONGEST:
        return False
    parts = pattern.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return pattern.isprintable() and "" not in parts and not hidden and "**" not in pattern


def _send(archive: RunArchive) -> None:
    run = archive.run
    if run.state != RunState.SUCCEEDED:
        _end(archive, ArchiveState.NOTHING, "")
        return
    path = f"{run.directory}/{PACKED}"
    try:
        archive.transfer = requests.request_download(run.submitter, run.account, path)
    except RemoteFileError as error:
        _end(archive, ArchiveState.FAILED, f"The packed results cannot be read: {error}.")
    except (HpcError, Unavailable) as error:
        _later(archive, error)
    except (DomainError, ValueError) as error:
        _end(archive, ArchiveState.FAILED, str(error))
    else:
        _end(
            archive, ArchiveState.SENT, "The results are on their way to the store; see Transfers."
        )


def _later(archive: RunArchive, error: Exception) -> None:
    text = trouble.describe(error) if isinstance(error, HpcError) else str(error)
    over = archive.run.finished_at or timezone.now()
    if timezone.now() - over > _GIVE_UP_AFTER:
        _end(archive, ArchiveState.FAILED, text)
        return
    logger.warning("the results of %s are not archived yet: %s", archive.run_id, text)
    archive.tries += 1
    archive.text = text[:500]
    archive.next_at = timezone.now() + trouble.pause(archive.tries)
    archive.save()


def _end(archive: RunArchive, state: ArchiveState, text: str) -> None:
    archive.state, archive.text = state, text[:500]
    archive.save()
    if text:
        kind = "error" if state is ArchiveState.FAILED else "message"
        apply([Change(archive.run, notes=[Note(kind, "portal", {"text": text})])], actor="centro")
