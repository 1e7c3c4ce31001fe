"""A file's preview: what is read of it, in one round trip, and what is made of that."""

from __future__ import annotations

from dataclasses import dataclass

from hpc.files.browsing import Peek
from pipeline_management.services.file_places import Place, peek
from pipeline_management.services.previews import tables, text
from pipeline_management.services.previews.kinds import Kind, type_of
from pipeline_management.services.previews.notebooks import Notebook, notebook
from pipeline_management.services.previews.tables import Table
from pipeline_management.services.previews.text import Text


@dataclass(frozen=True, slots=True)
class Preview:
    """What is shown: ``kind``, and the one content that belongs to it; images, PDF and HTML come by an address.

    ``kind`` "unknown" is a file of which nothing is shown; ``too_large`` says that only its size forbids it.
    ``as_text``: it could be shown otherwise, but is shown as text because that was asked for.
    """

    kind: Kind
    size: int
    modified: float
    text: Text | None = None
    table: Table | None = None
    notebook: Notebook | None = None
    too_large: bool = False
    limit: int = 0
    other: Kind | None = None


def preview(
    place: Place, path: str, *, start: int = 0, end: bool = False, as_text: bool = False
) -> Preview:
    """See ``Preview``. ``start`` is the byte from which a text is shown, ``end`` asks for its last part.

    Raises what ``file_places.peek`` raises.
    """
    named = type_of(path)
    if not as_text and named.limit and named.kind != "notebook":
        about = peek(place, path, 0, 0)
        return _by_size(named.kind, about, named.limit)
    if not as_text and named.kind == "notebook":
        return _notebook(peek(place, path, 0, named.limit), named.limit)
    if not as_text and named.kind == "table" and not start and not end:
        found = peek(place, path, 0, tables.READ)
        made = None if text.looks_binary(found.data[:8192]) else tables.table(found)
        if made is not None:
            return Preview("table", found.size, found.modified, table=made)
        shorter = Peek(found.data[: text.PART], 0, found.size, found.modified)
        return _text(shorter)
    if end:
        start = max(0, peek(place, path, 0, 0).size - text.PART)
    # one byte before tells whether a line begins there
    look_back = 1 if start else 0
    found = peek(place, path, start - look_back, text.PART + look_back)
    other = named.kind if named.kind not in ("text", "unknown") else None
    return _text(found, other)


def _by_size(kind: Kind, about: Peek, limit: int) -> Preview:
    if about.size > limit:
        return Preview("unknown", about.size, about.modified, too_large=True, limit=limit)
    return Preview(kind, about.size, about.modified)


def _notebook(found: Peek, limit: int) -> Preview:
    if found.size > limit:
        return Preview("unknown", found.size, found.modified, too_large=True, limit=limit)
    made = notebook(found.data)
    if made is None:
        return _text(Peek(found.data[: text.PART], 0, found.size, found.modified))
    return Preview("notebook", found.size, found.modified, notebook=made)


def _text(found: Peek, other: Kind | None = None) -> Preview:
    if found.offset == 0 and text.looks_binary(found.data):
        return Preview("unknown", found.size, found.modified)
    return Preview("text", found.size, found.modified, text=text.part(found), other=other)
