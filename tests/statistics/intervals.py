"""A point's interval over visits: how often it holds the truth, and how wide it is, on machines of every kind.

A profile of POINTS points is simulated as often as it takes; each point's visits have a deviation of their own, up to
twice as large at one point as at another, or as unlike as a real run's. Rounds of a visit scatter as those of the
gallery's profiles do, the calmest of which have a median of 4 %.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.profile import stats
from bench.profile.records import Visit
from tests.reports import synthetic
from tests.statistics import machines
from tests.statistics.promises import Promise

POINTS, ROUNDS, ROUND_SD = 60, 4, 0.04
CAMPED_ROUNDS = 10
"""Of method 2, which took all of a point's rounds in one visit."""
ALIKE, UNLIKE = 0.35, 0.9
"""Deviation of the logarithm of the points' deviations: of a usual machine, and of one whose prior has about 1.5
degrees of freedom, as a real run's has. There rounds scatter by STILL."""
STILL = 0.01
NOISY = POINTS // 4


def _profile(random, visits, sd, kind, unlike=ALIKE, round_sd=ROUND_SD):
    """Estimates of the points of a profile, whose truth is 1, those of the noisiest point first."""
    scale = np.exp(unlike * random.standard_normal((POINTS, 1, 1)))
    logs = machines.effects(random, (POINTS, visits, 1), sd, kind) * scale
    logs = logs + machines.effects(random, (POINTS, visits, ROUNDS), round_sd)
    rows = np.exp(logs).reshape(POINTS, -1).tolist()
    known = (Visit(synthetic.AT, ROUNDS),) * visits
    prior = stats.prior(stats.between(row, known) for row in rows)
    found = [stats.over(row, known, prior) for row in rows]
    return [found[index] for index in np.argsort(-scale.ravel())]


def _intervals(random, trials, visits, sd, kind):
    """Estimates of points whose truth is 1."""
    found = []
    while len(found) < trials:
        found += _profile(random, visits, sd, kind)
    return found[:trials]


def _camped(random, trials, sd):
    """Method 2's estimates: rounds of one visit, between whole ranks, the second smallest and largest of 10.

    Made anew here, only to compare with: no function of the suite's does this any more.
    """
    of_visit = machines.effects(random, (trials, 1), sd)
    logs = of_visit + machines.effects(random, (trials, CAMPED_ROUNDS), ROUND_SD)
    ordered = np.exp(np.sort(logs, axis=1))
    middles = np.median(ordered, axis=1)
    return [
        stats.Estimate(*one) for one in zip(middles, ordered[:, 1], ordered[:, -2], strict=True)
    ]


def noisiest(random, trials, visits, sd):
    """Share of the intervals of the noisiest quarter of points that hold the truth, where points are unlike."""
    found = []
    while len(found) < trials:
        found += _profile(random, visits, sd, "normal", UNLIKE, STILL)[:NOISY]
    return np.mean([one.low <= 1 <= one.high for one in found])


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
        "interval, noisiest",
        "the same of the noisiest quarter of points, which scatter as unlike as a real run's, with a prior of 1.5 "
        "degrees of freedom; 3 visits, 3 %",
        partial(noisiest, visits=3, sd=0.03),
        least=0.85,
        trials=20_000,
        quick=1000,
    ),
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
