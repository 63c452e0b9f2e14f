"""Is the code slower than before? A gate for continuous integration, judged on intervals. Pure.

Two runs of the same code differ by more than the rounds of one run tell, so runs are what is counted, at least two a
side. The spread between runs of a side is pooled over all points and both sides; an interval is Student's, and holds
for all points at once (Bonferroni): where nothing changed, one gate in twenty fails at most. A point fails where its
whole interval lies above what is allowed, both of times x paired roofs and of bare times.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist, fmean, variance

from bench.profile.stats import Estimate, median
from reports.compare import match
from reports.compare.system import Entry, System
from reports.locate import BadInput

RUNS = 2
"""Least runs a side."""
FALSE_ALARM = 0.05
"""Share of gates that may fail though nothing changed."""


@dataclass(frozen=True, slots=True)
class Gated:
    """A point on both sides: the ratio after / before of times x paired roofs, and of bare times."""

    entry: Entry
    ratio: Estimate
    time: Estimate
    failed: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """All points that every run has, the slowest first; `unjudged` counts the others. `allowed` is a ratio."""

    rows: tuple[Gated, ...]
    unjudged: int
    allowed: float

    @property
    def failed(self) -> tuple[Gated, ...]:
        """The points that are slower than allowed."""
        return tuple(row for row in self.rows if row.failed)


def gate(systems: Sequence[System], percent: float) -> Gate:
    """Judge the second half of `systems`, the runs after, against the first half. Raises BadInput."""
    half = len(systems) // 2
    if len(systems) % 2 or half < RUNS:
        raise BadInput(
            f"--fail-if-slower needs at least {RUNS} runs a side, those before first, then as many after: "
            f"{len(systems)} given"
        )
    if not 0 < percent <= 1000:
        raise BadInput(f"--fail-if-slower {percent:g}: give a percentage above 0, at most 1000")
    match.refuse(systems)
    for other in systems[1:]:
        if not match.alike(systems[0], other):
            raise BadInput(
                f"--fail-if-slower: {other.name} is another machine than {systems[0].name}: gate one machine"
            )
        if other.method != systems[0].method:
            raise BadInput(
                f"--fail-if-slower: methods {systems[0].method} and {other.method} measure otherwise: measure both "
                "sides with one version"
            )
    runs = [{(e.work, e.implementation): e for e in one.entries if e.paired} for one in systems]
    common = [key for key in runs[0] if all(key in run for run in runs)]
    if not common:
        raise BadInput("--fail-if-slower: no case that all runs have: compare runs of one suite")
    points = [[run[key] for run in runs] for key in common]
    allowed = 1 + percent / 100
    ratios = _ratios(points, half, match.normalised)
    times = _ratios(points, half, lambda entry: entry.seconds)
    rows = [
        Gated(entries[0], ratio, time, min(ratio.low, time.low) > allowed)
        for entries, ratio, time in zip(points, ratios, times, strict=True)
    ]
    every = {key for run in runs for key in run}
    ordered = sorted(rows, key=lambda row: -row.ratio.median)
    return Gate(tuple(ordered), len(every) - len(common), allowed)


def _ratios(
    points: Sequence[Sequence[Entry]], half: int, samples: Callable[[Entry], Sequence[float]]
) -> list[Estimate]:
    """Per point the ratio of the runs' geometric means, with an interval that holds for all points at once."""
    logs = [[log(median(samples(entry))) for entry in entries] for entries in points]
    pooled = fmean(variance(side) for runs in logs for side in (runs[:half], runs[half:]))
    freedom = len(points) * 2 * (half - 1)
    reach = student(1 - FALSE_ALARM / 2 / len(points), freedom) * sqrt(2 * pooled / half)
    middles = [fmean(runs[half:]) - fmean(runs[:half]) for runs in logs]
    return [Estimate(exp(m), exp(m - reach), exp(m + reach)) for m in middles]


def student(probability: float, freedom: float) -> float:
    """The quantile of Student's t by its expansion from the normal one (Abramowitz and Stegun, 26.7.5)."""
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum((term / freedom**power for power, term in enumerate(terms, 1)), 0.0)
