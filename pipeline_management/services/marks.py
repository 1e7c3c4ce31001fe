"""Labels, stars, notes and saved searches: what people add to runs. None of it changes what happens to a run."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import Lab
from accounts.policy import Scope, scope_of
from pipeline_management.errors import InvalidRequest, Missing, NotAllowed, Problem
from pipeline_management.models import LabLabel, Run, RunLabel, RunNote, RunStar, SavedView
from pipeline_management.policy import may_annotate

MOST_LABELS = 20
"""Labels that one run may have."""
MOST_NOTES = 200
MOST_VIEWS = 50
MOST_STARS = 5000
LONGEST_NOTE = 4000
_LABEL = re.compile(r"[^\W_](?:[\w.+-]{0,38}[^\W_])?")
_CLOUD = 40


def clean_label(text: str) -> str:
    """The label as it is kept, in lower case. Raises ``InvalidRequest`` for what is none."""
    name = text.strip().lower()
    if not _LABEL.fullmatch(name):
        message = _(
            "A label has 1 to 40 letters, digits, dots, plus signs, dashes and underscores, and begins and "
            "ends with a letter or digit; %(label)s is none."
        ) % {"label": repr(text[:60])}
        raise InvalidRequest([Problem("label", message)])
    return name


def label_run(run: Run, user: User, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
    """Stick labels on a run and take others off. Raises ``NotAllowed``, ``InvalidRequest``."""
    if not may_annotate(user, run):
        raise NotAllowed(
            _("Only its submitter, managers of its lab and administrators may label this run.")
        )
    wanted = {clean_label(name) for name in add}
    with transaction.atomic():
        Run.objects.select_for_update().only("pk").get(pk=run.pk)
        unwanted = {name.strip().lower() for name in remove}
        RunLabel.objects.filter(run=run, name__in=unwanted).delete()
        known = set(RunLabel.objects.filter(run=run).values_list("name", flat=True))
        new = sorted(wanted - known)
        if len(known) + len(new) > MOST_LABELS:
            message = _("A run has at most %(most)d labels.") % {"most": MOST_LABELS}
            raise InvalidRequest([Problem("labels", message)])
        RunLabel.objects.bulk_create([RunLabel(run=run, name=name) for name in new])
        if run.lab_id is not None:
            _remember(run.lab_id, new)


def set_labels(run: Run, user: User, names: Iterable[str]) -> list[str]:
    """Make these the run's labels; returns them as kept. Raises as ``label_run``."""
    wanted = {clean_label(name) for name in names}
    known = set(RunLabel.objects.filter(run=run).values_list("name", flat=True))
    label_run(run, user, add=wanted - known, remove=known - wanted)
    return sorted(wanted)


def _remember(lab_id: int, names: list[str]) -> None:
    now = timezone.now()
    for name in names:
        LabLabel.objects.update_or_create(lab_id=lab_id, name=name, defaults={"used_at": now})


def label_cloud(user: User, beginning: str = "") -> list[str]:
    """The labels that the person's labs used last, at most 40, by name."""
    return _cloud(scope_of(user), beginning)


def _cloud(scope: Scope, beginning: str = "") -> list[str]:
    rows = LabLabel.objects.filter(name__startswith=beginning.lower())
    if not scope.everything:
        rows = rows.filter(lab_id__in=scope.labs)
    names = rows.order_by("-used_at").values_list("name", flat=True)[: 4 * _CLOUD]
    return sorted(list(dict.fromkeys(names))[:_CLOUD])


def star(user: User, run_ids: Collection[UUID], *, on: bool) -> int:
    """Give or take the person's star; returns how many of the runs the person may see. Raises ``InvalidRequest``."""
    seen = Run.objects.visible_to(user).filter(pk__in=list(run_ids))
    visible = list(seen.order_by().values_list("pk", flat=True))
    if not on:
        RunStar.objects.filter(user=user, run_id__in=visible).delete()
        return len(visible)
    if RunStar.objects.filter(user=user).count() + len(visible) > MOST_STARS:
        message = _("You have %(most)d stars; take some away first.") % {"most": MOST_STARS}
        raise InvalidRequest([Problem("stars", message)])
    rows = [RunStar(user=user, run_id=pk) for pk in visible]
    RunStar.objects.bulk_create(rows, ignore_conflicts=True)
    return len(visible)


def starred(user: User, run_ids: Collection[UUID]) -> set[UUID]:
    """Which of the runs have the person's star."""
    rows = RunStar.objects.filter(user=user, run_id__in=list(run_ids))
    return set(rows.values_list("run_id", flat=True))


def add_note(run: Run, user: User, text: str) -> RunNote:
    """Write a note on a run. Raises ``NotAllowed``, ``InvalidRequest`` for an empty or too long one."""
    if not may_annotate(user, run):
        raise NotAllowed(
            _("Only its submitter, managers of its lab and administrators may write notes.")
        )
    note = "".join(c for c in text.strip().replace("\r\n", "\n") if c.isprintable() or c in "\n\t")
    if not 1 <= len(note) <= LONGEST_NOTE:
        message = _("A note has 1 to %(most)d characters.") % {"most": LONGEST_NOTE}
        raise InvalidRequest([Problem("text", message)])
    if RunNote.objects.filter(run=run).count() >= MOST_NOTES:
        raise InvalidRequest([Problem("text", _("This run has as many notes as a run can have."))])
    return RunNote.objects.create(run=run, author=user, text=note)


def delete_note(run: Run, user: User, note_id: int) -> None:
    """Take back a note of one's own; administrators may take any. Raises ``Missing``, ``NotAllowed``."""
    note = RunNote.objects.filter(run=run, pk=note_id).first()
    if note is None:
        raise Missing(_("There is no such note."))
    if note.author_id != user.pk and not scope_of(user).everything:
        raise NotAllowed(_("Only whoever wrote a note may delete it."))
    note.delete()


@dataclass(frozen=True, slots=True)
class Offer:
    """What a person may choose from beside the list: ``views`` with whether he may delete each, the labs with which
    he may share a search, and the labels his labs use."""

    views: list[tuple[SavedView, bool]]
    labs: list[Lab]
    labels: list[str]


def offer_to(user: User) -> Offer:
    """See ``Offer``. Four queries."""
    scope = scope_of(user)
    shared = Q(lab__isnull=False) if scope.everything else Q(lab_id__in=scope.labs)
    views = SavedView.objects.filter(Q(owner=user) | shared).select_related("lab", "owner")[:200]
    deletable = [(view, _may_delete(scope, view)) for view in views]
    return Offer(deletable, list(_shared_labs(scope)), _cloud(scope))


def save_view(user: User, name: str, query: str, lab: Lab | None = None) -> SavedView:
    """Keep a search under a name; the same name again replaces it. Raises ``InvalidRequest``, ``NotAllowed``."""
    name = name.strip()
    if not 1 <= len(name) <= 60 or not name.isprintable():
        raise InvalidRequest([Problem("name", _("A name has 1 to 60 printable characters."))])
    if not 1 <= len(query) <= 2000:
        raise InvalidRequest(
            [Problem("query", _("Search for something first: there is nothing to save."))]
        )
    if lab is not None and not shared_labs(user).filter(pk=lab.pk).exists():
        raise NotAllowed(_("Only managers of a lab may share a search with it."))
    others = SavedView.objects.filter(owner=user).exclude(name=name)
    if others.count() >= MOST_VIEWS:
        message = _("You have %(most)d saved searches; delete one first.") % {"most": MOST_VIEWS}
        raise InvalidRequest([Problem("name", message)])
    view, _new = SavedView.objects.update_or_create(
        owner=user, name=name, defaults={"query": query, "lab": lab}
    )
    return view


def delete_view(user: User, view_id: int) -> None:
    """Delete a saved search: its owner, and for a shared one managers of its lab. Raises ``Missing``."""
    view = SavedView.objects.filter(pk=view_id).first()
    if view is None or not _may_delete(scope_of(user), view):
        raise Missing(_("There is no such saved search, or it is not yours."))
    view.delete()


def _may_delete(scope: Scope, view: SavedView) -> bool:
    shared = view.lab_id is not None and (scope.everything or view.lab_id in scope.manages)
    return view.owner_id == scope.user_id or shared


def shared_labs(user: User) -> QuerySet[Lab]:
    """The labs with which the person may share a search."""
    return _shared_labs(scope_of(user))


def _shared_labs(scope: Scope) -> QuerySet[Lab]:
    return Lab.objects.all() if scope.everything else Lab.objects.filter(pk__in=scope.manages)
