"""Reading the YAML of a site file: keys given twice are found, and every path knows its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a site file: where ("systems[0].host_keys[0]"), its line, and what was expected."""

    where: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line else ""
        return f"{place}{self.where}: {self.message}" if self.where else f"{place}{self.message}"


class SiteError(Exception):
    """A site file that cannot be applied; nothing was written. ``faults`` lists everything found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = list(faults)


def spelled(location: Location) -> str:
    """A location as people write it: ("systems", 0, "name") is "systems[0].name"."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


@dataclass
class Source:
    """A site file as read: its data, where each part stands, and the directory of relative paths."""

    path: Path
    data: dict[str, Any]
    lines: dict[Location, int]
    faults: list[Fault] = field(default_factory=list)

    def complain(self, location: Location, message: str, line: int | None = None) -> None:
        """Note a fault at a location; its line is that of the nearest part that is in the file."""
        self.faults.append(Fault(spelled(location), message, line or self.line_of(location)))

    def line_of(self, location: Location) -> int | None:
        while location:
            if location in self.lines:
                return self.lines[location]
            location = location[:-1]
        return None

    def path_of(self, name: str) -> Path:
        """A path of the file's text, relative ones taken from the directory of the file."""
        return self.path.parent / Path(name).expanduser()

    def text_of(self, location: Location, name: str) -> str | None:
        """The text of a file that the part at ``location`` names; None, and a fault, when it cannot be read."""
        path = self.path_of(name)
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else None
            if why is None:
                self.complain(location, f"cannot read {path}: {getattr(error, 'strerror', error)}")
            else:
                self.complain(location, f"{path} {why}")
        return None

    def raise_faults(self) -> None:
        """Raises ``SiteError`` when anything was noted, in the order of the file."""
        if self.faults:
            raise SiteError(sorted(self.faults, key=lambda fault: fault.line or 0))


def read_site(path: Path) -> Source:
    """The YAML of a site file. Raises ``SiteError`` when it cannot be read or is not a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SiteError([Fault("", f"cannot read {path}: {error.strerror}")]) from error
    except UnicodeDecodeError as error:
        raise SiteError([Fault("", f"{path} is not UTF-8 text")]) from error
    source = Source(path, {}, {})
    read_yaml(source, text)
    if not isinstance(source.data, dict):
        raise SiteError(
            [Fault("", "the file must hold a mapping with systems, users, labs, pipelines")]
        )
    return source


def read_yaml(source: Source, text: str, location: Location = ()) -> None:
    """Read a text into ``source``: its data, and the lines of its parts as parts of ``location``.

    Raises ``SiteError`` when it is not YAML or gives a key twice.
    """
    loader = _loader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            _walk(node, location, source)
            source.raise_faults()
            source.data = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise SiteError([_syntax(error)]) from error
    except (
        ValueError,
        OverflowError,
    ) as error:  # a date like 2026-02-30, a number of a million digits
        raise SiteError([Fault("", f"holds a value that cannot be read: {error}")]) from error
    finally:
        loader.dispose()


def _loader(text: str) -> yaml.SafeLoader:
    try:
        return yaml.SafeLoader(text)
    except yaml.reader.ReaderError as error:  # it looks through all characters before it begins
        message = f"not valid YAML: holds the control character U+{ord(text[error.position]):04X}"
        line = text.count("\n", 0, error.position) + 1
        raise SiteError([Fault("", message, line)]) from error


def _syntax(error: yaml.YAMLError) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    message = f"not valid YAML: {problem}" + (f" ({context})" if context else "")
    if mark is None:
        return Fault("", message)
    return Fault("", f"{message}, column {mark.column + 1}", mark.line + 1)


def _walk(node: yaml.Node, location: Location, source: Source) -> None:
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            here = (*location, number)
            source.lines[here] = item.start_mark.line + 1
            _walk(item, here, source)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*location, str(key.value))
            line = key.start_mark.line + 1
            if here in source.lines and key.value != "<<":
                source.complain(here, f"given twice, first in line {source.lines[here]}", line)
            source.lines.setdefault(here, line)
            _walk(value, here, source)
