"""Is something slower after than before, by what runs differ among themselves? Pure: logarithms in, judgements out.

A run moves all its points together: a clock, a neighbour. So each run is centred on its median point, and what is left
tells one point from the others; what the medians themselves moved by is judged apart, as the *common effect*. Half of
the chance of a false alarm goes to each.

The variance of a difference is that of both sides' runs, which need not scatter alike (Welch, Biometrika 34, 1947, with
Satterthwaite's degrees of freedom). Three or four runs know it badly, so it is moderated by what all points' variances
are like (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004), but never below the point's own:
points do not all scatter alike either. Simulations in tests/statistics/gates.py hold all this to what it promises.
"""

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from bench.profile.stats import Spread, moderated, prior, student

Array = NDArray[np.float64]

RUNS = 3
"""Least runs a side."""
FALSE_ALARM = 0.05
"""Share of gates that may fail though nothing is slower than allowed."""
OVERLOOKED = 0.05
"""Share of gates that may pass though one certain point is slower than allowed."""
POWER = 0.8
"""A slow-down that is found in this share of gates is one that a gate can tell."""
MOST_RUNS = 99
"""More runs a side are not advised."""
CENTRED = 5
"""From so many points on their median is what all of them have in common."""


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much a logarithm rose from the runs before to those after.

    middle   the difference of the two sides' means
    error    its standard error, by so many runs a side (the harmonic mean of both sides')
    own      degrees of freedom of that by its own runs; `lent` those that the other points' variances add
    """

    middle: float
    error: float
    own: float
    lent: float
    runs: float

    def low(self, chance: float) -> float:
        """The true shift is below it in `chance` of all cases at most."""
        return self.middle - self._quantile(1 - chance) * self.error

    def high(self, chance: float) -> float:
        """The true shift is above it in `chance` of all cases at most."""
        return self.middle + self._quantile(1 - chance) * self.error

    def found(self, allowed: float, chance: float) -> float:
        """The true shift from which on its `low` is above `allowed` in POWER of all cases."""
        return allowed + (self._quantile(1 - chance) + self._quantile(POWER)) * self.error

    def needed(self, asked: float, share: float) -> int | None:
        """Runs a side with which no shift at all is told from `asked` in this share of cases; None: over MOST_RUNS."""

        def tells(runs: int) -> bool:
            freedom = self.own * (runs - 1) / max(1.0, self.runs - 1) + self.lent
            reach = student(1 - OVERLOOKED, freedom) + student(share, freedom)
            return reach * self.error * sqrt(self.runs / runs) <= asked

        runs = bisect_left(range(MOST_RUNS + 1), True, lo=RUNS, key=tells)
        return runs if runs <= MOST_RUNS else None

    def _quantile(self, probability: float) -> float:
        return student(probability, self.own + self.lent)


@dataclass(frozen=True, slots=True)
class Judged:
    """A shift held against what is allowed. Its figures are ratios of after to before.

    shift    what is judged; `bare` the same without what its run has in common taken out
    allowed  fails what is surely above; `asked` passes what is surely not above
    chance   of failing though it is no slower than allowed
    share    of cases in which it should pass where nothing changed
    """

    shift: Shift
    bare: Shift
    allowed: float
    asked: float
    chance: float
    share: float

    @property
    def ratio(self) -> float:
        """As seen."""
        return _ratio(self.shift.middle)

    @property
    def low(self) -> float:
        """It is surely slower than this."""
        return _ratio(self.shift.low(self.chance))

    @property
    def high(self) -> float:
        """It is surely not slower than this: beside the others, or by its own times."""
        return _ratio(min(one.high(OVERLOOKED) for one in (self.shift, self.bare)))

    @property
    def found(self) -> float:
        """The slow-down that would fail in POWER of cases."""
        return _ratio(self.shift.found(log(self.allowed), self.chance))

    @property
    def failed(self) -> bool:
        """Surely slower than allowed; not one that is so only beside others that became faster."""
        least = log(self.allowed)
        return self.shift.low(self.chance) > least and self.bare.middle > least

    @property
    def undecided(self) -> bool:
        """Neither failed nor surely not slower than asked."""
        return not self.failed and self.high > self.asked

    @property
    def needed(self) -> int | None:
        """Runs a side that would let it pass if nothing changed; None: more than MOST_RUNS."""
        return self.shift.needed(log(self.asked), self.share)


def judge(
    logs: Array, before: int, kinds: Sequence[Hashable], allowed: float, asked: float
) -> tuple[list[Judged], dict[Hashable, Judged]]:
    """Every point of `logs` (run, point), and the common effect of each kind of points that has CENTRED or more.

    The first `before` rows are the runs before. Points are centred within their kind, for what moves times need not
    move times x roofs. `allowed` and `asked` are ratios: above the first fails, surely not above the second passes.
    Raises ValueError for fewer than two runs a side.
    """
    if min(before, len(logs) - before) < 2:
        raise ValueError("a side of one run tells nothing of the next")
    members: dict[Hashable, list[int]] = {}
    for index, kind in enumerate(kinds):
        members.setdefault(kind, []).append(index)
    points: dict[int, tuple[Shift, Shift]] = {}
    commons: dict[Hashable, Shift] = {}
    for kind, indices in members.items():
        of_kind = logs[:, indices]
        found = bare = shifts(of_kind, before, lending=False)
        if len(indices) >= CENTRED:
            effects = common_effects(of_kind, before)[:, None]
            found = shifts(of_kind - effects, before, lending=True)
            commons[kind] = shifts(effects, before, lending=False)[0]
        points |= dict(zip(indices, zip(found, bare, strict=True), strict=True))
    chance = FALSE_ALARM / 2 if commons else FALSE_ALARM
    each, whole = chance / len(kinds), chance / max(1, len(commons))
    share = POWER ** (1 / len(kinds))
    rows = [Judged(*points[i], allowed, asked, each, share) for i in range(len(kinds))]
    apart = {kind: Judged(one, one, allowed, asked, whole, POWER) for kind, one in commons.items()}
    return rows, apart


def common_effects(logs: Array, before: int) -> Array:
    """What moves all points of a run alike: the median over points of how far each is from its own middle."""
    middles = (logs[:before].mean(axis=0) + logs[before:].mean(axis=0)) / 2
    found: Array = np.median(logs - middles, axis=1)
    return found


def shifts(logs: Array, before: int, *, lending: bool) -> list[Shift]:
    """Of each point (column) the shift, its variance moderated by those of all where they are `lending`."""
    after = len(logs) - before
    sides = (logs[:before], logs[before:])
    counts = (before, after)
    parts = [
        np.var(side, axis=0, ddof=1) / count for side, count in zip(sides, counts, strict=True)
    ]
    middles = (sides[1].mean(axis=0) - sides[0].mean(axis=0)).tolist()
    own = [
        _welch(*each, *counts) for each in zip(parts[0].tolist(), parts[1].tolist(), strict=True)
    ]
    known = prior([one.variance for one in own], [one.freedom for one in own]) if lending else None
    runs = 2 / (1 / before + 1 / after)
    found = []
    for middle, one in zip(middles, own, strict=True):
        variance = max(one.variance, moderated(*one, known).variance)
        lent = known.freedom if known else 0.0
        found.append(Shift(middle, sqrt(variance), one.freedom, lent, runs))
    return found


def _welch(below: float, above: float, before: int, after: int) -> Spread:
    """The variance of a difference of two means, from that of each, and Satterthwaite's degrees of freedom."""
    both = below + above
    if not both:
        return Spread(0.0, before + after - 2.0)
    shares = (below / both) ** 2 / (before - 1) + (above / both) ** 2 / (after - 1)
    return Spread(both, 1 / shares)


def _ratio(logarithm: float) -> float:
    return float(np.exp(min(logarithm, 700.0)))
