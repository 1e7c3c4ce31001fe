"""The one tree of errors of this package.

Every class says by ``retryable`` whether doing the same thing again, later and unchanged, can succeed.
None of them says anything about the outcome of a job: an error is the absence of an answer.
"""

from __future__ import annotations


class HpcError(Exception):
    """Base of all errors raised by ``hpc``."""

    retryable = False


class TransportError(HpcError):
    """The way to the system failed; whether a command ran is not known unless the class says so."""

    retryable = True


class ConnectFailed(TransportError):
    """No connection could be opened: the command certainly did not run."""


class AuthenticationFailed(ConnectFailed):
    """The system refused the credential: the command certainly did not run."""

    retryable = False


class HostKeyMismatch(ConnectFailed):
    """The host key is not one of the pinned keys: nothing was sent."""

    retryable = False


class SettingsUnusable(ConnectFailed):
    """What is stored about the system or the account makes no connection: nothing was sent. The text is for those
    who can mend it."""

    retryable = False


class CircuitOpen(ConnectFailed):
    """The system failed repeatedly a moment ago; no attempt was made. ``retry_in`` is in seconds."""

    def __init__(self, message: str, retry_in: float) -> None:
        super().__init__(message)
        self.retry_in = retry_in


class ChannelsBusy(ConnectFailed):
    """All channels of the connection stayed in use until the deadline: the command certainly did not run."""


class ConnectionLost(TransportError):
    """The connection broke under a running command; its outcome is unknown."""


class CommandTimeout(TransportError):
    """A deadline (first byte or total) passed; the outcome of the command is unknown."""


class OutputTooLarge(TransportError):
    """The command printed more than its output cap; the output was discarded."""

    retryable = False


class BadFrame(TransportError):
    """The answer came without both of its marker lines; its content was discarded."""


class RemoteFileError(HpcError):
    """A file operation was refused by the system. ``path`` as asked for, ``reason`` in the system's words."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class FileMissing(RemoteFileError):
    """The path does not exist."""


class FileForbidden(RemoteFileError):
    """The path may not be read or written by this user."""


class ParentMissing(FileMissing):
    """The directory that should hold the path does not exist."""


class ParentForbidden(FileForbidden):
    """A directory on the way to the path may not be searched by this user."""


class FileExists(RemoteFileError):
    """Something of that name is there already."""


class IsADirectory(RemoteFileError):
    """The path is a directory where a file is needed."""


class NotADirectory(RemoteFileError):
    """The path, or one on the way to it, is a file where a directory is needed."""


class NotRegular(RemoteFileError):
    """The path is a pipe, a socket or a device, whose content has no end."""


class FileTooLarge(RemoteFileError):
    """The file has more than ``limit`` bytes."""

    def __init__(self, path: str, limit: int) -> None:
        super().__init__(path, f"the file has more than {limit} bytes")
        self.limit = limit


class NotText(RemoteFileError):
    """The content is not UTF-8 where text was asked for."""


class InvalidMode(RemoteFileError):
    """The system does not take these permissions."""


class InvalidOwner(RemoteFileError):
    """The system knows no such user."""


class InvalidGroup(RemoteFileError):
    """The system knows no such group."""


class InvalidCount(RemoteFileError):
    """A number of bytes or lines cannot be read as one."""


class PatternNotFound(RemoteFileError):
    """No line of the part that was looked at contains the text."""


class BadPattern(HpcError):
    """The system's grep cannot read the regular expression; the text is its own sentence."""


class UnsupportedArchive(RemoteFileError):
    """Not a kind of archive that can be unpacked, or not on this system."""


class BadArchive(RemoteFileError):
    """The content is not an archive of the expected kind, or it is damaged."""


class ToolMissing(RemoteFileError):
    """The system does not have the program that the operation needs."""


class SchedulerError(HpcError):
    """The scheduler answered with an error; ``text`` is its own sentence."""

    def __init__(self, text: str, exit_code: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code


class SchedulerSilent(SchedulerError):
    """The scheduler could not be asked (controller or accounting down, time-out); says nothing about jobs."""

    retryable = True


class IncompleteAnswer(SchedulerSilent):
    """The answer was cut or could not be parsed whole; it is discarded whole."""


class NotSupported(HpcError):
    """The scheduler has no such verb; see its ``capabilities``."""
