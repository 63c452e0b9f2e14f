"""What moves between runs of one suite on one machine: point by point, by how much, and what to do about it. Pure.

Figures are compared on logarithms, so a standard deviation of 0.05 is one of 5 %. A run as a whole may be faster or
slower than another, all of its points together: that is its drift, and is told beside the points. What the runs say in
words, verdicts and claims, is compared by `reports.compare.agreement`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log
from statistics import fmean, stdev
from typing import NamedTuple

from bench.profile.stats import Estimate, median
from kernels.case import Case
from reports.analysis import points
from reports.analysis.analysis import Analysis
from reports.analysis.points import FEWEST, Row
from reports.analysis.verdict import Verdict
from reports.locate import BadInput

LEAST, MOST = 2, 100
"""Runs that are compared."""
MOVES = 0.03
"""Standard deviation between runs, of a logarithm, from which on a figure moves."""
FAR = 0.09
"""Logarithm by which one run has to lie apart from all others, which agree, to be the odd one."""
ODD_RUNS = 4
"""Runs from which on one may be the odd one."""

TIME, BY_ROOF, FRACTION = "time", "time x roof", "% of roof"
FIGURES: dict[str, Callable[[Row], Estimate | None]] = {
    TIME: lambda row: row.seconds,
    BY_ROOF: lambda row: row.normalised,
    FRACTION: lambda row: row.fraction,
}
"""What of a point is compared between runs."""

BY_SHARE, WITH_RUN, WITH_ROOF, IN_ONE, WITHIN, BETWEEN = (
    "by share alone",
    "with the run",
    "with the roof",
    "in one run",
    "within intervals",
    "from run to run",
)
ADVICE = {
    BETWEEN: "each run has a speed of its own, which no longer run finds: measure more runs, and judge by runs",
    IN_ONE: "one run differs and the others agree: read the warnings of that run, and measure it again",
    WITHIN: "intervals are wide and hold it: a larger budget_seconds, or a quieter machine, narrows them",
    WITH_RUN: "whole runs are faster or slower: hold sides against each other that took turns, A B B A, as repeat does",
    WITH_ROOF: "the memory's speed moves and the step with it: compare it by % of roof, or by time x roof",
    BY_SHARE: "the time holds while the roof beside it moves: judge it by time, and give its share as a range",
}
"""How a point moves, what worries most first, and what to do about it."""


class Pairs(NamedTuple):
    """Of how many pairs of runs, how many are of a kind."""

    of_kind: int
    all: int

    @property
    def share(self) -> float | None:
        """None where there is no pair."""
        return self.of_kind / self.all if self.all else None


@dataclass(frozen=True, slots=True)
class Repeated:
    """One point over the runs; by run None where that has no good one.

    spread    by figure, the standard deviation of its logarithm between runs; None where fewer than two have it
    apart     of the time, each run less its drift
    disjoint  by figure, pairs of runs whose 95 % intervals have nothing in common
    moves     one of ADVICE; None where it holds still
    odd       the index of the run that differs alone
    """

    case: Case
    implementation: str
    rows: tuple[Row | None, ...]
    verdicts: tuple[Verdict | None, ...]
    spread: dict[str, float | None]
    apart: float | None
    disjoint: dict[str, Pairs]
    moves: str | None
    odd: int | None

    def figure(self, name: str) -> tuple[Estimate | None, ...]:
        """One of FIGURES, by run."""
        return tuple(FIGURES[name](row) if row else None for row in self.rows)


@dataclass(frozen=True, slots=True)
class Repeatability:
    """Runs, points as they are listed, and by figure the drift of each run.

    drift  a logarithm, the median over the points that every run has; None where these are too few
    """

    names: tuple[str, ...]
    analyses: tuple[Analysis, ...]
    drift: dict[str, tuple[float | None, ...]]
    points: tuple[Repeated, ...]

    def disjoint(self, figure: str) -> Pairs:
        """Over all points: pairs of runs whose intervals have nothing in common."""
        found = [point.disjoint[figure] for point in self.points]
        return Pairs(sum(one.of_kind for one in found), sum(one.all for one in found))


def repeated(analyses: Sequence[Analysis], names: Sequence[str]) -> Repeatability:
    """Hold runs against one another. Raises BadInput where they are not of one machine, method and suite's points."""
    _refuse(analyses, names)
    held = [analysis.held for analysis in analyses]
    order = {point.key: point for analysis in analyses for point in analysis.ordered}
    keys = [
        point.key
        for point in sorted(order.values(), key=points.order)
        if sum(point.key in one for one in held) >= LEAST
    ]
    if not keys:
        raise BadInput(
            f"{names[0]}: no good point in common with another run: name runs of one suite"
        )
    rows = {key: [one[key][0] if key in one else None for one in held] for key in keys}
    drift = {name: _drift(list(rows.values()), name) for name in FIGURES}
    found = []
    for key in keys:
        verdicts = tuple(one[key][1] if key in one else None for one in held)
        point = order[key]
        found.append(_repeated(point.case, point.implementation, rows[key], verdicts, drift[TIME]))
    drifts = {name: tuple(by_run) for name, by_run in drift.items()}
    return Repeatability(tuple(names), tuple(analyses), drifts, tuple(found))


def _refuse(analyses: Sequence[Analysis], names: Sequence[str]) -> None:
    if not LEAST <= len(analyses) <= MOST:
        raise BadInput(f"repeatability takes {LEAST} to {MOST} runs: {len(analyses)} given")
    first = analyses[0].profile
    for analysis, name in zip(analyses[1:], names[1:], strict=True):
        other = analysis.profile
        if other.machine.get("id") != first.machine.get("id"):
            raise BadInput(f"{name}: of another machine than {names[0]}: name runs of one machine")
        if other.method != first.method:
            raise BadInput(
                f"{name}: of method {other.method}, and {names[0]} of method {first.method}: name runs of one method"
            )
    samples = [{p.key: p.seconds for p in one.profile.points if p.seconds} for one in analyses]
    for (name, known), (again, second) in combinations(zip(names, samples, strict=True), 2):
        common = known.keys() & second.keys()
        if common and all(known[key] == second[key] for key in common):
            raise BadInput(f"{again}: the same run as {name}: name each run once")


def _repeated(
    case: Case,
    implementation: str,
    rows: Sequence[Row | None],
    verdicts: tuple[Verdict | None, ...],
    drift: Sequence[float | None],
) -> Repeated:
    figures = {name: [of(row) if row else None for row in rows] for name, of in FIGURES.items()}
    spread = {name: _spread(_logs(found)) for name, found in figures.items()}
    disjoint = {name: disjoint_pairs(found) for name, found in figures.items()}
    times = _logs(figures[TIME])
    known = [None not in (one, by) for one, by in zip(times, drift, strict=True)]
    apart = None
    if any(known):
        times = [
            one - by if one is not None and by is not None else None
            for one, by in zip(times, drift, strict=True)
        ]
        apart = _spread(times)
    odd = odd_run(times)
    moves = _moves(spread, apart, odd, disjoint[TIME])
    return Repeated(
        case,
        implementation,
        tuple(rows),
        verdicts,
        spread,
        apart,
        disjoint,
        moves,
        odd if moves == IN_ONE else None,
    )


def _moves(
    spread: dict[str, float | None], apart: float | None, odd: int | None, disjoint: Pairs
) -> str | None:
    """How a point moves, by what explains it first."""

    def still(value: float | None) -> bool:
        return value is not None and value < MOVES

    if spread[TIME] is None or still(spread[TIME]):
        return None if spread[FRACTION] is None or still(spread[FRACTION]) else BY_SHARE
    if still(apart):
        return WITH_RUN
    if still(spread[BY_ROOF]):
        return WITH_ROOF
    if odd is not None:
        return IN_ONE
    return BETWEEN if disjoint.of_kind else WITHIN


def _logs(found: Sequence[Estimate | None]) -> list[float | None]:
    return [log(one.median) if one and one.median > 0 else None for one in found]


def _spread(logs: Sequence[float | None]) -> float | None:
    known = [one for one in logs if one is not None]
    return stdev(known) if len(known) >= LEAST else None


def _drift(rows: Sequence[Sequence[Row | None]], name: str) -> list[float | None]:
    """By run the median, over the points that every run has, of the logarithm of a figure over its mean of all runs."""
    logs = [_logs([FIGURES[name](row) if row else None for row in one]) for one in rows]
    whole = [[value for value in one if value is not None] for one in logs]
    count = len(logs[0])
    common = [(one, fmean(one)) for one in whole if len(one) == count]
    if len(common) < FEWEST:
        return [None] * count
    return [median([one[run] - middle for one, middle in common]) for run in range(count)]


def disjoint_pairs(found: Sequence[Estimate | None]) -> Pairs:
    """Pairs of runs, and how many have intervals without anything in common."""
    known = [one for one in found if one is not None]
    pairs = list(combinations(known, 2))
    return Pairs(sum(max(a.low, b.low) > min(a.high, b.high) for a, b in pairs), len(pairs))


def odd_run(logs: Sequence[float | None]) -> int | None:
    """The run that lies FAR from all others, where those agree within MOVES; None where there is none."""
    known = {run: value for run, value in enumerate(logs) if value is not None}
    if len(known) < ODD_RUNS:
        return None
    middle = median(list(known.values()))
    odd = max(known, key=lambda run: abs(known[run] - middle))
    others = [value for run, value in known.items() if run != odd]
    far = min(abs(known[odd] - value) for value in others)
    return odd if far > FAR and stdev(others) < MOVES else None
