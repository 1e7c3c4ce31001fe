"""What a system's refusal of an operation on files means, as a sentence in the words of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hpc import errors as hpc
from pipeline_management.errors import (
    Conflict,
    DomainError,
    InvalidRequest,
    Missing,
    NotAllowed,
    Problem,
    TooLarge,
    Unavailable,
)
from pipeline_management.file_names import visible
from pipeline_management.services import trouble

UNUSABLE = "the system's settings cannot be used. Ask the administrator."

_BUSY_SECONDS = 10


@contextmanager
def translated(system: str) -> Iterator[None]:
    """``Missing``, ``NotAllowed``, ``Conflict``, ``TooLarge`` or ``InvalidRequest`` for what the system refused,
    ``Unavailable`` where it did not answer. ``ValueError`` is a wrong argument."""
    try:
        yield
    except hpc.HpcError as error:
        raise meaning(error, system) from error
    except ValueError as error:
        raise InvalidRequest([Problem("invalid", f"{visible(str(error))}.")]) from error


def meaning(error: hpc.HpcError, system: str) -> DomainError:
    """The same in the words of the domain."""
    if isinstance(error, hpc.RemoteFileError):
        return _about_file(error)
    if isinstance(error, hpc.OutputTooLarge):
        return InvalidRequest(
            [
                Problem(
                    "too_large", "There are more than 150,000 entries; that is too much for a page."
                )
            ]
        )
    if isinstance(error, hpc.CommandTimeout):
        return Unavailable(f"{system} did not do it in time.", _BUSY_SECONDS)
    if isinstance(error, hpc.AuthenticationFailed):
        return Unavailable(f"{system} refuses the log-in: {trouble.describe(error)}", _BUSY_SECONDS)
    if isinstance(error, hpc.SettingsUnusable):
        return unusable(system)
    return Unavailable(f"{system} does not answer: {trouble.describe(error)}", _BUSY_SECONDS)


def unusable(system: str) -> Unavailable:
    """For people who cannot mend the settings; those who can are told by the log and the system's page."""
    return Unavailable(f"{system} cannot be reached: {UNUSABLE}", _BUSY_SECONDS)


def _about_file(error: hpc.RemoteFileError) -> DomainError:
    sentence = f"{visible(error.path)}: {visible(error.reason)}."
    if isinstance(error, hpc.FileMissing):
        return Missing(sentence)
    if isinstance(error, hpc.FileForbidden):
        return NotAllowed(sentence)
    if isinstance(error, hpc.FileExists | hpc.IsADirectory | hpc.NotADirectory):
        return Conflict(sentence)
    kind = TooLarge if isinstance(error, hpc.FileTooLarge) else InvalidRequest
    return kind([Problem("refused", sentence)])
