"""A run of thousands of points: what its journal costs, and what it holds in memory. `python -m tests.long_run`."""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.profile import reader, stats, suite
from bench.profile.journal import Journal, from_journal, write_profile
from bench.profile.suite import Planned, Suite
from bench.session import lock
from bench.session.run import Run
from bench.timing import rounds
from kernels.case import CELLS, Case
from tests.reports import synthetic

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 40
"""Samples of a point of the journal: three times as many as a point of the quick suite has."""

SAMPLE_SECONDS = 0.0001
"""Of a point that is measured for its memory and not for its figure."""


@dataclass(frozen=True)
class Written:
    """Seconds to append one point (median, and the one in a hundred that took longest), to assemble, write and load
    all; bytes of the journal.
    """

    append: float
    slow_append: float
    assemble: float
    write: float
    load: float
    journal_bytes: int


def written(points: int) -> Written:
    """Write a journal of so many points, and the profile of it."""
    first = synthetic.point(rounds=ROUNDS)
    made = [replace(first, case=replace(first.case, hidden=1 + number)) for number in range(points)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        journal = Journal.start(folder, synthetic.profile())
        took = [_seconds(journal.append, point)[0] for point in made]
        journal.close()
        assemble, profile = _seconds(from_journal, folder)
        write, path = _seconds(write_profile, profile, folder)
        load, _ = _seconds(reader.load, path)
        size = (folder / "journal.jsonl").stat().st_size
    assert len(profile.points) == points
    return Written(
        stats.median(took), sorted(took)[points * 99 // 100], assemble, write, load, size
    )


def resident(points: int, every: int) -> Iterator[tuple[int, int]]:
    """Measure so many tiny points in one run. Yields points done and bytes resident, now and then."""
    planned = tuple(
        Planned(
            Case(CELLS[order % 3], 8 + order // 3 % 50, 8, 1 + order // 150, threads=1),
            "torch_cell",
        )
        for order in range(points)
    )
    settings = asdict(suite.Settings(precision=0.5, budget_seconds=1e-4, curve_seconds=0.01))
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "PATH", Path(name) / "machine.lock")
        patch.setattr(rounds, "SAMPLE_SECONDS", SAMPLE_SECONDS)
        patch.setattr(rounds, "SETTLE_SECONDS", SAMPLE_SECONDS)
        run = Run(Suite("long", "", settings, planned), 0, Path(name) / "run")
        run.begin()
        for order, one in enumerate(planned, 1):
            run.measure(one)
            if order % every == 0:
                yield order, process.memory_info().rss
        run.finish(planned)


def _seconds(function, *arguments):
    start = perf_counter()
    result = function(*arguments)
    return perf_counter() - start, result
