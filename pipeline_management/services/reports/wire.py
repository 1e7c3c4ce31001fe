"""Reading the events that jobs send, strictly.

An event is one JSON object, in the file one a line::

    {"sender": "job-…", "seq": 7, "type": "progress", "at": 1795343583.18, "data": {"percent": 40}}

``sender`` names who counts, ``seq`` is that sender's own number from 1, ``at`` seconds since 1970 on its clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from pipeline_management.errors import InvalidRequest, Problem, TooLarge

MAX_LINE = 16 * 1024
"""Bytes of one event."""
MAX_EVENTS = 2000
"""Events of one request."""
MAX_BODY = 1024 * 1024
"""Bytes of one request."""
_LATEST = 4_102_444_800  # the year 2100


def _printable(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text).strip()
    if not shown:
        raise ValueError("expected a text that can be printed")
    return shown


def _without_nul(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


_LINE = AfterValidator(_printable)
_ANY = AfterValidator(_without_nul)
Moment = Annotated[float, Field(ge=0, le=_LATEST, allow_inf_nan=False)]
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Number = Whole | Annotated[float, Field(allow_inf_nan=False)]
Short = Annotated[str, Field(max_length=200), _ANY]
Name = Annotated[str, Field(min_length=1, max_length=200), _LINE]
Path = Annotated[str, Field(min_length=1, max_length=1000), _LINE]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Progress(_Strict):
    percent: Annotated[int, Field(ge=0, le=100)]
    text: Annotated[str, Field(max_length=300), _ANY] = ""


class Task(_Strict):
    name: Name
    state: Literal["new", "pending", "running", "complete", "failed", "skipped", "cancelled"]
    job_id: Annotated[str, Field(min_length=1, max_length=64), _LINE] | None = None
    exit_code: Annotated[int, Field(ge=-(2**31), le=2**31 - 1)] | None = None
    started: Moment | None = None
    ended: Moment | None = None
    resources: Annotated[dict[Name, bool | Number | Short], Field(max_length=20)] = {}
    log_path: Annotated[str, Field(min_length=1, max_length=600), _LINE] | None = None


class Message(_Strict):
    text: Annotated[str, Field(min_length=1, max_length=4000), _ANY]


class Metric(_Strict):
    name: Name
    value: Number | Short
    unit: Annotated[str, Field(max_length=20), _ANY] = ""


class Artifact(_Strict):
    path: Path
    label: Short = ""


class Completed(_Strict):
    pass


class _Event(_Strict):
    sender: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    seq: Annotated[int, Field(ge=1, le=2**53)]
    at: Moment


class ProgressEvent(_Event):
    type: Literal["progress"]
    data: Progress


class TaskEvent(_Event):
    type: Literal["task"]
    data: Task


class TextEvent(_Event):
    type: Literal["message", "error"]
    data: Message


class MetricEvent(_Event):
    type: Literal["metric"]
    data: Metric


class ArtifactEvent(_Event):
    type: Literal["artifact"]
    data: Artifact


class CompletedEvent(_Event):
    type: Literal["completed"]
    data: Completed


_EVENT: TypeAdapter[_Event] = TypeAdapter(
    Annotated[
        ProgressEvent | TaskEvent | TextEvent | MetricEvent | ArtifactEvent | CompletedEvent,
        Field(discriminator="type"),
    ]
)


@dataclass(frozen=True, slots=True)
class Report:
    """One event as a job sent it; ``at`` is aware UTC on its clock, ``data`` is checked and bare of defaults."""

    sender: str
    seq: int
    type: str
    at: datetime
    data: dict[str, Any]


def read_event(line: bytes) -> Report:
    """One event. Raises ``InvalidRequest`` that lists every fault with its place in the object."""
    if len(line) > MAX_LINE:
        message = f"An event has at most {MAX_LINE} bytes; this one has {len(line)}."
        raise TooLarge([Problem("too_large", message)])
    try:
        event = _EVENT.validate_json(line)
    except ValidationError as error:
        raise InvalidRequest([_problem(fault) for fault in error.errors()]) from None
    fields = event.model_dump(exclude_unset=True)
    at = datetime.fromtimestamp(event.at, UTC)
    return Report(event.sender, event.seq, fields["type"], at, fields["data"])


def read_body(body: bytes) -> list[Report]:
    """The events of a request: one JSON object, or one a line. Empty lines are passed over.

    Raises ``TooLarge``, or ``InvalidRequest`` for the first line that is wrong; problems carry its number.
    """
    if len(body) > MAX_BODY:
        raise TooLarge([Problem("too_large", f"A request has at most {MAX_BODY} bytes.")])
    reports: list[Report] = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        if len(reports) == MAX_EVENTS:
            message = f"A request has at most {MAX_EVENTS} events."
            raise TooLarge([Problem("too_large", message, line=number)])
        reports.append(_numbered(line, number))
    if not reports:
        message = "The body has no event; expected one JSON object, or one a line."
        raise InvalidRequest([Problem("empty", message)])
    return reports


def read_lines(data: bytes) -> Iterator[Report | InvalidRequest]:
    """The events of part of a file that ends with a line; what is wrong is said instead of raised."""
    for line in data.split(b"\n"):
        if line.strip():
            try:
                yield read_event(line)
            except InvalidRequest as error:
                yield error


def _numbered(line: bytes, number: int) -> Report:
    try:
        return read_event(line)
    except InvalidRequest as error:
        problems = [
            Problem(p.code, f"Line {number}: {p.message}", p.pointer, line=number)
            for p in error.problems
        ]
        raise type(error)(problems) from None


def _problem(fault: Any) -> Problem:
    """A fault of pydantic's as ours: its place begins with the tag of the union, which is no key."""
    places = fault["loc"][1:] or (("type",) if fault["type"].startswith("union_tag") else ())
    pointer = "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in places)
    message = f"{pointer}: {fault['msg']}." if pointer else f"{fault['msg']}."
    return Problem(fault["type"], message[:500], pointer)
