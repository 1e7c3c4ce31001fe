"""Reading recorded answers, and cutting tables with other columns to the ones that we ask for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from hpc.commands import CommandResult
from hpc.schedulers.base import UNIT
from hpc.schedulers.slurm_parse import HISTORY_FIELDS, QUEUE_FIELDS, RECORD_END

ALL = Path(__file__).resolve().parents[1] / "recordings"
FOLDER = ALL / "slurm"


def recorded(name: str, system: str = "slurm") -> CommandResult:
    return CommandResult(
        exit_code=int((ALL / system / f"{name}.rc").read_text()),
        stdout=(ALL / system / f"{name}.stdout").read_bytes(),
        stderr=(ALL / system / f"{name}.stderr").read_bytes(),
        duration=0.1,
    )


def names(prefix: str) -> list[str]:
    return sorted(path.stem for path in FOLDER.glob(f"{prefix}*.rc"))


def epoch(text: str) -> str:
    """A recorded local time (the machine kept UTC) as epoch seconds; other words stay."""
    try:
        return str(int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()))
    except ValueError:
        return text


def squeue_rows(text: str, layout: str) -> list[dict[str, str]]:
    """Rows of ``squeue -o '%a|%b…'`` by format letter; the layout is given as the letters."""
    return [
        dict(zip(layout, line.split("|"), strict=True)) for line in text.splitlines() if line
    ]


def as_queue_answer(rows: list[dict[str, str]]) -> str:
    """The same rows as our own squeue command would have printed them."""
    def field(row: Mapping[str, str], letter: str) -> str:
        value = row.get(letter, "")
        return epoch(value) if letter in "VSe" else value

    return "".join(
        UNIT.join(field(row, letter) for letter in QUEUE_FIELDS) + RECORD_END + "\n" for row in rows
    )


def as_history_answer(text: str, header: str | None = None) -> str:
    """Rows of ``sacct --parsable2`` as our own sacct command would have printed them."""
    lines = text.splitlines()
    columns = (header or lines.pop(0)).split("|")
    answer = []
    for line in lines:
        row = dict(zip(columns, line.split("|"), strict=True))
        fields = [row.get(name, "") for name in HISTORY_FIELDS.split(",")]
        answer.append(UNIT.join(epoch(value) for value in fields))
    return "".join(f"{line}\n" for line in answer)
