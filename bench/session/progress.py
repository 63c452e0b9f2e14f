"""How long the rest of a run will take, from what its points took so far. Pure.

Three things make a point long, and each is known of the points left: every point takes samples until a budget is spent;
a streamed one walks all its sets besides; and a large one is checked against a reference that computes with all its
weights in float64. How long each takes here is read off the points done. Preparing, which is packing and compiling, is
told by each point apart: as much is expected of points of the same implementation whose compiled code is as new.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.measure.visit import ROUNDS
from bench.profile.stats import median
from bench.profile.suite import Planned
from kernels import cost
from kernels.case import ELEMENT_BYTES

FLOPS_PER_WEIGHT = 100
"""So many linear FLOPs of a point take as long as a weight that it has (FINDINGS, time left)."""

BLOCKS, BLOCK_SECONDS, CHECK_SECONDS = 2.5, 0.016, 0.3
"""Blocks of a round, how long one is without a walk before it, and what checking ten million weights takes."""

TURNS, NEAR = 15, 0.1
"""Turns of least squares, and the share of a median point's time within which all points count alike."""

LEAST_POINTS = 6
"""Until so many are done, all are expected to take the same."""


class Spent(NamedTuple):
    """A point done: how long it took, and how much of that it was prepared."""

    planned: Planned
    seconds: float
    prepare_seconds: float


def compiled_as(planned: Planned) -> Hashable:
    """What is compiled for a point, where its implementation does not tell: a kind of case."""
    case = planned.case
    return case.cell, case.part, case.phase, case.dtype, case.batch


def seconds_left(
    spent: Sequence[Spent],
    left: Sequence[Planned],
    otherwise: Callable[[Planned], float],
    compiled_as: Callable[[Planned], Hashable] = compiled_as,
) -> float:
    """An estimate of what the points left will take; what `otherwise` tells of each, as long as none is done.

    `compiled_as` is what an implementation compiles for a point: once, if that is the same for others.
    """
    if not spent:
        return sum(map(otherwise, left))
    causes = np.array([_causes(one.planned) for one in spent])
    if len(spent) < LEAST_POINTS:
        causes[:, 1:] = 0.0
    took = np.array([one.seconds - one.prepare_seconds for one in spent])
    each = _read_off(causes, took)
    met: set[tuple[str, Hashable]] = set()

    def novelty(planned: Planned) -> tuple[str, bool]:
        """Its implementation, and whether that compiles this for the first time; it is met from then on."""
        compiled = planned.implementation, compiled_as(planned)
        new = compiled not in met
        met.add(compiled)
        return planned.implementation, new

    prepared: dict[tuple[str, bool], list[float]] = {}
    for one in spent:
        prepared.setdefault(novelty(one.planned), []).append(one.prepare_seconds)
    total = 0.0
    for planned in left:
        known = prepared.get(novelty(planned), [])
        # as if one more had taken no time
        total += float(np.dot(_causes(planned), each)) + sum(known) / (len(known) + 1)
    return total


def planned_seconds(planned: Planned, visits: int, pass_seconds: float) -> float:
    """About how long a point takes that none is known like, but for packing and compiling: so many visits, two checks.

    `pass_seconds` is what a walk through all streamed weights takes.
    """
    block = BLOCK_SECONDS + (pass_seconds if planned.case.residency == "streamed" else 0.0)
    _, _, size = _causes(planned)
    return visits * ROUNDS * BLOCKS * block + CHECK_SECONDS * size


def _causes(planned: Planned) -> tuple[float, float, float]:
    """What makes a point long: that it is one; that it is streamed; its size, in ten million weights."""
    case = planned.case
    one = cost.count(replace(case, steps=1))
    weights = one.weight_bytes / ELEMENT_BYTES[case.dtype]
    size = weights + one.linear_flops * case.steps / FLOPS_PER_WEIGHT
    return 1.0, float(case.residency == "streamed"), size * 1e-7


def _read_off(causes: NDArray[np.float64], took: NDArray[np.float64]) -> NDArray[np.float64]:
    """Seconds that each cause takes, none of them less than 0, by the least sum of distances, which few points move.

    Found by least squares in turns, each point counted the less, the farther away it was.
    """
    each, counted = np.zeros(causes.shape[1]), np.ones(len(took))
    near = NEAR * median(took.tolist())
    for _ in range(TURNS):
        found, *_ = np.linalg.lstsq(causes * counted[:, None], took * counted, rcond=None)
        each = np.maximum(found, 0.0)
        counted = 1.0 / np.sqrt(np.maximum(np.abs(took - causes @ each), near) + 1e-9)
    return each
