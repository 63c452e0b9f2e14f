"""Verify the instrument: planted steps of known truth through the whole path of a point (method 9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench import planted, points, stats, threads
from kernels.inputs import set_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

PRECISION = 0.005
BUDGET_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a planted step scored, and whether that is within its band. `score` is None where it gave no time."""

    place: str
    truth: str
    score: stats.Estimate | None
    band: tuple[float, float] | None
    good: bool
    reason: str | None = None


def calibrate(bench: points.Bench, private_bytes: int) -> Iterator[Finding]:
    """Plant every step of `planted.TRUTHS` everywhere it can be planted; yields as they are scored."""
    for name, place in planted.places(
        private_bytes, bench.last_level_bytes, threads.available()
    ).items():
        threads.use(place.case.threads)
        one_set = set_bytes(planted.layout(place, place.case), place.case.dtype)
        count = points.weight_sets(place.case, one_set, bench.last_level_bytes)
        variant = points.best_variant(bench, one_set, count, place.case.threads)
        for truth in place.truths:
            yield _score(bench, name, place, truth, planted.implementation(truth, place, variant))


def _score(
    bench: points.Bench, name: str, place: planted.Place, truth: str, step: points.Implementation
) -> Finding:
    band = planted.TRUTHS[truth]
    found = points.point(bench, place.case, truth, step, 0)
    if found.status != "ok" or found.bytes is None:
        return Finding(name, truth, None, band, good=False, reason=found.reason)
    pairs = zip(found.seconds, found.roof_bytes_per_s, strict=True)
    score = stats.estimate([found.bytes["read"] / roof / seconds for seconds, roof in pairs])
    good = score.low > points.IMPOSSIBLE if band is None else band[0] <= score.median <= band[1]
    return Finding(name, truth, score, band, good=good)
