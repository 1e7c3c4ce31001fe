"""The one tree of errors of this package; ``retryable``: the same thing, later, can succeed."""

from __future__ import annotations


class StagingError(Exception):
    """Base of all errors raised by ``staging``."""

    retryable = False


class StoreUnreachable(StagingError):
    """The store does not answer, or answers that it cannot at present (5xx)."""

    retryable = True


class StoreRefused(StagingError):
    """The store understood and said no: wrong keys, no such bucket, not allowed."""


class StoreFull(StoreRefused):
    """There is no room for the object."""


class ObjectMissing(StagingError):
    """There is no such object, or no such upload in parts."""


class TooLarge(StagingError):
    """More bytes came than the link allows."""


class Incomplete(StagingError):
    """Fewer bytes came than were announced; nothing was kept."""

    retryable = True


class Damaged(StagingError):
    """What the store has is not what was sent: their checksums differ."""

    retryable = True


class LinkRefused(StagingError):
    """A link that was not signed by us, is over its time, or is for something else."""
