"""What a system's refusal means for somebody who asks about a run's output, in the words of the domain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext as _

from hpc.errors import BadPattern, FileMissing, HpcError, RemoteFileError, SettingsUnusable
from pipeline_management.errors import InvalidRequest, Missing, Problem, Unavailable
from pipeline_management.services import trouble
from pipeline_management.services.file_refusals import unusable


@contextmanager
def translated() -> Iterator[None]:
    """``Missing`` for a file that is not there or not readable, ``InvalidRequest`` for a pattern that grep
    cannot read, ``Unavailable`` for a system that does not answer."""
    try:
        yield
    except BadPattern as error:
        message = _("The pattern cannot be used: %(reason)s.") % {"reason": error}
        raise InvalidRequest([Problem("bad_pattern", message)]) from error
    except FileMissing as error:
        raise Missing(_("There is no such file on the system.")) from error
    except RemoteFileError as error:
        raise Missing(
            _("The file cannot be read: %(reason)s.") % {"reason": error.reason}
        ) from error
    except SettingsUnusable as error:
        raise unusable("The system") from error
    except HpcError as error:
        why = trouble.describe(error)
        raise Unavailable(
            _("The system does not answer (%(reason)s).") % {"reason": why}
        ) from error
