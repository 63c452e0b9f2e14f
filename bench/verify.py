"""Verify the instrument: planted steps of known truth through the whole path of a point, roofs against probes in C, and
counted against modelled bytes (METHODOLOGY.md). Each yields whether it is as it should be, and a line that says what.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from bench import (
    beside,
    c_probe,
    counted,
    fractions,
    machine,
    planted,
    points,
    records,
    stats,
    threads,
    traffic,
    traffic_gpu,
)
from bench.folder import claim
from kernels.contract import Unavailable
from kernels.inputs import Arena, set_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.run import Run
    from kernels.implementations import Implementation

PARTS = ("planted", "probes", "counted")
PRECISION = 0.005
BUDGET_SECONDS = 3.0
GLANCE_SECONDS = 0.2
"""For a step that must be impossible: a factor of a thousand needs no precision."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a planted step scored, and whether that is within its band. `score` is None where it gave no time."""

    place: str
    truth: str
    score: stats.Estimate | None
    band: tuple[float, float] | None
    good: bool
    reason: str | None = None


def plant(run: Run, times: int) -> Iterator[tuple[bool, str]]:
    """Known truths, `times` in a row."""
    for number in range(1, times + 1):
        for found in calibrate(run.bench, run.private_bytes):
            yield found.good, f"{number:3d}  {line(found)}"


def against_c(run: Run) -> Iterator[tuple[bool, str]]:
    """Every bandwidth roof against C, or why not."""
    sizes = run.plateau_middles()
    with TemporaryDirectory() as folder:
        try:
            library = c_probe.build(Path(folder))
        except Unavailable as reason:
            yield True, f"the roofs are not checked against C: {reason}"
            return
        scratch = Arena(max(sizes.values()), "cpu", 0)
        for found in c_probe.compare(run.bench, library, scratch.address, sizes):
            yield found.good, f"     {c_probe.line(found)}"


def bytes_counted(names: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Every cell by each of these implementations, counted where it can be, or why not."""
    yield from _told(counted.jobs(names))
    reason = traffic_gpu.missing()
    if reason:
        yield True, f"a GPU's bytes are not counted: {reason}"
        return
    last_level = max(gpu["l2_bytes"] or counted.FAR for gpu in machine.gpus())
    for found in traffic_gpu.count(counted.jobs_on_gpu(names, last_level)):
        yield counted.good(found), f"     {counted.line(found)}"


def profile(path: Path, folder: Path) -> Iterator[tuple[bool, str]]:
    """Count the steps of the profile at `path`, a file or a run's folder, and write it with its counts to `folder`.

    Raises records.BadProfile, bench.folder.BadOutput, and Unavailable where nothing can be counted.
    """
    given = path / "profile.json" if path.is_dir() else path
    measured = records.load(given)
    claim(folder)
    wanted, refused = counted.of_points(measured.points)
    reason = traffic.missing()
    if reason:
        raise Unavailable(reason)
    counts = list(refused)
    yield from ((True, f"     {counted.line(count)}") for count in refused)
    yield from _told(wanted, counts)
    written = records.write(counted.into(measured, counts), folder)
    yield True, f"counted: {written}"


def _told(
    wanted: Iterable[traffic.Job], keep: list[traffic.Count] | None = None
) -> Iterator[tuple[bool, str]]:
    try:
        for found in traffic.count(list(wanted)):
            if keep is not None:
                keep.append(found)
            yield counted.good(found), f"     {counted.line(found)}"
    except Unavailable as reason:
        yield True, f"bytes are not counted: {reason}"


def calibrate(bench: beside.Bench, private_bytes: int) -> Iterator[Finding]:
    """Plant every step of `planted.TRUTHS` everywhere it can be planted; yields as they are scored."""
    bench.precision = PRECISION
    for name, place in planted.places(
        private_bytes, bench.last_level_bytes, threads.available()
    ).items():
        threads.use(place.case.threads)
        one_set = set_bytes(planted.layout(place, place.case), place.case.dtype)
        count = points.weight_sets(place.case, one_set, bench.span_bytes, bench.arena.most_bytes)
        bench.variants.clear()
        variant = beside.best_variant(bench, beside.Walk(one_set, count, place.case.threads))
        for truth in place.truths:
            yield _score(bench, name, place, truth, planted.implementation(truth, place, variant))


def line(found: Finding) -> str:
    """One finding as a line of text."""
    wanted = (
        "above 1.03: impossible"
        if found.band is None
        else f"{found.band[0]:.2f} to {found.band[1]:.2f}"
    )
    if found.score is None:
        return f"WRONG  {found.place}: {found.truth}: {found.reason}"
    score = f"{found.score.median:.3f} ({found.score.low:.3f} to {found.score.high:.3f})"
    return f"{'good ' if found.good else 'WRONG'}  {found.place}: {found.truth}: {score}, wanted {wanted}"


def _score(
    bench: beside.Bench, name: str, place: planted.Place, truth: str, step: Implementation
) -> Finding:
    band = planted.TRUTHS[truth]
    bench.budget_seconds = BUDGET_SECONDS if band else GLANCE_SECONDS
    found = points.point(bench, place.case, truth, step, 0, planted.TrustingJudge)
    if found.status != "ok":
        return Finding(name, truth, None, band, good=False, reason=found.reason)
    score = stats.estimate(fractions.of(found, written_seconds=0.0))
    good = score.low > points.IMPOSSIBLE if band is None else band[0] <= score.median <= band[1]
    return Finding(name, truth, score, band, good=good)
