"""What an error of the system becomes on the wire: status, header and text, by its class.

The headers are those by which FirecREST clients tell errors apart. They never come with a success.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hpc import errors as hpc

Service = Literal["utilities", "compute", "storage", "reservations", "tasks", "status"]

A_DIRECTORY = "X-A-Directory"
ERROR = "X-Error"
EXISTS = "X-Exists"
INVALID_GROUP = "X-Invalid-Group"
INVALID_MODE = "X-Invalid-Mode"
INVALID_OWNER = "X-Invalid-Owner"
INVALID_PATH = "X-Invalid-Path"
MACHINE_UNKNOWN = "X-Machine-Does-Not-Exist"
MACHINE_UNKNOWN_MISSPELT = "X-Machine-Does-Not-Exists"
MACHINE_AWAY = "X-Machine-Not-Available"
NOT_A_DIRECTORY = "X-Not-A-Directory"
NOT_FOUND = "X-Not-Found"
PERMISSION_DENIED = "X-Permission-Denied"
SIZE_LIMIT = "X-Size-Limit"
TIMEOUT = "X-Timeout"

TIMEOUT_TEXT = "Command has finished with timeout signal"
"""Compared by clients: they answer it by submitting a job instead."""

UNUSABLE_TEXT = "The settings of this system cannot be used; ask its administrator"
"""For people who cannot mend them; the reason is in the log and on the system's page."""

BUSY_SECONDS = 2
"""What a client that comes at a busy moment is told to wait."""

_LONGEST_HEADER = 300
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "–": "-"})


class Refusal(Exception):
    """An answer that is no success: status, JSON body and headers, complete."""

    def __init__(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = dict(body)
        self.headers = {name: header_text(value) for name, value in (headers or {}).items()}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an error is told; without ``text`` in the error's own words."""

    status: int
    header: str | None
    text: str | None = None


# The first class that fits counts, so subclasses come first.
_VERDICTS: tuple[tuple[type[hpc.HpcError], Verdict], ...] = (
    (hpc.AuthenticationFailed, Verdict(400, PERMISSION_DENIED)),
    (hpc.SettingsUnusable, Verdict(400, MACHINE_AWAY, UNUSABLE_TEXT)),
    (hpc.ChannelsBusy, Verdict(503, None)),
    (hpc.ConnectFailed, Verdict(400, MACHINE_AWAY)),
    (hpc.ConnectionLost, Verdict(400, MACHINE_AWAY)),
    (hpc.CommandTimeout, Verdict(400, TIMEOUT, TIMEOUT_TEXT)),
    (hpc.FileMissing, Verdict(400, INVALID_PATH)),
    (hpc.FileForbidden, Verdict(400, PERMISSION_DENIED)),
    (hpc.FileExists, Verdict(400, EXISTS)),
    (hpc.IsADirectory, Verdict(400, A_DIRECTORY)),
    (hpc.NotADirectory, Verdict(400, NOT_A_DIRECTORY)),
    (hpc.FileTooLarge, Verdict(400, SIZE_LIMIT)),
    (hpc.InvalidMode, Verdict(400, INVALID_MODE)),
    (hpc.InvalidOwner, Verdict(400, INVALID_OWNER)),
    (hpc.InvalidGroup, Verdict(400, INVALID_GROUP)),
    (hpc.PatternNotFound, Verdict(404, NOT_FOUND, "pattern not found")),
    (hpc.UnsupportedArchive, Verdict(400, None)),
    (hpc.HpcError, Verdict(400, ERROR)),
)


def verdict_on(
    error: hpc.HpcError,
    service: Service,
    exceptions: Mapping[type[hpc.HpcError], str] | None = None,
) -> Verdict:
    """Status, header and text for an error; ``exceptions`` are the headers that one endpoint sends
    for a class instead of the usual one."""
    verdict = next(verdict for kind, verdict in _VERDICTS if isinstance(error, kind))
    if isinstance(error, hpc.AuthenticationFailed) and service == "compute":
        return Verdict(404, PERMISSION_DENIED)
    for kind, header in (exceptions or {}).items():
        if isinstance(error, kind):
            return Verdict(verdict.status, header, verdict.text)
    return verdict


def header_text(text: str) -> str:
    """One bounded line of printable ASCII; anything else in a header breaks some client."""
    line = " ".join(text.translate(_PLAIN).split())
    plain = "".join(c if " " <= c <= "~" else "?" for c in line)
    return plain[:_LONGEST_HEADER] or "-"


def is_answer(error: Exception) -> bool:
    """Whether the system answered, though it refused. An error of the way to it is no answer."""
    return not isinstance(error, hpc.TransportError) or isinstance(error, hpc.OutputTooLarge)
