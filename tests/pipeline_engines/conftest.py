"""Engines on the session's lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hpc.transports.pool import TransportPool
from tests.lab import snakemake as snakemake_tool
from tests.lab.jetstream.installing import install
from tests.lab.lab import Lab

if TYPE_CHECKING:
    from tests.pipeline_engines.driving import Driver


@pytest.fixture(scope="session")
def driver(lab: Lab) -> Iterator[Driver]:
    """Runs as one user of the lab, over SSH and Slurm."""
    from tests.pipeline_engines.driving import Driver  # Django is not set up when this file is read

    pool = TransportPool()
    try:
        yield Driver(lab, pool)
    finally:
        pool.close()


@pytest.fixture(scope="session")
def jetstream(lab: Lab) -> Path:
    """The stand-in's folder: venv/bin/jetstream and pipelines/."""
    folder = lab.layout.root / "jetstream"
    install(folder)
    return folder


@pytest.fixture(scope="session")
def snakemake() -> Path:
    """The command; it is installed by the first test that asks for it."""
    return snakemake_tool.install()
