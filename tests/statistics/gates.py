"""Gates and comparisons of runs: false alarms, what is found, and what passes that should not.

A run has an effect on all its points (COMMON), and every point one of its own (OWN); both are of a run as a whole, for
the gate takes a run's medians. Machines differ in how these are spread. Most gates are of such medians; those whose
points are judged by roof or by time are of whole runs.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from reports.compare import gate, ratios
from reports.compare.between_runs import judge, outcome
from reports.compare.system import System
from tests.statistics import machines
from tests.statistics.promises import Promise
from tests.statistics.steps import BYTES, step

OWN, COMMON = 0.01, 0.03
SIDE = 3.0
"""How much more one side of a machine of unequal sides scatters."""
VARIOUS = 0.7
"""Deviation of the logarithm of the points' deviations: the middle two thirds lie within a factor of four."""
SLOW_POINT = 3
"""Which point is made slower."""
ROUNDS = 10
ROOF, SPEED = 0.1, 5e10
"""Deviation of a run's read roof, and of the steps that follow it, from another's; how fast it is."""
FRACTIONS = (0.9, 0.3)
"""Of a point that follows its roof, and of the next one, which does not."""


def runs(random, each, points, machine, own=OWN, common=COMMON):
    """Logarithms of medians, (run, point), of runs before and as many after, whose truth is 0.

    machine  words: `side` the runs after scatter SIDE times as much; `various` points scatter unlike, `few` one in ten
             SIDE ** 2 times as much; `skewed` and `two-state` as machines.effects; `walking` every run begins where the
             one before ended, taken in turns A B B A
    """
    count = 2 * each
    kind = next((one for one in ("skewed", "two-state") if one in machine), "normal")
    deviations = np.full((count, points), own)
    effects = np.full((count, 1), common)
    if "various" in machine:
        deviations = deviations * np.exp(VARIOUS * random.standard_normal(points))
    if "few" in machine:
        deviations = deviations * np.where(random.random(points) < 0.1, SIDE**2, 1.0)
    if "side" in machine:
        deviations[each:] *= SIDE
        effects[each:] *= SIDE
    found = machines.effects(random, (count, points), 1.0, kind) * deviations
    found = found + machines.effects(random, (count, 1), 1.0) * effects
    if "walking" in machine:
        after = np.resize([False, True, True, False], count)
        walk = (
            machines.walking(random, 1, count, common).T
            + machines.walking(random, points, count, own).T
        )
        found = found + np.concatenate([walk[~after], walk[after]])
    return found


def _gates(random, trials, each, points, percent, slower=0.0, everyone=0.0, **machine):
    """What so many gates say: of their points, and of the common effect. `everyone` slows all points besides."""
    allowed = 1 + percent / 100
    for _ in range(trials):
        logs = runs(random, each, points, **machine)
        logs[each:] += np.log1p(everyone)
        logs[each:, SLOW_POINT] += np.log1p(slower)
        yield judge(logs, each, ["time"] * points, allowed, max(allowed, ratios.SAME))


def _share(wanted, gates):
    return np.mean([outcome((*rows, *common.values())) == wanted for rows, common in gates])


def alarms(random, trials, percent=0, **gates):
    """Share of gates that fail."""
    return _share("failed", _gates(random, trials, percent=percent, **gates))


def power(random, trials, **gates):
    """Share of gates that fail the point that was made slower."""
    return np.mean([rows[SLOW_POINT].failed for rows, _ in _gates(random, trials, **gates)])


def passes(random, trials, **gates):
    """Share of gates that pass."""
    return _share("passed", _gates(random, trials, **gates))


def _system(name, logs, roof):
    """A run of points at these logarithms; every other one follows its roof, which is moved by `roof`."""
    entries = []
    for index, moved in enumerate(logs.tolist()):
        share = FRACTIONS[index % 2]
        taken = BYTES / SPEED / share * np.exp(moved - (roof if index % 2 == 0 else 0.0))
        beside = float(SPEED * np.exp(roof))
        fraction = float(BYTES / beside / taken)
        entries.append(step(index, float(taken), beside, fraction, paired=(beside,)))
    return System(name, "measured", 3, "one machine", tuple(entries), {}, (), {"measured": name})


def of_two_kinds(random, trials, wanted, each, points, percent, slower=0.0):
    """Share of gates of whole runs that have this outcome; a point of either kind is made slower."""
    found = []
    for _ in range(trials):
        logs = runs(random, each, points, "equal", common=OWN)
        logs[each:, SLOW_POINT + random.integers(2)] += np.log1p(slower)
        roofs = ROOF * random.standard_normal(2 * each)
        systems = [_system(str(run), *one) for run, one in enumerate(zip(logs, roofs, strict=True))]
        found.append(gate.gate(systems[:each], systems[each:], percent).outcome == wanted)
    return np.mean(found)


def called(random, trials, each, common, words=("slower", "faster"), slower=0.0):
    """Share of points, made slower by this, of which a comparison says one of these words."""
    found = []
    for _ in range(trials):
        effect = machines.effects(random, (2, each, 1), common)
        effect[1] += np.log1p(slower)
        samples = np.exp(effect + machines.effects(random, (2, each, ROUNDS), 0.04))
        before, after = ([[run.tolist()] for run in side] for side in samples)
        found.append(ratios.judged(ratios.ratio(before, after)) in words)
    return np.mean(found)


def mean_holds(random, trials, each, points):
    """Share of means over points whose interval holds the truth."""
    found = []
    for _ in range(trials):
        logs = runs(random, each, points, "")[:, :, None]
        samples = np.exp(logs + machines.effects(random, (*logs.shape[:2], ROUNDS), 0.04))
        pairs = [
            ([[run.tolist()] for run in one[:each]], [[run.tolist()] for run in one[each:]])
            for one in np.moveaxis(samples, 1, 0)
        ]
        value = ratios.mean(pairs)
        found.append(value.low <= 1 <= value.high)
    return np.mean(found)


def _alarm(machine: str, points: int, each: int) -> Promise:
    text = f"a gate fails though nothing changed: {machine}, {points} points, {each} runs a side"
    simulate = partial(alarms, each=each, points=points, machine=machine)
    return Promise(10, text, text, simulate, most=0.06, trials=5000, quick=300)


def _found(percent: int, each: int, least: float, machine: str = "equal") -> Promise:
    text = (
        f"a gate at 0 % fails one of 68 points slower by {percent} %: {machine}, {each} runs a side"
    )
    simulate = partial(
        power, each=each, points=68, percent=0, slower=percent / 100, machine=machine
    )
    return Promise(10, text, text, simulate, least=least, trials=5000, quick=200)


def _overlooked(own: int, common: int, each: int, everywhere: bool = False) -> Promise:
    what = "all points" if everywhere else "a point"
    text = f"a gate at 5 % passes {what} slower by 10 %: {own} % own, {common} % common, {each} runs a side"
    simulate = partial(
        passes,
        each=each,
        points=68,
        percent=5,
        machine="equal",
        own=own / 100,
        common=common / 100,
        **{"everyone" if everywhere else "slower": 0.1},
    )
    return Promise(10, text, text, simulate, most=0.05, trials=5000, quick=200)


def _mixed(what: str, figure, slower: float, most: float, own: float, common: float) -> Promise:
    text = (
        f"a gate at 5 % {what} where all points are slower by 4 %, one of 30 by {100 * (1.04 * (1 + slower) - 1):.1f} %"
        f": {100 * own:g} % own, {100 * common:g} % common, 4 runs a side"
    )
    simulate = partial(
        figure,
        each=4,
        points=30,
        percent=5,
        slower=slower,
        everyone=0.04,
        machine="equal",
        own=own,
        common=common,
    )
    return Promise(10, text, text, simulate, most=most, trials=5000, quick=300)


def _two_kinds(what: str, wanted: str, each: int, percent: int, slower: int, **bar) -> Promise:
    text = (
        f"a gate at {percent} % {what}: 15 points judged by time x roof, which moves by 10 %, 15 by time; 1 % own, "
        f"1 % common, {each} runs a side"
    )
    simulate = partial(
        of_two_kinds, wanted=wanted, each=each, points=30, percent=percent, slower=slower / 100
    )
    return Promise(10, text, text, simulate, trials=1000, quick=100, **bar)


def _passing(common: int, each: int, least: float) -> Promise:
    text = f"a gate at 5 % passes where nothing changed: 1 % own, {common} % common, {each} runs a side"
    simulate = partial(
        passes, each=each, points=68, percent=5, machine="equal", common=common / 100
    )
    return Promise(10, text, text, simulate, least=least, trials=5000, quick=200)


PROMISES = (
    *(
        _alarm(machine, points, 3)
        for machine in ("equal", "side", "various", "various side", "few side", "skewed", "walking")
        for points in (10, 30, 100)
    ),
    *(_alarm(machine, 68, 5) for machine in ("equal", "various side", "two-state", "walking")),
    _found(5, 5, 0.8),
    _found(10, 3, 0.95),
    *(_overlooked(own, 3, each) for own in (1, 5) for each in (3, 5)),
    *(_overlooked(1, common, 4, everywhere=True) for common in (1, 3)),
    *(_mixed("passes", passes, 0.04, 0.05, *noise) for noise in ((0.005, 0.005), (0.01, 0.03))),
    _mixed("fails", alarms, 1.05 / 1.04 - 1, 0.06, 0.005, 0.005),
    _two_kinds("fails though nothing changed", "failed", 3, 0, 0, most=0.06),
    _two_kinds("fails one point slower by 10 %", "failed", 3, 0, 10, least=0.95),
    _two_kinds("passes one point slower by 6 %", "passed", 4, 5, 6, most=0.05),
    _passing(1, 4, 0.8),
    _passing(3, 10, 0.8),
    *(
        Promise(
            10,
            text,
            text,
            partial(called, each=each, common=common / 100),
            most=0.05,
            trials=5000,
            quick=300,
        )
        for each, common in ((2, 3), (2, 10), (3, 10), (5, 10))
        for text in (
            f"a comparison calls an unchanged point: {common} % between runs, {each} runs a side",
        )
    ),
    Promise(
        10,
        "a comparison calls a point slower by 10 %",
        "a comparison calls a point slower that is so by 10 %: 3 % between runs, 3 runs a side",
        partial(called, each=3, common=0.03, words=("slower",), slower=0.1),
        least=0.6,
        trials=5000,
        quick=300,
    ),
    Promise(
        10,
        "a mean over 10 points holds the truth, 3 runs a side",
        "a mean over 10 points holds the truth: 1 % own, 3 % common, 3 runs a side",
        partial(mean_holds, each=3, points=10),
        least=0.9,
        trials=500,
        quick=50,
    ),
)
