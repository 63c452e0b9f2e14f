"""Verdicts, free batch and claims on machines whose truth is known: profiles are planted, and `Analysis` reads them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import takewhile

import numpy as np

from bench.profile.records import Profile
from kernels.case import Case
from kernels.roofline_model import BANDWIDTH, COMPUTE
from reports.analysis.analysis import Analysis
from reports.analysis.claims import REFUTED, SUPPORTED, UNTESTED
from reports.analysis.elasticity import CONTRADICTS, LEAST_VISITS, SUPPORTS
from reports.analysis.experiments import DRIFT
from reports.analysis.series import FREE
from tests.statistics.planted import (
    FLOOR,
    STREAMED,
    bound_by_core,
    bound_by_memory,
    bound_by_one_core,
    cases,
    measured,
    planted,
)
from tests.statistics.promises import Promise


def verdicts(profile: Profile):
    """By case."""
    return {row.case: found for row, found in Analysis(profile).held.values()}


def _small(dtype: str) -> Case:
    return replace(STREAMED, dtype=dtype)


DTYPES = ("float32", "bfloat16", "int8")


def falsely_confirmed(random, trials, rate, *, partners=True):
    """Share of steps bound by their core, batch 1, whose bandwidth is confirmed."""
    machine = planted(partial(bound_by_core, rate=rate), partners=partners)
    false = 0
    for _ in range(trials // len(DTYPES)):
        found = verdicts(measured(random, machine, control=not partners))
        false += sum(_is_bandwidth(found[_small(dtype)]) for dtype in DTYPES)
    return false / (trials // len(DTYPES) * len(DTYPES))


def confirmed_on_one_core(random, trials, alone):
    """Share of steps that run on one core whatever they are given, batch 1, whose bandwidth is confirmed.

    Nothing was measured from the cache, and one thread reads at this share of the memory's speed.
    """
    false = 0
    for _ in range(trials):
        truth = partial(bound_by_one_core, rate=random.uniform(0.78, 0.95))
        machine = planted(truth, resident=False, alone=alone)
        false += _is_bandwidth(verdicts(measured(random, machine))[STREAMED])
    return false / trials


def contradicted_by_chance(random, trials, scatters):
    """Share of steps that follow the memory, batch 1, of which roof drift says that they do not.

    The memory does not walk, the machine's state hardly moves, and rounds scatter so much that medians seem to.
    """
    machine = planted(partial(bound_by_memory, rate=0.9), partners=False)
    against = asked = 0
    for _ in range(trials // 3):
        states = float(random.choice([0.0, 0.007, 0.014]))
        run = measured(random, machine, walks=0, states=states, scatters=scatters)
        for one in Analysis(run).experiments:
            against += one.experiment == DRIFT and one.answer(BANDWIDTH).word == CONTRADICTS
        asked += sum(planned.visits >= LEAST_VISITS for planned in machine)
    return against / asked


def _is_bandwidth(found) -> bool:
    return found.confirmed and found.bound == BANDWIDTH


def kept(random, trials):
    """Confirmations of bandwidth at steps that wait for memory, over those of method 2's rule on its own runs."""
    now = before = 0
    for _ in range(trials // len(DTYPES)):
        machine = planted(partial(bound_by_memory, rate=random.uniform(0.8, 1.0)))
        found = verdicts(measured(random, machine))
        now += sum(_is_bandwidth(found[_small(dtype)]) for dtype in DTYPES)
        old = Analysis(measured(random, machine, once=True))
        before += sum(_confirmed_before(old, _small(dtype)) for dtype in DTYPES)
    return now / before


def _confirmed_before(analysis: Analysis, case: Case) -> bool:
    """Method 2's rule: two experiments, whichever they are, that exclude the rivals together.

    Made anew here, only to compare with: no function of the suite's does this any more.
    """
    (key,) = (row.key for row in analysis.rows if row.case == case)
    outcomes = [one for one in analysis.experiments if key in one.about]
    said = [one.answer(BANDWIDTH) for one in outcomes]
    supporting = {one.experiment for one in outcomes if one.answer(BANDWIDTH).word == SUPPORTS}
    against = any(one.word == CONTRADICTS for one in said)
    excluded = {rival for one in said for rival in one.excludes}
    reads = analysis.held[key][1].bound == BANDWIDTH
    return reads and len(supporting) > 1 and not against and COMPUTE in excluded


def somewhere(random):
    """A machine whose steps their core holds, or memory does, at a rate drawn anew; the call may be slow."""
    truth = (bound_by_core, bound_by_memory)[random.integers(2)]
    floor = float(random.choice([2e-6, 60e-6, 200e-6]))
    return planted(partial(truth, rate=random.uniform(0.45, 1.0)), floor=floor)


def unlike(random, trials):
    """Share of the verdicts confirmed in both of two runs that are not the same, by name."""
    both = other = 0
    while both < trials:
        machine = somewhere(random)
        one, two = (verdicts(measured(random, machine)) for _ in range(2))
        pairs = [(found, two[case]) for case, found in one.items()]
        sure = [(a, b) for a, b in pairs if a.confirmed and b.confirmed]
        both += len(sure)
        other += sum(a.name != b.name for a, b in sure)
    return other / both


def rising(case: Case, slope: float, floor: float = FLOOR) -> tuple[float, bool]:
    """A step that waits for memory, and takes this part of one sequence's time longer with each further sequence."""
    one = bound_by_memory(replace(case, batch=1), 0.9, floor)[0]
    return one * (1 + slope * (case.batch - 1)), True


def _free(machine) -> int:
    """The true free batch of the series in float32."""
    series = [one.seconds for one in machine if one.point.case in BY_BATCH]
    return BATCHES[sum(takewhile(bool, (taken <= FREE * series[0] for taken in series))) - 1]


BY_BATCH = tuple(case for case in cases(partners=False) if case.dtype == "float32")
BATCHES = tuple(case.batch for case in BY_BATCH)


def _ranges(random, trials, runs):
    """Of machines with costs drawn anew the true free batch, and the range that each of so many runs gives."""
    for _ in range(trials):
        slope = FREE - 1, np.exp(random.uniform(np.log(0.5), np.log(200)))
        machine = planted(partial(rising, slope=slope[0] / slope[1]))
        ranges = []
        for _ in range(runs):
            every = Analysis(measured(random, machine)).series
            (one,) = (one for one in every if one.case == STREAMED)
            ranges.append(one.free)
        yield _free(machine), ranges


def holds_free(random, trials):
    """Share of the ranges that hold the true free batch."""
    return np.mean([low <= free <= high for free, ((low, high),) in _ranges(random, trials, 1)])


def overlapping(random, trials):
    """Share of the series whose ranges of two runs overlap."""
    pairs = (ranges for _, ranges in _ranges(random, trials, 2))
    return np.mean([max(one[0], two[0]) <= min(one[1], two[1]) for one, two in pairs])


def told(random, trials):
    """Share of the series whose free batch is one number or two neighbours."""
    ranges = (ends for _, (ends,) in _ranges(random, trials, 1))
    return np.mean([BATCHES.index(high) - BATCHES.index(low) <= 1 for low, high in ranges])


def flipping(random, trials):
    """Share of the claims that can be tested which one run supports and the next one does not."""
    flips = []
    for _ in range(trials // 6):
        machine = somewhere(random)
        one, two = (Analysis(measured(random, machine)).claims for _ in range(2))
        flips += [
            {a.verdict, b.verdict} == {SUPPORTED, REFUTED}
            for a, b in zip(one, two, strict=True)
            if UNTESTED not in (a.verdict, b.verdict)
        ]
    return np.mean(flips)


def _core(percent: int, *, partners: bool) -> Promise:
    beside = (
        "with the partners of suite quick" if partners else "without partners, a floor beside it"
    )
    text = (
        f"bandwidth confirmed of a step that its core holds at {percent} % of the memory, {beside}"
    )
    simulate = partial(falsely_confirmed, rate=percent / 100, partners=partners)
    return Promise(8, text, text, simulate, most=0.01, trials=6000, quick=300)


def _one_core(percent: int) -> Promise:
    text = (
        f"bandwidth confirmed of a step on one core, where one thread has {percent} % of the memory"
    )
    simulate = partial(confirmed_on_one_core, alone=percent / 100)
    return Promise(8, text, text, simulate, most=0.01, trials=2000, quick=100)


def _chance(percent: int) -> Promise:
    text = (
        f"roof drift against a step that follows a memory that stands, {percent} % between rounds"
    )
    simulate = partial(contradicted_by_chance, scatters=percent / 100)
    return Promise(8, text, text, simulate, most=0.01, trials=6000, quick=300)


PROMISES = (
    *(_core(percent, partners=partners) for partners in (True, False) for percent in (80, 90, 95)),
    *map(_one_core, (75, 85, 95, 100)),
    *map(_chance, (4, 10)),
    Promise(
        8,
        "confirmations kept",
        "confirmations of steps that wait for memory, in float32, bfloat16 and int8, over those of method 2",
        kept,
        least=0.6,
        trials=6000,
        quick=150,
        share=False,
        within=0.1,
    ),
    Promise(
        8,
        "verdicts of two runs",
        "verdicts confirmed in both of two runs that are not the same",
        unlike,
        most=0.005,
        trials=2500,
        quick=300,
    ),
    Promise(
        8,
        "free batch, truth",
        "the range of the free batch holds the true one",
        holds_free,
        least=0.95,
        trials=2000,
        quick=60,
    ),
    Promise(
        8,
        "free batch, two runs",
        "the ranges of the free batch of two runs overlap",
        overlapping,
        least=0.98,
        trials=1000,
        quick=40,
    ),
    Promise(
        8,
        "free batch, told",
        "the range of the free batch is one batch of the series or two neighbours",
        told,
        least=0.9,
        trials=2000,
        quick=60,
    ),
    Promise(
        8,
        "claims of two runs",
        "claims that one run supports and the next one does not",
        flipping,
        most=0.002,
        trials=3000,
        quick=300,
    ),
)
