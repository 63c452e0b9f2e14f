"""Is a node slower than the others of its class? Pure: logarithms of times in, judgements out.

A node is held against the *leave-one-out median*: the median of all other nodes of its class, which neither the node
itself nor fewer than half of the others can move, so slow nodes do not hide one another. How far two passes of one node
lie apart tells the noise of a pass; it is pooled over the nodes of a class, so that even two passes each tell it well.
Of a node whose passes lie farther apart than those of the others allow (F-test) its own noise counts, and theirs is
pooled without it. The error of a difference is

    sqrt(noise^2 / passes + noise^2 x v / passes of the others),   v(n) = pi / (2 (n - 1) + pi),

v being about the variance of a median of n values over that of one (exact for n = 1, and for many: pi / 2 n). Student's
interval holds for all nodes at once (Bonferroni), for steps at one half of the chance of a false alarm, for all other
figures of all nodes at the other half. Slow is what lies beyond its interval and by more than asked.

The smallest slowdown that could be told is the one that would be found in POWER of fleets: the noncentral t's shift.
Simulations in tests/statistics/fleets.py hold all this to what it promises.
"""

from dataclasses import dataclass
from functools import cache
from math import log, pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.profile.stats import Spread, moderated, prior, student
from reports.compare.between_runs import POWER

Array = NDArray[np.float64]
Word = Literal["slow", "fast", "same", "not told apart"]
SLOW: Word = "slow"
FAST: Word = "fast"
SAME: Word = "same"
UNTOLD: Word = "not told apart"

FALSE_ALARM = 0.03
"""Share of fleets without a slow node in which one is called slow, where noise is normal and alike on all nodes: less
than the one in twenty that is promised, for setting noisy nodes aside takes a little of the noise away."""
FAR = 100.0
"""Errors beyond which the noncentral t has a limit, and scipy's search for it no end."""
MOST_TOLD = log(10)
"""Logarithm of the smallest slowdown told: passes that tell none below it tell nothing."""
NOISY = 0.999
"""A node whose passes lie farther apart than those of so many nodes would is judged by its own noise."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Nodes (rows) of one class by figures (columns), on logarithms; NaN where a node lacks a figure.

    shift  by how much a node takes longer than the median of the others; `low` and `high` are its interval, without an
           end where no node has two passes
    told   by figure, the smallest shift that would be found in POWER of fleets; NaN where passes tell no noise
    noise  by figure, the deviation of a pass
    own    the variance of each node's passes, by `freedom` degrees
    """

    shift: Array
    low: Array
    high: Array
    told: Array
    noise: Array
    own: Array
    freedom: Array

    def of(self, figures: NDArray[np.bool_]) -> "Judged":
        """The same of some figures alone."""
        by_node = (self.shift, self.low, self.high, self.own, self.freedom)
        shift, low, high, own, freedom = (each[:, figures] for each in by_node)
        return Judged(shift, low, high, self.told[figures], self.noise[figures], own, freedom)

    def word(self, node: int, figure: int, slower: float) -> Word | None:
        """What is said of a figure of a node, `slower` being a ratio; None where the node lacks it."""
        shift, low, high = (each[node, figure] for each in (self.shift, self.low, self.high))
        margin = log(slower)
        if np.isnan(shift):
            return None
        if low > 0 and shift > margin:
            return SLOW
        if high < 0 and shift < -margin:
            return FAST
        return SAME if -margin <= low and high <= margin else UNTOLD


def judge(passes: Array, chances: Array, slower: float) -> Judged:
    """Hold every node of a class against the others.

    passes   logarithms of times (node, pass, figure), NaN where there is none
    chances  by figure, of calling one node slow though it is not
    slower   the ratio beyond which a node is slow
    """
    counts = np.sum(~np.isnan(passes), axis=1).astype(float)
    middles, own = means(passes), variances(passes)
    degrees = np.maximum(counts - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        of_all, squares = np.sum(degrees, axis=0), own * degrees
        others_noise = (np.sum(squares, axis=0) - squares) / (of_all - degrees)
        apart = own > others_noise * _noisiest(counts, of_all)
        freedom = np.sum(np.where(apart, 0.0, degrees), axis=0)
        noise = np.sum(np.where(apart, 0.0, squares), axis=0) / freedom
        mine = np.where(apart, own, noise) / counts
        others, beside = leave_one_out(middles), noise * _of_others(counts)
        reach = _students(1 - chances, freedom)
        alone = np.array([_students(1 - chances, most) for most in range(passes.shape[1])])
        of_own = np.take_along_axis(alone, np.maximum(counts - 1, 0).astype(int), axis=0)
        wide = np.where(apart, of_own, reach) * np.sqrt(mine + beside)
        wide = np.where(np.isnan(wide), np.inf, wide)  # nothing tells the noise
        shift = middles - others
        typical = _usual(counts)
        plain = np.sqrt(noise / typical * (1 + median_variance(np.sum(counts > 0, axis=0) - 1)))
    return Judged(
        shift=shift,
        low=shift - wide,
        high=shift + wide,
        told=np.where(
            np.sum(counts > 0, axis=0) > 1, smallest(plain, freedom, reach, log(slower)), np.nan
        ),
        noise=np.sqrt(noise),
        own=own,
        freedom=degrees,
    )


def again(
    suspects: Array,
    later: Array,
    controls: Array,
    beside: Array,
    judged: Judged,
    chance: float,
    slower: float,
) -> NDArray[np.bool_]:
    """Whether suspects were slow again in later passes, which were measured beside controls: (node, figure).

    suspects, controls  their passes that `judged` rests on
    later, beside       those of each that were measured again
    chance              of calling one figure of one of these nodes slow though it is not

    A suspect may be a noisy node rather than a slow one, so its variance is its own, moderated by how unlike the nodes'
    variances are (Smyth 2004), and never less than the noise of all. What moved the controls since, moved all.
    """
    middles = means(beside)
    since = np.nanmedian(middles - means(controls), axis=0)
    least, own = judged.noise**2, variances(np.concatenate([suspects, later - since], axis=1))
    counts = np.sum(~np.isnan(later), axis=1)
    freedom = np.sum(~np.isnan(suspects), axis=1) + counts - 1
    error, reach = np.full(own.shape, np.nan), np.full(own.shape, np.nan)
    priors = [
        prior(map(Spread, *each)) for each in zip(judged.own.T, judged.freedom.T, strict=True)
    ]
    for row, column in np.ndindex(own.shape):
        known = moderated(float(own[row, column]), float(freedom[row, column]), priors[column])
        error[row, column] = max(known.variance, least[column])
        reach[row, column] = _students(1 - chance, known.freedom)
    there, passes = np.sum(~np.isnan(middles), axis=0), np.sum(~np.isnan(beside), axis=(0, 1))
    of_controls = variances(np.concatenate([controls, beside - since], axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        noisy = np.maximum(least, np.nanmean(of_controls, axis=0))
        error = np.sqrt(error / counts + noisy * median_variance(there) * there / passes)
        shift = means(later) - np.nanmedian(middles, axis=0)
        found: NDArray[np.bool_] = (shift > reach * error) & (shift > log(slower))
    return found


def means(passes: Array) -> Array:
    """Of each node the mean of its passes."""
    counts = np.sum(~np.isnan(passes), axis=1)
    with np.errstate(invalid="ignore"):
        found: Array = np.nansum(passes, axis=1) / np.where(counts, counts, np.nan)
    return found


def variances(passes: Array) -> Array:
    """Of each node the variance of its passes, 0 of a single one."""
    counts = np.sum(~np.isnan(passes), axis=1)
    squares = np.nansum((passes - means(passes)[:, None, :]) ** 2, axis=1)
    found: Array = squares / np.maximum(counts - 1, 1)
    return found


def leave_one_out(middles: Array) -> Array:
    """Of each node (row) the median of all others that have the figure; NaN where none has."""
    found = np.full(middles.shape, np.nan)
    for column in range(middles.shape[1]):
        there = ~np.isnan(middles[:, column])
        if np.sum(there) > 1:
            found[there, column] = _without_each(middles[there, column])
    return found


def _without_each(values: Array) -> Array:
    """Of each value the median of all others; of an even number what is nearest between their two middle ones."""
    order = np.argsort(values, kind="stable")
    ordered, rank = values[order], np.empty(len(values), int)
    rank[order] = np.arange(len(values))
    left = len(values) - 1

    def nth(n: int) -> Array:
        """Of each value the n-th smallest of all others, from 0."""
        return ordered[np.where(rank > n, n, n + 1)]

    found: Array = np.clip(values, nth((left - 1) // 2), nth(left // 2))
    return found


def median_variance(count: Array) -> Array:
    """The variance of a median of so many values, over that of one."""
    found: Array = pi / (2 * (np.asarray(count, float) - 1) + pi)
    return found


def smallest(error: Array, freedom: Array, reach: Array, margin: float) -> Array:
    """The least shifts that are found in POWER of fleets: beyond their interval, and beyond the margin."""
    beyond = [_found(float(f), float(r)) for f, r in zip(freedom, reach, strict=True)]
    wide = margin + _students(POWER, freedom) * error
    found: Array = np.maximum(np.array(beyond) * error, wide)
    return np.where(found < MOST_TOLD, found, np.nan)


@cache
def _found(freedom: float, reach: float) -> float:
    """By how many errors a figure must be shifted so that it exceeds `reach` estimated errors in POWER of fleets."""
    from scipy.special import chdtri, nctdtrinc

    if not freedom > 0:
        return np.nan
    if reach > FAR:  # the figure's own error is nothing beside that of the error: chi-squared alone
        return float(reach * np.sqrt(chdtri(freedom, 1 - POWER) / freedom))
    return float(nctdtrinc(freedom, 1 - POWER, reach))


def _noisiest(counts: Array, freedom: Array) -> Array:
    """By how much a node's own variance may be above the noise of the others, by how many passes it has."""
    from scipy.special import fdtri

    own = np.arange(1, max(2, int(counts.max())))[:, None]
    others = freedom[None, :] - own
    known = np.where(others > 0, fdtri(own, np.maximum(others, 1), NOISY), np.inf)
    by_count = np.concatenate([np.full((2, len(freedom)), np.inf), known])
    found: Array = np.take_along_axis(by_count, counts.astype(int), axis=0)
    return found


def _of_others(counts: Array) -> Array:
    """The variance of the median of the others over that of a pass: their number, and how many passes they have."""
    there = counts > 0
    others = np.sum(there, axis=0) - there
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(there, 1 / np.where(there, counts, 1), 0.0)
        found: Array = median_variance(others) * (np.sum(each, axis=0) - each) / others
    return found


def _usual(counts: Array) -> Array:
    """By figure the passes that most nodes have."""
    most = [
        np.bincount(column[column > 0].astype(int)).argmax() if np.any(column > 0) else np.nan
        for column in counts.T
    ]
    return np.array(most, float)


def _students(probabilities: Array | float, freedom: Array | float) -> Array:
    """Quantiles of Student's t, one by one; NaN without a degree of freedom."""
    both = np.broadcast_arrays(np.asarray(probabilities, float), np.asarray(freedom, float))
    found = [
        student(probability, degrees) if degrees > 0 else np.nan
        for probability, degrees in zip(both[0].flat, both[1].flat, strict=True)
    ]
    return np.array(found).reshape(both[0].shape)
