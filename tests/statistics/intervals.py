"""A point's interval over visits: how often it holds the truth, and how wide it is, on machines of every kind.

A profile of POINTS points is simulated as often as it takes; each point's visits have a deviation of their own, up to
twice as large at one point as at another. Rounds of a visit scatter as those of the gallery's profiles do, the calmest
of which have a median of 4 %.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.profile import stats
from tests.statistics import machines
from tests.statistics.promises import Promise

POINTS, ROUNDS, ROUND_SD = 60, 4, 0.04
CAMPED_ROUNDS = 10
"""Of method 2, which took all of a point's rounds in one visit."""


def _intervals(random, trials, visits, sd, kind):
    """Estimates of points whose truth is 1."""
    found = []
    while len(found) < trials:
        scale = np.exp(0.35 * random.standard_normal((POINTS, 1, 1)))
        logs = machines.effects(random, (POINTS, visits, 1), sd, kind) * scale
        logs = logs + machines.effects(random, (POINTS, visits, ROUNDS), ROUND_SD)
        medians = np.exp(np.median(logs, axis=2))
        variances = np.var(np.log(medians), axis=1, ddof=1)
        prior = stats.prior(variances.tolist(), [visits - 1] * POINTS)
        found += [stats.of_visits(one.tolist(), prior) for one in medians]
    return found[:trials]


def _camped(random, trials, sd):
    """Method 2's estimates: rounds of one visit, between whole ranks, the second smallest and largest of 10."""
    of_visit = machines.effects(random, (trials, 1), sd)
    logs = of_visit + machines.effects(random, (trials, CAMPED_ROUNDS), ROUND_SD)
    ordered = np.exp(np.sort(logs, axis=1))
    middles = np.median(ordered, axis=1)
    return [
        stats.Estimate(*one) for one in zip(middles, ordered[:, 1], ordered[:, -2], strict=True)
    ]


def coverage(random, trials, visits, sd, kind):
    """Share of the intervals that hold the truth."""
    found = _intervals(random, trials, visits, sd, kind)
    return np.mean([one.low <= 1 <= one.high for one in found])


def camped(random, trials, sd):
    """The same of method 2's."""
    return np.mean([one.low <= 1 <= one.high for one in _camped(random, trials, sd)])


def width(random, trials, visits, sd):
    """Mean half-width over that of method 2."""
    wide, narrow = _intervals(random, trials, visits, sd, "normal"), _camped(random, trials, sd)
    return np.mean([one.half_width for one in wide]) / np.mean([one.half_width for one in narrow])


def _covering(visits: int, percent: int, kind: str) -> Promise:
    text = (
        f"a point's interval holds the truth; {visits} visits, {percent} % between visits, {kind}"
    )
    simulate = partial(coverage, visits=visits, sd=percent / 100, kind=kind)
    return Promise(6, text, text, simulate, least=0.93, most=0.97, trials=20_000, quick=2000)


PROMISES = (
    *(_covering(3, percent, kind) for kind in ("normal", "skewed") for percent in (0, 2, 4, 6)),
    *(_covering(6, percent, "normal") for percent in (0, 4)),
    Promise(
        6,
        "interval, two-state",
        "the same on a machine of two states, 4 % to either side, 3 visits",
        partial(coverage, visits=3, sd=0.04, kind="two-state"),
        least=0.72,
        trials=20_000,
        quick=2000,
    ),
    Promise(
        6,
        "interval, camped",
        "for comparison: method 2, all rounds in one visit, at 4 % between visits",
        partial(camped, sd=0.04),
        most=0.7,
        trials=20_000,
        quick=1000,
    ),
    *(
        Promise(
            6,
            f"width, {visits} visits",
            f"half-width of {visits} visits at 4 %, over that of method 2",
            partial(width, visits=visits, sd=0.04),
            most=most,
            trials=5000,
            quick=1000,
            share=False,
            within=0.1,
        )
        for visits, most in ((3, 3.2), (6, 2.0))
    ),
)
