"""Files of several kinds for the demonstration: what the file browser lists and shows."""

from __future__ import annotations

import base64
import json
from pathlib import Path

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NOTEBOOK = {
    "nbformat": 4, "nbformat_minor": 5, "metadata": {},
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Coverage of NA12878\n", "By lane, 22 November."]},
        {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": ["reads.groupby('lane').sum()"],
         "outputs": [{"output_type": "stream", "name": "stdout", "text": ["lane 1  48211093\n", "lane 2  9642218\n"]}]},
    ],
}  # fmt: skip
REPORT = (
    "<!doctype html><title>Quality</title><body style='font-family:sans-serif;margin:2em'><h1>Quality report</h1>"
    "<p>All 24 lanes passed.</p></body>"
)


def write_files(folder: Path) -> Path:
    """Fill a new directory ``results`` below the folder; its path."""
    results = folder / "results"
    (results / "alignments").mkdir(parents=True)
    (results / "notes.txt").write_text("lane 17 was sequenced again\nsee the ticket of 20 November\n")
    rows = [f"NA12878,{lane},{lane * 48_211_093},{30 + lane % 7}" for lane in range(1, 25)]
    (results / "coverage.csv").write_text("\n".join(["sample,lane,reads,coverage", *rows]) + "\n")
    (results / "analysis.ipynb").write_text(json.dumps(NOTEBOOK))
    (results / "plot.png").write_bytes(base64.b64decode(PIXEL))
    (results / "report.html").write_text(REPORT)
    (results / "calls.vcf.gz").write_bytes(bytes(range(256)) * 400)
    (results / "latest.txt").symlink_to("notes.txt")
    return results
