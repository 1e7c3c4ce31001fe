"""What the pictures of the runs' side need beyond the demonstration: results, marks, ends of each kind, transfers."""

from __future__ import annotations

import struct
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from pipeline_management.choices import Desired, RunState, TaskState
from pipeline_management.models import (
    LabLabel,
    Run,
    RunEvent,
    RunLabel,
    RunNote,
    RunStar,
    RunTask,
    RunUsage,
    SavedView,
    Transfer,
)
from pipeline_management.models.transfer import Direction, TransferState
from pipeline_management.services import causes
from tests.factories import make_account, make_system, make_version

GIB = 1024**3
OUTPUTS = {
    "reports": ["results/*.html", "results/*.pdf"],
    "outputs": ["results/**/*.bam", "results/*.tsv"],
}
BARS = (31, 34, 29, 38, 33, 36, 12, 35, 37, 32, 30, 36)
REPORT = """<!doctype html><html lang="en"><title>Quality of 24 lanes</title><style>
body { font: 15px/1.5 sans-serif; margin: 0; color: #222 } header { background: #12344d; color: #fff; padding: 1em 2em }
main { padding: 1em 2em; max-width: 60em } table { border-collapse: collapse; width: 100%% }
td, th { text-align: left; padding: .35em .8em; border-bottom: 1px solid #ddd }
</style><header><h1>Quality of 24 lanes</h1>NA12878, COLO829 · 22 November</header><main>
<h2>General statistics</h2>
<table><tr><th>Sample<th>Reads (M)<th>Duplicates<th>GC<th>Coverage</tr>%s</table></main></html>"""


def png(width: int = 640, height: int = 300) -> bytes:
    """A plot of bars, as a picture of 8 bits a colour."""
    lines = []
    for y in range(height):
        line = bytearray()
        for x in range(width):
            bar, within = divmod(x - 20, (width - 40) // len(BARS))
            tall = (
                0 <= bar < len(BARS)
                and 8 < within < 42
                and height - 20 > y > height - 20 - BARS[bar] * 6
            )
            colour = (196, 60, 50) if bar == 6 else (42, 122, 155)
            ground = (120, 130, 136) if y == height - 20 else (255, 255, 255)
            line += bytes(colour if tall else ground)
        lines.append(b"\0" + bytes(line))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"".join(lines))),
            (b"IEND", b""),
        )
    )


def pdf(text: str) -> bytes:
    """One page with a line of text."""
    stream = f"BT /F1 28 Tf 60 700 Td ({text}) Tj ET".encode()
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]  # fmt: skip
    whole, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(whole))
        whole += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return whole + b"xref\n0 6\n0000000000 65535 f \n%strailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        table, len(whole),
    )  # fmt: skip


def write_results(folder: Path) -> None:
    """What a run of the demonstration leaves in its directory."""
    results = folder / "results"
    (results / "aligned").mkdir(parents=True)
    (folder / "logs").mkdir()
    (folder / "logs" / "align.log").write_text("24 lanes aligned\n")
    (folder / "job.sh").write_text("#!/bin/sh\nalign --lanes 24\n")
    rows = "".join(
        f"<tr><td>{name}<td>{reads}<td>{share} %<td>41 %<td>{coverage}×</tr>"
        for name, reads, share, coverage in (
            ("NA12878", 812.4, 9.1, 34),
            ("COLO829", 1_104.9, 11.7, 61),
        )
    )
    (results / "quality.html").write_text(REPORT % rows)
    (results / "coverage.png").write_bytes(png())
    (results / "summary.pdf").write_bytes(pdf("Summary of NA12878"))
    (results / "variants.tsv").write_text("sample\tchromosome\tposition\nNA12878\t1\t10177\n")
    for name, size in (("NA12878", 48 * GIB), ("COLO829", 71 * GIB)):
        with (results / "aligned" / f"{name}.bam").open("wb") as file:
            file.truncate(size)


class RunSide:
    """Rows of the demonstration's lab beside those it has; ``runs`` by name, ``folder`` the one with results."""

    def __init__(self, demo: Any, folder: Path) -> None:
        self.demo, self.folder, self.now = demo, folder, timezone.now()
        demo.local.polled_at = self.now + timedelta(minutes=10)
        demo.local.save()
        self.version = make_version(
            "coverage", "2.1", system=demo.local.system, outputs=OUTPUTS,
            resources={"walltime": "08:00:00", "cpus": 16, "memory_mb": 64_000},
        )  # fmt: skip
        self.runs = {
            "results": self._run(RunState.SUCCEEDED, 300, 210, name="NA12878 coverage", exit_code=0),
            "slower": self._run(RunState.SUCCEEDED, 1700, 1500, name="NA12878 coverage, 12 lanes", exit_code=0),
            "begun": self._run(RunState.RUNNING, 6, name="COLO829 coverage"),
            "timeout": self._run(RunState.FAILED, 700, 220, name="Trio 44 coverage", reason="TIMEOUT"),
            "vanished": self._run(RunState.FAILED, 900, 880, name="Panel 12 coverage", reason="NO_RESULT"),
            "memory": self._run(RunState.FAILED, 500, 470, name="MMRF_1021 coverage", reason="OUT_OF_MEMORY",
                                exit_code=137),
            "cancelled": self._run(RunState.CANCELLED, 800, 790, name="Trio 45 coverage", desired=Desired.CANCEL,
                                   cancel_requested_at=self._ago(795), cancel_requested_by=demo.alice,
                                   reason="CANCELLED_BY_USER"),
            "outside": self._run(RunState.CANCELLED, 820, 815, name="Trio 46 coverage", reason="CANCELLED_OUTSIDE",
                                 reason_text="scancel by root, 11:04"),
        }  # fmt: skip
        self._results()
        self._tasks("results", (300, 2_700, 640, 1_980, 420, 35))
        self._tasks("slower", (310, 5_100, 655, 1_200, 0, 38))
        self._usage("results", elapsed=5_400, memory=9_800, cpu=5_400 * 3.4)
        self._usage("slower", elapsed=12_000, memory=61_500, cpu=12_000 * 14.9)
        self._marks()
        self._transfers()
        causes.record([run.pk for run in self.runs.values()])

    def _ago(self, minutes: float) -> Any:
        return self.now - timedelta(minutes=minutes)

    def _run(self, state: RunState, begun: float, ended: float = 0, **fields: Any) -> Run:
        """A run that began and ended so many minutes ago."""
        times: dict[str, Any] = {
            "submitted_at": self._ago(begun + 4),
            "started_at": self._ago(begun),
        }
        if ended:
            times |= {"ended_at": self._ago(ended), "finished_at": self._ago(ended)}
        configuration = {
            "pipeline": "coverage",
            "sample": fields["name"].split()[0],
            "lanes": 12 if "12 lanes" in fields["name"] else 24,
        }
        values = {"version": self.version, "account": self.demo.local, "submitter": self.demo.alice,
                  "resources": self.version.resources, "configuration": configuration,
                  "job_id": str(52_000 + int(begun)), "confirmed_source": "marker"}  # fmt: skip
        run: Run = self.demo._run(state, begun + 5, **(values | times | fields))
        run.directory = str(self.folder / str(run.pk))
        Path(run.directory).mkdir(parents=True)
        Run.objects.filter(pk=run.pk).update(
            directory=run.directory, confirmed_at=self._ago(ended) if ended else self.now
        )
        return run

    def _results(self) -> None:
        run = self.runs["results"]
        write_results(Path(run.directory))
        for number, (path, label) in enumerate(
            (
                ("results/coverage.png", "Coverage by lane"),
                ("results/quality.html", "Quality report"),
            ),
            start=2,
        ):
            RunEvent.objects.create(run=run, seq=number, at=self._ago(215), type="artifact", actor="job",
                                    sender="job", data={"path": path, "label": label})  # fmt: skip
        Run.objects.filter(pk=run.pk).update(event_seq=3)

    def _tasks(self, name: str, seconds: tuple[int, ...]) -> None:
        run, done = self.runs[name], 0
        for number, (task, took) in enumerate(
            zip(
                ("trim", "align", "mark duplicates", "coverage", "plots", "report"),
                seconds,
                strict=True,
            )
        ):
            if not took:
                continue
            at = (run.started_at or self.now) + timedelta(seconds=sum(seconds[:number]))
            RunTask.objects.create(run=run, name=task, key=task, state=TaskState.COMPLETE, seq=number, exit_code=0,
                                   reported_at=at, started_at=at, ended_at=at + timedelta(seconds=took))  # fmt: skip
            done += 1
        Run.objects.filter(pk=run.pk).update(tasks_total=done, tasks_done=done, progress=100)

    def _usage(self, name: str, *, elapsed: int, memory: int, cpu: float) -> None:
        RunUsage.objects.update_or_create(run=self.runs[name], defaults={
            "wait_seconds": 240, "elapsed_seconds": elapsed, "cpus": 16, "nodes": 1, "memory_mb": 64_000,
            "max_memory_mb": memory, "walltime_seconds": 8 * 3600, "cpu_seconds": cpu, "core_seconds": 16 * elapsed,
            "gpu_seconds": 0, "jobs": 1, "source": "sacct", "collected_at": self._ago(200),
        })  # fmt: skip

    def _marks(self) -> None:
        demo, run = self.demo, self.runs["results"]
        for label, names in (
            ("giab", ("results", "slower")),
            ("for-paper", ("results",)),
            ("rerun", ("memory",)),
        ):
            LabLabel.objects.create(lab=demo.genomics, name=label, used_at=self.now)
            for name in names:
                RunLabel.objects.create(run=self.runs[name], name=label)
        for name in ("results", "begun"):
            RunStar.objects.create(run=self.runs[name], user=demo.alice)
        RunNote.objects.create(
            run=run, author=demo.bob, text="Lane 17 was sequenced again, so 24 and not 23 lanes."
        )
        RunNote.objects.create(
            run=run, author=demo.alice, text="Goes into figure 2.\nDo not delete before March."
        )
        SavedView.objects.create(
            owner=demo.alice, name="Failed this week", query="q=state%3Afailed+after%3A7d"
        )
        SavedView.objects.create(
            owner=demo.alice, lab=demo.genomics, name="GIAB", query="q=label%3Agiab"
        )
        SavedView.objects.create(
            owner=demo.bob, lab=demo.genomics, name="Waiting", query="state=submitted"
        )

    def _transfers(self) -> None:
        refused = "atlas.example.org: connection refused (port 22)"
        gone = "cp: cannot stat '/data/run 17/report.html': No such file or directory"
        rows: tuple[tuple[str, Direction, TransferState, dict[str, Any]], ...] = (
            ("/data/reads/NA12878_R1.fastq.gz", Direction.UPLOAD, TransferState.MOVING,
             {"size": 48 * GIB, "bytes_done": 31 * GIB, "rate": 118_000_000.0}),
            ("/data/reads/NA12878_R2.fastq.gz", Direction.UPLOAD, TransferState.QUEUED,
             {"size": 47 * GIB, "error": refused, "tries": 2}),
            ("/data/reads/COLO829_R1.fastq.gz", Direction.UPLOAD, TransferState.CHECKING,
             {"size": 9 * GIB, "bytes_done": 9 * GIB}),
            ("/data/reads/Trio 44.tar", Direction.UPLOAD, TransferState.AWAITING, {"size": 12 * GIB}),
            ("/scratch/alice/results.tar.gz", Direction.DOWNLOAD, TransferState.READY,
             {"size": 2 * GIB, "packed_from": "/scratch/alice/results"}),
            ("/data/run 17/report.html", Direction.DOWNLOAD, TransferState.FAILED, {"error": gone}),
            ("/data/reads/panel.bed", Direction.UPLOAD, TransferState.DONE, {"size": 81_920}),
            ("/data/reads/old.bam", Direction.DOWNLOAD, TransferState.CANCELLED, {"size": 7 * GIB}),
        )  # fmt: skip
        account = make_account(
            make_system("orion", description="New cluster"), self.demo.alice, username="alice"
        )
        for number, (path, direction, state, fields) in enumerate(rows):
            made = Transfer.objects.create(
                user=self.demo.alice, account=account, path=path, direction=direction, state=state, limit=GIB * 1000,
                key=f"demo/{number}", expires_at=self.now + timedelta(days=5), **fields,
            )  # fmt: skip
            Transfer.objects.filter(pk=made.pk).update(created_at=self._ago(3 + 9 * number))
