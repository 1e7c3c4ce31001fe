"""The sentences about what was done to many runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pipeline_management.file_names import visible
from pipeline_management.services.control.wishes import Outcome

_MOST_REASONS = 5
_MOST_NAMES = 3
_LONGEST_NAME = 40


def done(action: str, count: int) -> str:
    """ "2 runs are held." """
    sentences = {
        "cancel": ngettext("%d run is being cancelled.", "%d runs are being cancelled.", count),
        "hold": ngettext("%d run is held.", "%d runs are held.", count),
        "release": ngettext("%d run is released.", "%d runs are released.", count),
        "resubmit": ngettext("%d run is submitted again.", "%d runs are submitted again.", count),
        "label": ngettext("%d run is labelled.", "%d runs are labelled.", count),
        "unlabel": ngettext(
            "The label is taken off %d run.", "The label is taken off %d runs.", count
        ),
        "star": ngettext("%d run has your star.", "%d runs have your star.", count),
    }
    return sentences[action] % count


def refusals(action: str, outcomes: list[Outcome], names: Mapping[UUID, str]) -> str:
    """ "1 of 5 cannot be held: The run is over (failed). [Panel 7]" ``names``: those of the runs, as far as known."""
    refused: dict[str, list[str]] = {}
    for outcome in outcomes:
        if not outcome.granted:
            name = visible(names.get(outcome.run_id, "")) or str(outcome.run_id)[:8]
            refused.setdefault(outcome.reason, []).append(Truncator(name).chars(_LONGEST_NAME))
    verbs = {
        "cancel": _("cancelled"),
        "hold": _("held"),
        "release": _("released"),
        "resubmit": _("submitted again"),
        "label": _("labelled"),
        "unlabel": _("changed"),
    }
    most = sorted(refused.items(), key=lambda item: -len(item[1]))[:_MOST_REASONS]
    return _("%(refused)d of %(all)d cannot be %(verb)s: %(reasons)s") % {
        "refused": sum(map(len, refused.values())),
        "all": len(outcomes),
        "verb": verbs[action],
        "reasons": " ".join(f"{reason} [{_listed(runs)}]" for reason, runs in most),
    }


def _listed(names: list[str]) -> str:
    """ "a, b, c and 2 others" """
    text, more = ", ".join(names[:_MOST_NAMES]), len(names) - _MOST_NAMES
    if more <= 0:
        return text
    words = ngettext("%(names)s and %(more)d other", "%(names)s and %(more)d others", more)
    return words % {"names": text, "more": more}
