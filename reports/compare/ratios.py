"""Ratios of times with intervals, and what they say. Pure and repeatable: resampling is seeded.

The interval is of a bootstrap that draws as the samples came about: runs of a side, of each run its visits, of each
visit its rounds, each with replacement (Kalibera and Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013). What
few units scatter is drawn too small, so of n runs or visits it is made wider by sqrt(n / (n - 1)), and by Student's
quantile over the normal one (Hesterberg, The American Statistician 69, 2015, section 4.1). One run says nothing of the
next: its interval is of visits or rounds within that run.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, inf, log, sqrt

import numpy as np
from numpy.typing import NDArray

from bench.profile.stats import Estimate, student
from reports.compare.system import Samples, middle

Array = NDArray[np.float64]

RESAMPLES = 2000
SEED = 0
SAME = 1.02
"""Two times within this factor are the same for whoever has to choose."""
FOLLOWS = 1.1
"""A step follows a ratio of roofs that its own ratio of times meets within this factor."""
WORDS = ("slower", "same", "faster", "ambiguous")
"""What a time ratio may say."""


def ratio(before: Samples, after: Samples) -> Estimate:
    """The middle of `after` over that of `before`, above 1 where it takes longer."""
    return mean([(before, after)])


def mean(pairs: Sequence[tuple[Samples, Samples]]) -> Estimate:
    """The geometric mean of many ratios of the same runs. Raises ValueError on none.

    All points of a resample are of the runs that it drew: a run that is slow is so for all of them, and no number of
    points averages that away. Rounds and visits are drawn for each point alone. Samples that agree number by number are
    one measurement, not two: their ratio is 1 without any spread.
    """
    if not pairs:
        raise ValueError("mean of no ratios")
    drawn = np.zeros(RESAMPLES)
    for index, (before, after) in enumerate(pairs):
        if _plain(before) == _plain(after):
            continue
        drawn += _drawn(after, 1, index) - _drawn(before, 0, index)
    centre = sum(log(middle(after) / middle(before)) for before, after in pairs) / len(pairs)
    low, high = np.quantile(drawn / len(pairs), (0.025, 0.975)) - centre
    wider = _wider(*pairs[0])
    low, high = centre + wider * min(float(low), 0.0), centre + wider * max(float(high), 0.0)
    return Estimate(exp(centre), _exp(low), _exp(high))


def judged(value: Estimate) -> str:
    """Which of WORDS a time ratio says.

    same       the whole interval lies within SAME of 1
    slower     the interval lies above 1 and the ratio beyond SAME; faster the other way
    ambiguous  anything else: the samples do not tell
    """
    if value.low >= 1 / SAME and value.high <= SAME:
        return "same"
    if value.low > 1 and value.median > SAME:
        return "slower"
    if value.high < 1 and value.median < 1 / SAME:
        return "faster"
    return "ambiguous"


def followed(taken: float, candidates: dict[str, float | None]) -> tuple[str, ...]:
    """The candidates that `taken` meets within FOLLOWS, the nearest first."""
    apart = {
        name: abs(np.log(taken / value)) for name, value in candidates.items() if value is not None
    }
    near = [name for name, distance in apart.items() if distance <= np.log(FOLLOWS)]
    return tuple(sorted(near, key=lambda name: float(apart[name])))


def _drawn(samples: Samples, side: int, point: int) -> Array:
    """Resampled logarithms of the middle of one side of a point: runs, visits, rounds."""
    runs = []
    for run, visits in enumerate(samples):
        rounds = []
        for visit, values in enumerate(visits):
            taken = np.asarray(values)[_indices(len(values), side, point, run, visit)]
            rounds.append(np.log(np.median(taken, axis=1)))
        runs.append(_averaged(rounds, side, point, run))
    return _averaged(runs, side)  # the same runs for every point


def _averaged(parts: Sequence[Array], *which: int) -> Array:
    """Of each resample the mean of the parts it drew; a part drawn twice is resampled anew the second time."""
    count = len(parts)
    if count == 1:
        return parts[0]
    indices = _indices(count, *which)
    every = np.stack(parts, axis=1)
    rows = np.arange(RESAMPLES)
    shift = RESAMPLES // count
    found: Array = np.mean(
        [every[(rows + slot * shift) % RESAMPLES, indices[:, slot]] for slot in range(count)],
        axis=0,
    )
    return found


def _wider(before: Samples, after: Samples) -> float:
    """By how much the deviations of so few runs are too small; where a side has one run, of so few visits; else 1."""
    counts = [len(before), len(after)]
    if min(counts) == 1:
        counts = [sum(map(len, side)) for side in (before, after)]
    if min(counts) == 1:
        return 1.0
    freedom = sum(counts) - 2
    few = max(count / (count - 1) for count in counts)
    return sqrt(few) * student(0.975, freedom) / student(0.975, inf)


def _plain(samples: Samples) -> list[float]:
    return [value for run in samples for visit in run for value in visit]


def _exp(logarithm: float) -> float:
    return float(np.exp(min(logarithm, 700.0)))


@lru_cache(maxsize=128)
def _indices(count: int, *which: int) -> NDArray[np.uint16]:
    """Which of `count` each resample takes; `which` keeps sides, points, runs and visits independent."""
    generator = np.random.default_rng((SEED, count, *which))
    return generator.integers(0, count, size=(RESAMPLES, count), dtype=np.uint16)
