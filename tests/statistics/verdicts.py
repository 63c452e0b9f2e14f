"""Verdicts, free batch and claims on machines whose truth is known: profiles are planted, and `Analysis` reads them.

The machine has two cores, a memory that they share and a cache three times as fast. Its state slows a step and the roof
beside it alike from visit to visit; its memory walks besides, which steps that wait for it follow; each step and each
roof has an effect of its own in every visit, and a scatter from round to round. Points, visits and rounds are those of
suite quick: the batch series of an LSTM step in float32, weights of bfloat16 and int8, resident partners, one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import takewhile

import numpy as np

from bench.profile.experiments import pairs
from bench.profile.records import Point, Profile, Visit
from kernels.case import Case
from kernels.cost import count
from kernels.roofline_model import BANDWIDTH, COMPUTE
from reports.analysis.analysis import Analysis
from reports.analysis.claims import REFUTED, SUPPORTED
from reports.analysis.elasticity import CONTRADICTS, SUPPORTS
from reports.analysis.series import FREE
from tests.reports import synthetic
from tests.statistics.promises import Promise

MEMORY, CACHE, STORES, PRODUCTS = 52e9, 155e9, 40e9, 180e9
"""Byte/s of two threads, and FLOP/s."""
ALONE = {"read": 0.75, "cache": 0.5, "core": 0.5}
"""What one thread has of that."""
FLOOR = 2e-6
STATE, OWN, ROOF, WALK, ROUND, RUN = 0.03, 0.015, 0.015, 0.05, 0.04, 0.01
"""Standard deviations: of the machine's state, of a step's and a roof's own effect and of the memory's speed from visit
to visit; of step and roof from round to round; of a step from run to run."""
FEW, MANY, EACH = 3, 6, 4
"""Visits of a point, of one that several experiments share, and rounds of each."""
CAMPED = 10
"""Rounds of a point in method 2, which took them in one visit."""
BATCHES = (1, 2, 4, 8, 16, 64)
NARROW = ("bfloat16", "int8")
STREAMED = Case("lstm", 1024, 1024, 1, residency="streamed", threads=2)


@dataclass(frozen=True)
class Planted:
    """A point with its truth: seconds of a step at the machine's usual speed, and how much of it follows the memory."""

    point: Point
    seconds: float
    follows: bool
    roof: float
    visits: int


@cache
def cases(*, partners: bool = True) -> tuple[Case, ...]:
    """Those of the suite; without `partners` no residency and no threads."""
    series = [replace(STREAMED, batch=batch) for batch in BATCHES]
    narrow = [replace(STREAMED, batch=batch, dtype=dtype) for dtype in NARROW for batch in (1, 4)]
    resident = [
        replace(one, residency="resident") for one in (*series, *narrow) if one.batch in (1, 4, 16)
    ]
    alone = [replace(STREAMED, batch=batch, threads=1) for batch in (1, 16)]
    return (*series, *narrow, *(resident + alone if partners else []))


@cache
def visits_of(cases: tuple[Case, ...]) -> dict[Case, int]:
    """Six for a point of several experiments, else three."""
    shared: dict[Case, set[str]] = {case: set() for case in cases}
    for name, one, other in pairs(cases, lambda case: case, lambda _: "one"):
        shared[one].add(name)
        shared[other].add(name)
    return {case: MANY if len(names) > 1 else FEW for case, names in shared.items()}


@cache
def planned(case: Case) -> Point:
    """A point of this case without samples."""
    cost = count(case)
    return Point(
        case=case,
        implementation="one",
        status="ok",
        floor_seconds=FLOOR,
        flops={"linear": cost.linear_flops, "recurrent": 0, "pointwise": 0},
        bytes={
            "weights": cost.weight_bytes,
            "activations": cost.activation_bytes,
            "read": cost.bytes_read,
            "written": cost.bytes_written,
        },
        working_set_bytes=1 << (30 if case.residency == "streamed" else 24),
    )


def roof_of(case: Case) -> float:
    """Byte/s to read where its weights lie."""
    streamed = case.residency == "streamed"
    whole = MEMORY if streamed else CACHE
    return whole if case.threads == 2 else whole * ALONE["read" if streamed else "cache"]


def limits(case: Case) -> tuple[float, float]:
    """What bytes and products take."""
    point = planned(case)
    assert point.bytes
    assert point.flops
    core = 1.0 if case.threads == 2 else ALONE["core"]
    t_bytes = point.bytes["read"] / roof_of(case) + point.bytes["written"] / STORES / core
    return t_bytes, point.flops["linear"] / PRODUCTS / core


def bound_by_core(case: Case, rate: float, floor: float = FLOOR) -> tuple[float, bool]:
    """A step whose core takes the weights at `rate` of the memory's speed, wherever they lie and however narrow."""
    from_memory = limits(replace(case, residency="streamed", threads=2))[0] / rate
    core = 1.0 if case.threads == 2 else ALONE["core"]
    return max(from_memory / core, limits(case)[1] / 0.9) + floor, False


def bound_by_memory(case: Case, rate: float, floor: float = FLOOR) -> tuple[float, bool]:
    """A step that gets this share of its roof."""
    t_bytes, t_flops = limits(case)
    return max(t_bytes / rate, t_flops / 0.9) + floor, t_bytes / rate > t_flops / 0.9


def planted(truth, *, partners=True, floor=FLOOR):
    """Points of one machine; `truth` gives time and whether it follows the memory of each case."""
    known = cases(partners=partners)
    visits = visits_of(known)
    return [
        Planted(
            replace(planned(case), floor_seconds=floor),
            *truth(case, floor=floor),
            roof_of(case),
            visits[case],
        )
        for case in known
    ]


def measured(random, machine, *, once=False, control=False) -> Profile:
    """A run on it. `once`: as method 2 measured. `control`: a floor was sampled beside each step."""
    points = []
    for one in machine:
        visits, rounds = (1, CAMPED) if once else (one.visits, EACH)
        state, walk, own, roof = (
            sd * random.standard_normal((visits, 1)) for sd in (STATE, WALK, OWN, ROOF)
        )
        in_memory = one.point.case.residency == "streamed"
        walk = walk if in_memory else 0 * walk
        scatter = ROUND * random.standard_normal((2, visits, rounds))
        run = RUN * random.standard_normal()
        slower = run + state + own + scatter[0] + (walk if one.follows else 0)
        seconds = one.seconds * np.exp(slower)
        rates = one.roof * np.exp(-(state + walk + roof + scatter[1]))
        floors = (one.point.floor_seconds or 0) * np.exp(
            state + ROOF * random.standard_normal((visits, rounds))
        )
        points.append(
            replace(
                one.point,
                seconds=tuple(seconds.ravel().tolist()),
                roof_bytes_per_s=tuple(rates.ravel().tolist()),
                floor_beside=tuple(floors.ravel().tolist()) if control else (),
                visits=(Visit(synthetic.AT, rounds),) * visits,
            )
        )
    return replace(MACHINE, points=tuple(points))


MACHINE = synthetic.profile(
    roofs=tuple(
        one
        for threads, share in ((2, 1.0), (1, ALONE["core"]))
        for one in (
            synthetic.roof("write", [STORES * share], working_set_bytes=1 << 20, threads=threads),
            synthetic.roof("matmul", [PRODUCTS * share], dtype="float32", threads=threads),
        )
    )
)


def verdicts(profile: Profile):
    """By case."""
    return {row.case: found for row, found in Analysis(profile).held.values()}


def _small(dtype: str) -> Case:
    return replace(STREAMED, dtype=dtype)


DTYPES = ("float32", *NARROW)


def falsely_confirmed(random, trials, rate, *, partners=True):
    """Share of steps bound by their core, batch 1, whose bandwidth is confirmed."""
    machine = planted(partial(bound_by_core, rate=rate), partners=partners)
    false = 0
    for _ in range(trials // len(DTYPES)):
        found = verdicts(measured(random, machine, control=not partners))
        false += sum(_is_bandwidth(found[_small(dtype)]) for dtype in DTYPES)
    return false / (trials // len(DTYPES) * len(DTYPES))


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


BY_BATCH = tuple(replace(STREAMED, batch=batch) for batch in BATCHES)


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
    """Share of the series whose free batch is one number, or one number or more."""
    return np.mean([low == high for _, ((low, high),) in _ranges(random, trials, 1)])


def flipping(random, trials):
    """Share of the claims that one run supports and the next one does not."""
    flips = []
    for _ in range(trials // 6):
        machine = somewhere(random)
        one, two = (Analysis(measured(random, machine)).claims for _ in range(2))
        flips += [
            {a.verdict, b.verdict} == {SUPPORTED, REFUTED} for a, b in zip(one, two, strict=True)
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


PROMISES = (
    *(_core(percent, partners=partners) for partners in (True, False) for percent in (80, 90, 95)),
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
        trials=10_000,
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
        trials=2000,
        quick=40,
    ),
    Promise(
        8,
        "claims of two runs",
        "claims that one run supports and the next one does not",
        flipping,
        most=0.002,
        trials=12_000,
        quick=300,
    ),
)
