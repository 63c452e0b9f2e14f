"""Predictions between planted machines: memories that drift, and implementations that reach another share there."""

from __future__ import annotations

from functools import partial

import numpy as np

from reports.compare import predict
from reports.compare.system import ALL, Limits, System
from tests.statistics.promises import Promise
from tests.statistics.steps import BYTES, step

MOVED, SPEED = 0.06, 0.4
"""Deviations of a memory beside its steps, and of one machine's from another's."""


def _system(name, speed, times, fractions, reach):
    """A machine of this memory with steps of as many bytes, which took these times."""
    limits = Limits(
        read=((BYTES, speed),),
        write=((BYTES, speed),),
        memory=speed,
        peaks={},
        products={},
        reach={"streamed": reach},
    )
    entries = tuple(
        step(index, float(seconds), speed, float(share))
        for index, (seconds, share) in enumerate(zip(times, fractions, strict=True))
    )
    return System(name, "measured", 3, name, entries, {ALL: limits}, (), {})


def _predicted(random, steps, share_sd):
    """Predictions of one planted machine's steps on another; `steps` are known on both."""
    speeds = 5e10 * np.exp(SPEED * random.standard_normal(2))
    shares = random.uniform(0.3, 0.95, steps)
    there = shares * np.exp(share_sd * random.standard_normal(steps))
    moved = np.exp(MOVED * random.standard_normal((2, steps)))
    reach = tuple(float(np.exp(way * 1.96 * MOVED)) for way in (-1, 1))
    seen = shares * np.exp(0.015 * random.standard_normal(steps))
    first, second = BYTES / (speeds[:, None] * moved) / np.stack([shares, there])
    return predict.predict(
        _system("one", speeds[0], first, seen, reach),
        _system("other", speeds[1], second, there, reach),
    )


def covered(random, trials, steps, share_sd):
    """Share of predicted intervals that hold what the other machine took."""
    held = known = 0
    while known < trials:
        found = _predicted(random, steps, share_sd)
        held, known = held + found.covered, known + found.known
    return held / known


def factor(random, trials, steps, share_sd):
    """By which factor an interval reaches to either side of what is predicted, the median."""
    found = []
    while len(found) < trials:
        rows = _predicted(random, steps, share_sd).rows
        found += [np.sqrt(row.predicted.high / row.predicted.low) for row in rows]
    return np.median(found)


def _holding(steps: int, percent: int) -> Promise:
    text = (
        f"a predicted interval holds the time there: {steps} steps known on both, shares differ by {percent} % "
        "between machines"
    )
    simulate = partial(covered, steps=steps, share_sd=percent / 100)
    return Promise(10, text, text, simulate, least=0.85, trials=20_000, quick=1000)


def _reaching(steps: int, percent: int, most: float) -> Promise:
    text = (
        f"a predicted interval reaches by this factor to either side, the median: {steps} steps known on both, "
        f"shares differ by {percent} % between machines"
    )
    simulate = partial(factor, steps=steps, share_sd=percent / 100)
    return Promise(
        10, text, text, simulate, most=most, trials=20_000, quick=1000, share=False, within=0.1
    )


PROMISES = (
    *(_holding(steps, percent) for steps in (6, 40) for percent in (5, 20, 30)),
    _reaching(6, 20, 2.6),
    _reaching(40, 20, 1.8),
)
