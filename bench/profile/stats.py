"""Medians, intervals and ratios. Pure functions of numbers; scipy is imported where a distribution is asked for.

Samples of one visit share the state that the machine was in. How far they scatter says how well that visit's median is
known, and nothing of the next visit's. So there are two kinds of interval: `estimate`'s of samples that are alike, and
`of_visits`' of a figure that another visit finds again.
"""

import statistics
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from math import comb, exp, fsum, inf, log, sqrt
from typing import NamedTuple, Protocol

median = statistics.median
"""The middle value; the mean of the two middle ones of an even count. Raises ValueError on none."""

CONFIDENCE = 0.95
LEAST_VARIANCES = 3
"""Fewer variances tell nothing of how variances are spread."""
WIDEST = 200.0
"""Logarithm by which an interval reaches at most: no two figures lie so far apart, and no ratio overflows."""
NO_SPREAD = 1e-16
"""A variance of logarithms below it is rounding, or samples that were copied: it tells nothing of a machine."""


class Estimate(NamedTuple):
    """A middle figure and the interval that holds the true one."""

    median: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the interval as a fraction of the median; infinite for a median of zero."""
        return (self.high - self.low) / 2 / self.median if self.median else inf


class Spread(NamedTuple):
    """A variance of logarithms, and by how many degrees of freedom it is known; they may be infinite."""

    variance: float
    freedom: float


class Rounds(Protocol):
    """Rounds that followed one another, as a profile's Visit counts them."""

    @property
    def rounds(self) -> int:
        """How many they are."""


def quantile(values: Sequence[float], q: float) -> float:
    """The q-quantile, linear between neighbours (Hyndman and Fan's type 7). Raises ValueError on none."""
    if not values:
        raise ValueError("quantile of no values")
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Median of samples that are alike, with an interval for any distribution.

    The k-th smallest and k-th largest of n values hold the population's median with probability
    1 - 2 * P(Binomial(n, 1/2) < k) (Conover, Practical Nonparametric Statistics, 3.2). Between the largest k that keeps
    `confidence` and the next one the ends are interpolated, so that hardly more than it is kept (Hettmansperger and
    Sheather, Statistics & Probability Letters 4, 1986). With fewer than 6 values even the extremes do not reach 95 %:
    they are given all the same. Raises ValueError on none.
    """
    ordered, middle = sorted(values), median(values)
    k, part = _rank(len(ordered), confidence)
    low, high = ordered[k - 1], ordered[-k]
    if part:
        low += part * (ordered[k] - low)
        high += part * (ordered[-k - 1] - high)
    return Estimate(middle, low, high)


@cache
def _rank(n: int, confidence: float) -> tuple[int, float]:
    """The largest k whose interval keeps `confidence`, at least 1; and which part of the way to k + 1 to go."""
    if n >= 1024:
        z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
        return max(1, int(n / 2 - z * sqrt(n) / 2)), 0.0
    k, kept = 1, 1 - 2 / 2**n
    while 2 * (k + 1) <= n:
        fewer = kept - 2 * comb(n, k) / 2**n
        if fewer < confidence:
            way = (kept - confidence) / (kept - fewer)
            return k, max(0.0, (n - k) * way / (k + (n - 2 * k) * way))
        k, kept = k + 1, fewer
    return k, 0.0


def by_visit(values: Sequence[float], visits: Sequence[Rounds] | None) -> list[Sequence[float]]:
    """A row of values, one a round, cut into its visits; all one where these are not told. No visit is empty."""
    found, start = [], 0
    for visit in visits or ():
        found.append(values[start : start + visit.rounds])
        start += visit.rounds
    return [one for one in (*found, values[start:]) if one]


def between(values: Sequence[float], visits: Sequence[Rounds] | None) -> Spread:
    """How far the medians of a row's visits lie apart."""
    return spread([median(one) for one in by_visit(values, visits)])


def spread(medians: Sequence[float]) -> Spread:
    """The variance of the logarithms of visits' medians; of fewer than two nothing is known."""
    freedom = len(medians) - 1
    if freedom < 1:
        return Spread(0.0, 0)
    logs = [log(one) for one in medians]
    middle = fsum(logs) / len(logs)
    return Spread(fsum([(one - middle) ** 2 for one in logs]) / freedom, freedom)


def over(
    values: Sequence[float], visits: Sequence[Rounds] | None, prior: Spread | None
) -> Estimate:
    """Of a row of positive values, one a round: over its visits where these are told, else as samples that are alike.

    `prior` is of other rows of the same figure. Raises ValueError on none.
    """
    medians = [median(one) for one in by_visit(values, visits)]
    if not visits or (len(medians) == 1 and prior is None):
        return estimate(values)
    return of_visits(medians, prior)


def of_visits(
    medians: Sequence[float], prior: Spread | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """The geometric mean of visits' medians, with Student's interval of their logarithms.

    The logarithms' variance is moderated by `prior`, which other points tell; one visit has the prior's alone. Raises
    ValueError for one visit without a prior, and for none.
    """
    if not medians:
        raise ValueError("no visits have no middle")
    middle = fsum([log(one) for one in medians]) / len(medians)
    known = moderated(*spread(medians), prior)
    if not known.freedom:
        raise ValueError("one visit tells nothing of the next: give a prior")
    reach = student((1 + confidence) / 2, known.freedom) * sqrt(known.variance / len(medians))
    reach = min(reach, WIDEST)
    return Estimate(exp(middle), exp(middle - reach), exp(middle + reach))


def prior(spreads: Iterable[Spread]) -> Spread | None:
    """How variances of many points are spread: a scaled inverse chi-squared distribution, by its scale and freedom.

    Fitted to mean and variance of log variances (Smyth, Statistical Applications in Genetics and Molecular Biology 3,
    2004, section 6.2). The freedom is infinite where variances scatter no more than equal ones do. None for fewer than
    LEAST_VARIANCES that tell anything.
    """
    from scipy.special import digamma, polygamma

    known = [one for one in spreads if one.variance > NO_SPREAD and one.freedom > 0]
    if len(known) < LEAST_VARIANCES:
        return None
    halves = [freedom / 2 for _, freedom in known]
    expected = {half: float(digamma(half)) - log(half) for half in set(halves)}
    chance = {half: float(polygamma(1, half)) for half in expected}
    logs = [log(variance) - expected[freedom / 2] for variance, freedom in known]
    middle = fsum(logs) / len(logs)
    scatter = fsum((one - middle) ** 2 for one in logs) / (len(logs) - 1)
    beyond = scatter - fsum(chance[half] for half in halves) / len(halves)
    if beyond <= 0:
        return Spread(exp(middle), inf)
    half = _trigamma_inverse(beyond)
    return Spread(exp(middle + float(digamma(half)) - log(half)), 2 * half)


def moderated(variance: float, freedom: float, prior: Spread | None) -> Spread:
    """A point's variance and the prior's, weighed by their degrees of freedom (Smyth 2004, section 3)."""
    if prior is None:
        return Spread(variance, freedom)
    if prior.freedom == inf:
        return prior
    total = freedom + prior.freedom
    return Spread((freedom * variance + prior.freedom * prior.variance) / total, total)


def _trigamma_inverse(value: float) -> float:
    """The x whose trigamma is `value`, by Newton's method on its reciprocal (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    if value > 1e7:
        return 1 / sqrt(value)
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x


@lru_cache(maxsize=4096)
def student(probability: float, freedom: float) -> float:
    """The quantile of Student's t; the normal one for infinite degrees of freedom."""
    if freedom == inf:
        return statistics.NormalDist().inv_cdf(probability)
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def ratio(above: Estimate, below: Estimate) -> Estimate:
    """A ratio of two independent positive figures, its interval by MOVER on their logarithms.

    How far each figure may lie from its middle on one side is squared, added up, and the root taken (Donner and Zou,
    Statistical Methods in Medical Research 21, 2012): the worst ends of both would hold far more than 95 %.
    """
    middle = log(above.median / below.median)
    low = _joined(log(above.median / above.low), log(below.high / below.median))
    high = _joined(log(above.high / above.median), log(below.median / below.low))
    return Estimate(exp(middle), exp(middle - low), exp(middle + high))


def _joined(one: float, other: float) -> float:
    return sqrt(one * one + other * other)
