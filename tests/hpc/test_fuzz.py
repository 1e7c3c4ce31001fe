"""Parsers on damaged answers: nothing but ``HpcError`` comes out, and no job ends by damage."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpc.commands import CommandResult
from hpc.errors import HpcError
from hpc.jobs import JobInfo
from hpc.schedulers.local import LocalScheduler
from hpc.schedulers.slurm import SlurmScheduler
from tests.hpc.recordings import recorded

SLURM = SlurmScheduler()
LOCAL = LocalScheduler()
LOCAL_LIST = "".join(
    "\x1f".join([str(n), state, f"key{n}", "u", "", "1795321351", "", "", "", "0", "1", "/w", "", "."]) + "\n"
    for n, state in enumerate(["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"])
)
WORDS = ["", "\n", "\x1e\n", "\x1f", "PENDING", "RUNNING", "0", "-1", "None", "(null)", "é", "\x00", "x" * 300]


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The text with some pieces cut out, doubled, swapped or overwritten."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 120)))
        piece = draw(st.sampled_from([*WORDS, text[start:end] * 2, text[end:end + 40]]))
        text = text[:start] + piece + text[end:]
    return text


def check(parse: Callable[[], list[JobInfo]], original: dict[str, str], damaged_text: str) -> None:
    """An end may only be reported in a word for an end that stands in the answer."""
    try:
        jobs = parse()
    except HpcError:
        return
    for job in jobs:
        if job.state.is_final:
            assert job.native_state in damaged_text
            assert job.native_state.split(" ")[0].strip("+") in set(original.values())


def finals(jobs: list[JobInfo]) -> dict[str, str]:
    return {job.job_id: job.native_state.split(" ")[0] for job in jobs if job.state.is_final}


QUEUE = recorded("active-many").text
HISTORY = recorded("history-many").text
many = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(text=damaged(QUEUE))
def test_squeue(text: str) -> None:
    original = finals(SLURM.parse_active(QUEUE, 0, ""))
    check(lambda: SLURM.parse_active(text, 0, ""), original, text)


@many
@given(text=damaged(HISTORY))
def test_sacct(text: str) -> None:
    def parse(answer: str) -> list[JobInfo]:
        result = CommandResult(0, answer.encode("utf-8", "surrogateescape"), b"", 0.1)
        return [job for jobs in SLURM.history(["1"]).parse(result).values() for job in jobs]

    check(lambda: parse(text), finals(parse(HISTORY)), text)


@many
@given(text=damaged(LOCAL_LIST))
def test_local_list(text: str) -> None:
    original = finals(LOCAL.parse_active(LOCAL_LIST, 0, ""))
    check(lambda: LOCAL.parse_active(text, 0, ""), original, text)


@many
@given(out=st.binary(max_size=300), err=st.binary(max_size=100), code=st.integers(0, 255))
def test_any_bytes_at_all(out: bytes, err: bytes, code: int) -> None:
    result = CommandResult(code, out, err, 0.1)
    for scheduler in (SLURM, LOCAL):
        for command in (scheduler.active("u"), scheduler.history(["1"]), scheduler.queues(),
                        scheduler.ping(), scheduler.cancel(["1"])):
            with contextlib.suppress(HpcError):
                command.parse(result)
    for command in (SLURM.nodes(), SLURM.hold(["1"])):
        with contextlib.suppress(HpcError):
            command.parse(result)


@many
@given(row=st.lists(st.text(max_size=20), min_size=15, max_size=15))
def test_any_fields_of_a_queue_row(row: list[str]) -> None:
    text = "\x1f".join(row) + "\x1e\n"
    check(lambda: SLURM.parse_active(text, 0, ""), {"": "CANCELLED", " ": "FAILED"}, text)


@many
@given(counts=st.text(max_size=12), number=st.text(max_size=12), limit=st.text(max_size=12))
def test_any_fields_of_sinfo(counts: str, number: str, limit: str) -> None:
    rows = f"q\x1fup\x1f{limit}\x1f1/2/3/6\x1f{counts}\x1f{number}\n"
    nodes = f"n\x1fq\x1fidle\x1f{counts}\x1f{number}\x1f{limit}\n"
    for command, text in ((SLURM.queues(), rows), (SLURM.nodes(), nodes)):
        with contextlib.suppress(HpcError):
            command.parse(CommandResult(0, text.encode("utf-8", "replace"), b"", 0.1))
