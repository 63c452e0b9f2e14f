"""Machines whose truth is known, and profiles of them as suite quick would measure.

The machine has two cores, a memory that they share and a cache three times as fast. Its state slows a step and the roof
beside it alike from visit to visit; its memory walks besides, which steps that wait for it follow; each step and each
roof has an effect of its own in every visit, and a scatter from round to round. Points are those that suite quick has
of the LSTM step of 1024 units by our own kernel, with as many visits and rounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bench.profile import suite
from bench.profile.experiments import pairs
from bench.profile.records import Point, Profile, Visit
from kernels.case import Case
from kernels.cost import count
from tests.reports import synthetic

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
STREAMED = Case("lstm", 1024, 1024, 1, residency="streamed", threads=2)
VARIED = ("batch", "dtype", "residency", "threads")


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
    planned = suite.load("quick", "cpu", STREAMED.threads, 0).points
    known = [
        one.case
        for one in planned
        if one.implementation == "numba_fused"
        and replace(STREAMED, **{axis: getattr(one.case, axis) for axis in VARIED}) == one.case
    ]
    return tuple(
        case
        for case in sorted(known, key=lambda case: (case.batch, case.id))
        if partners or (case.residency, case.threads) == (STREAMED.residency, STREAMED.threads)
    )


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


def roof_of(case: Case, alone: float = ALONE["read"]) -> float:
    """Byte/s to read where its weights lie; of memory one thread has this share `alone`."""
    streamed = case.residency == "streamed"
    whole = MEMORY if streamed else CACHE
    return whole if case.threads == 2 else whole * (alone if streamed else ALONE["cache"])


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


def bound_by_one_core(case: Case, rate: float, floor: float = FLOOR) -> tuple[float, bool]:
    """A step that runs on one core, whatever it is given."""
    from_memory = limits(replace(case, residency="streamed", threads=2))[0] / rate
    return max(from_memory, limits(replace(case, threads=1))[1] / 0.9) + floor, False


def bound_by_memory(case: Case, rate: float, floor: float = FLOOR) -> tuple[float, bool]:
    """A step that gets this share of its roof."""
    t_bytes, t_flops = limits(case)
    return max(t_bytes / rate, t_flops / 0.9) + floor, t_bytes / rate > t_flops / 0.9


def planted(truth, *, partners=True, resident=True, floor=FLOOR, alone=ALONE["read"]):
    """Points of one machine; `truth` gives time and whether it follows the memory of each case."""
    known = tuple(
        case for case in cases(partners=partners) if resident or case.residency == "streamed"
    )
    visits = visits_of(known)
    return [
        Planted(
            replace(planned(case), floor_seconds=floor),
            *truth(case, floor=floor),
            roof_of(case, alone),
            visits[case],
        )
        for case in known
    ]


def measured(
    random, machine, *, once=False, control=False, walks=WALK, states=STATE, scatters=ROUND
) -> Profile:
    """A run on it. `once`: as method 2 measured. `control`: a floor was sampled beside each step."""
    points = []
    for one in machine:
        visits, rounds = (1, CAMPED) if once else (one.visits, EACH)
        state, walk, own, roof = (
            sd * random.standard_normal((visits, 1)) for sd in (states, walks, OWN, ROOF)
        )
        in_memory = one.point.case.residency == "streamed"
        walk = walk if in_memory else 0 * walk
        scatter = scatters * random.standard_normal((2, visits, rounds))
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
