"""Verify the instrument: planted steps of known truth through the whole path of a point (METHODOLOGY.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import beside, doubts, planted, points, stats, threads
from kernels.inputs import set_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kernels.implementations import Implementation

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


def calibrate(bench: beside.Bench, private_bytes: int) -> Iterator[Finding]:
    """Plant every step of `planted.TRUTHS` everywhere it can be planted; yields as they are scored."""
    bench.precision = PRECISION
    for name, place in planted.places(
        private_bytes, bench.last_level_bytes, threads.available()
    ).items():
        threads.use(place.case.threads)
        one_set = set_bytes(planted.layout(place, place.case), place.case.dtype)
        count = points.weight_sets(place.case, one_set, bench.last_level_bytes)
        bench.variants.clear()
        variant = beside.best_variant(bench, one_set, count, place.case.threads)
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
    found = points.point(bench, place.case, truth, step, 0)
    if found.status != "ok":
        return Finding(name, truth, None, band, good=False, reason=found.reason)
    score = stats.estimate(doubts.fractions(found, written_seconds=0.0))
    good = score.low > points.IMPOSSIBLE if band is None else band[0] <= score.median <= band[1]
    return Finding(name, truth, score, band, good=good)
