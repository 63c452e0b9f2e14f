"""Medians, intervals and ratios. Pure functions of numbers; standard library only."""

import statistics
from collections.abc import Sequence
from functools import cache
from math import comb, sqrt
from typing import NamedTuple

median = statistics.median
"""The middle value; the mean of the two middle ones of an even count. Raises ValueError on none."""


class Estimate(NamedTuple):
    """A median and the interval that holds the true one."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval as a fraction of the median; infinite for a median of zero."""
        return (self.high - self.low) / 2 / self.median if self.median else float("inf")


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, linear between neighbours (Hyndman and Fan's type 7). Raises ValueError on none."""
    if not values:
        raise ValueError("quantile of no values")
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Median with a distribution-free interval.

    The k-th smallest and k-th largest of n values hold the population's median with probability
    1 - 2 * P(Binomial(n, 1/2) < k); the largest k that keeps `confidence` is taken (Conover, Practical Nonparametric
    Statistics, 3.2). With fewer than 6 values even the extremes do not reach 95 %: they are given all the same.
    """
    ordered = sorted(values)
    k = _rank(len(ordered), confidence)
    return Estimate(median(ordered), ordered[k - 1], ordered[len(ordered) - k])


@cache
def _rank(n: int, confidence: float) -> int:
    """The largest k whose interval keeps `confidence`; at least 1."""
    if n >= 1024:
        z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
        return max(1, int(n / 2 - z * sqrt(n) / 2))
    k, tail = 1, 1 / 2**n
    while k < n // 2:
        tail += comb(n, k) / 2**n
        if 2 * tail > 1 - confidence:
            break
        k += 1
    return k
