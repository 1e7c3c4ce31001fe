"""Rows of the list of runs, each made once for all who look until something in it changes: the list is asked for
every few seconds by everybody who has it open, and a row costs more to make than to find."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import Any

from django import template
from django.template.context import Context
from django.template.engine import Engine
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from pipeline_management.choices import RunState
from pipeline_management.models import Run
from pipeline_management.services.presentation import last_confirmation
from pipeline_management.templatetags.centro_pages import freshness

register = template.Library()

MOST = 4_000
"""Rows that are kept by each process, about 3 kB each; those looked at longest ago go first."""
_TEMPLATE = "runs/row.html"
_LONG = frozenset({"configuration_json", "script"})
_COLUMNS = tuple(f.attname for f in Run._meta.concrete_fields if f.attname not in _LONG)


class Kept:
    """The texts used last, by key; safe for threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts: OrderedDict[bytes, SafeString] = OrderedDict()
        self._lock = Lock()

    def get(self, key: bytes) -> SafeString | None:
        with self._lock:
            if key in self._texts:
                self._texts.move_to_end(key)
            return self._texts.get(key)

    def put(self, key: bytes, text: SafeString) -> None:
        with self._lock:
            self._texts[key] = text
            if len(self._texts) > self._most:
                self._texts.popitem(last=False)

    def __len__(self) -> int:
        return len(self._texts)


_kept = Kept(MOST)


@register.simple_tag(takes_context=True)
def run_row(context: Context, run: Run) -> SafeString:
    """The row of a run as ``runs/row.html`` makes it, in a page with ``user``, ``stars``, ``ticks`` and ``now``."""
    key = _key(context, run)
    text = _kept.get(key)
    if text is None:
        text = _made(context, run)
        _kept.put(key, text)
    return text


def _made(context: Context, run: Run) -> SafeString:
    row = Engine.get_default().get_template(_TEMPLATE)
    with context.push(run=run):
        return row.render(context)


def _key(context: Context, run: Run) -> bytes:
    """Of everything that the row shows or depends on: all columns of the run, names beside it, and who looks."""
    stars = context.get("stars")
    version, lab = run.version, run.lab
    shown: list[Any] = [run.__dict__.get(name) for name in _COLUMNS]
    shown += [
        (version.pipeline.name, version.version) if version else None, lab and lab.name,
        run.submitter.get_username(), run.system.name, [label.name for label in run.labels.all()],
        stars is None or run.pk in stars, stars is None, bool(context.get("ticks")),
        run.submitter_id == context["user"].pk, get_language(),
    ]  # fmt: skip
    if not RunState(run.state).is_terminal:
        shown += [last_confirmation(run)[0], freshness(run, context["now"])]
    return hashlib.blake2b(repr(shown).encode(), digest_size=20).digest()
