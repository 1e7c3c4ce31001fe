"""The sentences about what was done to many runs at once."""

from __future__ import annotations

from collections import Counter

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pipeline_management.services.control.wishes import Outcome


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


def refusals(action: str, outcomes: list[Outcome]) -> str:
    """ "2 of 5 cannot be held: The run is over (failed). (2)" """
    reasons = Counter(outcome.reason for outcome in outcomes if not outcome.granted)
    verbs = {
        "cancel": _("cancelled"),
        "hold": _("held"),
        "release": _("released"),
        "resubmit": _("submitted again"),
        "label": _("labelled"),
        "unlabel": _("changed"),
    }
    return _("%(refused)d of %(all)d cannot be %(verb)s: %(reasons)s") % {
        "refused": reasons.total(),
        "all": len(outcomes),
        "verb": verbs[action],
        "reasons": " ".join(
            f"{reason} ({count})" if count > 1 else reason
            for reason, count in reasons.most_common(5)
        ),
    }
