"""Ratios of medians with bootstrap intervals, and what they say. Pure and repeatable: resampling is seeded.

The bootstrap is numpy's generator and percentiles of the resampled ratio of medians (Efron and Tibshirani, An
Introduction to the Bootstrap, chapter 13); scipy is no dependency of this suite.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.profile.stats import Estimate, median

Array = NDArray[np.float64]

RESAMPLES = 2000
SEED = 0
SAME = 1.02
"""Two times within this factor are the same for whoever has to choose."""
FOLLOWS = 1.1
"""A step follows a ratio of roofs that its own ratio of times meets within this factor."""
WORDS = ("slower", "same", "faster", "ambiguous")
"""What a time ratio may say."""


def logs(before: Sequence[float], after: Sequence[float]) -> Array:
    """Resampled logarithms of median(after) / median(before).

    Samples that agree number by number are one measurement, not two: their ratio is 1 without any spread.
    """
    if tuple(before) == tuple(after):
        return np.zeros(RESAMPLES)
    below, above = (
        np.log(np.median(np.asarray(samples)[_indices(len(samples), side)], axis=1))
        for side, samples in enumerate((before, after))
    )
    found: Array = above - below
    return found


def interval(middle: float, resampled: Array) -> Estimate:
    """`middle` with the 95 % interval of resampled logarithms; it always holds the middle."""
    low, high = np.exp(np.quantile(resampled, (0.025, 0.975)))
    return Estimate(middle, min(float(low), middle), max(float(high), middle))


def ratio(before: Sequence[float], after: Sequence[float]) -> Estimate:
    """median(after) / median(before), above 1 where it takes longer."""
    return interval(median(after) / median(before), logs(before, after))


def mean(pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Estimate:
    """The geometric mean of many ratios. Raises ValueError on none."""
    if not pairs:
        raise ValueError("mean of no ratios")
    middles = [np.log(median(after) / median(before)) for before, after in pairs]
    # Shuffled apart: the resamples of two points must not move together.
    generator = np.random.default_rng(SEED)
    spread: Any = sum(generator.permutation(logs(*pair)) for pair in pairs) / len(pairs)
    return interval(float(np.exp(np.mean(middles))), spread)


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


@cache
def _indices(count: int, side: int) -> NDArray[np.int64]:
    """Which of `count` samples each resample takes; `side` keeps the two sides of a ratio independent."""
    generator = np.random.default_rng((SEED, side, count))
    return generator.integers(0, count, size=(RESAMPLES, count))
