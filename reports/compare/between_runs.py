"""Is something slower after than before, by what runs differ among themselves? Pure: logarithms in, judgements out.

A run moves all its points together: a clock, a neighbour. So each run is centred on its median point, and what is left
tells one point from the others; what the medians themselves moved by is judged apart, as the *common effect*. Half of
the chance of a false alarm goes to each. What a point itself became slower by is both together: nothing passes whose
sum may be more than is asked, and a sum fails by the two bounds that hold at once, which costs no further chance.

The variance of a difference is that of both sides' runs, which need not scatter alike (Welch, Biometrika 34, 1947, with
Satterthwaite's degrees of freedom). Three or four runs know it badly, so it is moderated by what all points' variances
are like (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004), but never below the point's own:
points do not all scatter alike either. Simulations in tests/statistics/gates.py hold all this to what it promises.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import hypot, log, sqrt
from typing import Literal

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
Outcome = Literal["failed", "inconclusive", "passed"]


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

    def reach(self, probability: float) -> float:
        """How far above the true shift this one lies at most, in so many of all cases."""
        return student(probability, self.own + self.lent) * self.error

    def low(self, chance: float) -> float:
        """The true shift is below it in `chance` of all cases at most."""
        return self.middle - self.reach(1 - chance)

    def high(self, chance: float) -> float:
        """The true shift is above it in `chance` of all cases at most."""
        return self.middle + self.reach(1 - chance)

    def found(self, allowed: float, chance: float) -> float:
        """The true shift from which on its `low` is above `allowed` in POWER of all cases."""
        return allowed + self.reach(1 - chance) + self.reach(POWER)

    def of(self, runs: int) -> "Shift":
        """As if there were so many runs a side."""
        own = self.own * (runs - 1) / max(1.0, self.runs - 1)
        return replace(self, error=self.error * sqrt(self.runs / runs), own=own, runs=float(runs))


@dataclass(frozen=True, slots=True)
class Judged:
    """A shift held against what is allowed. Its figures are ratios of after to before, of the whole.

    shift    beside the other points of its kind, or of all that these have in common
    common   what they have in common, which was taken out of `shift`; None where nothing was
    allowed  fails what is surely above; `asked` passes what is surely not above
    chance   of failing though it is no slower than allowed; `whole` of `common`
    share    of cases in which it should pass where nothing changed
    """

    shift: Shift
    common: Shift | None
    allowed: float
    asked: float
    chance: float
    whole: float
    share: float

    @property
    def ratio(self) -> float:
        """As seen, with what all have in common."""
        return _ratio(self._middle)

    @property
    def low(self) -> float:
        """It is surely slower than this, beside others that did not become faster, or by both shifts' bounds."""
        low = self.shift.low(self.chance)
        together = low + self.common.low(self.whole) if self.common else low
        return _ratio(max(together, min(low, self._middle)))

    @property
    def high(self) -> float:
        """It is surely not slower than this: the reaches of both shifts in squares (Donner and Zou 2012)."""
        return _ratio(self._middle + hypot(*(one.reach(1 - OVERLOOKED) for one in self._parts)))

    @property
    def found(self) -> float:
        """The slow-down that would fail in POWER of cases, of this beside the others."""
        return _ratio(self.shift.found(log(self.allowed), self.chance))

    @property
    def failed(self) -> bool:
        """Surely slower than allowed."""
        return self.low > self.allowed

    @property
    def undecided(self) -> bool:
        """Neither failed nor surely not slower than asked."""
        return not self.failed and self.high > self.asked

    @property
    def needed(self) -> int | None:
        """Runs a side that would let it pass in `share` of cases if nothing changed; None: more than MOST_RUNS."""
        shares = (self.share, POWER)

        def tells(runs: int) -> bool:
            parts = [one.of(runs) for one in self._parts]
            sure = hypot(*(one.reach(1 - OVERLOOKED) for one in parts))
            chance = sum(one.reach(share) for one, share in zip(parts, shares, strict=False))
            return sure + chance <= log(self.asked)

        runs = bisect_left(range(MOST_RUNS + 1), True, lo=RUNS, key=tells)
        return runs if runs <= MOST_RUNS else None

    @property
    def _parts(self) -> tuple[Shift, ...]:
        return (self.shift, self.common) if self.common else (self.shift,)

    @property
    def _middle(self) -> float:
        return sum(one.middle for one in self._parts)


def outcome(judged: Iterable[Judged]) -> Outcome:
    """Failed where anything is surely slower; else inconclusive where anything is not surely not slower."""
    every = tuple(judged)
    if any(one.failed for one in every):
        return "failed"
    return "inconclusive" if any(one.undecided for one in every) else "passed"


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
    points: dict[int, Shift] = {}
    commons: dict[Hashable, Shift] = {}
    for kind, indices in members.items():
        of_kind, lending = logs[:, indices], len(indices) >= CENTRED
        if lending:
            effects = common_effects(of_kind, before)[:, None]
            of_kind = of_kind - effects
            (commons[kind],) = shifts(effects, before, lending=False)
        points |= dict(zip(indices, shifts(of_kind, before, lending=lending), strict=True))
    chance = FALSE_ALARM / 2 if commons else FALSE_ALARM
    each, whole = chance / len(kinds), chance / max(1, len(commons))
    share = POWER ** (1 / len(kinds))
    rows = [
        Judged(points[index], commons.get(kind), allowed, asked, each, whole, share)
        for index, kind in enumerate(kinds)
    ]
    apart = {
        kind: Judged(one, None, allowed, asked, whole, whole, POWER)
        for kind, one in commons.items()
    }
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
    known = prior(own) if lending else None
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
