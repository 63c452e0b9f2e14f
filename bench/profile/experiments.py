"""Which points make an experiment: pairs of one implementation whose cases differ in one thing alone.

Pure, and of planned cases as of measured points: a run knows before it measures which points several experiments share.
What a pair says is `reports.analysis.experiments`'s.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from itertools import combinations, pairwise
from operator import attrgetter
from typing import TypeVar

from kernels.case import ELEMENT_BYTES, Case

RESIDENCY, BYTES, BATCH, THREADS = "residency", "bytes", "batch", "threads"
"""Weights resident against streamed, wider against narrower ones, neighbouring batches, one thread against the most."""

P = TypeVar("P")


def pairs(
    points: Sequence[P], case: Callable[[P], Case], implementation: Callable[[P], str]
) -> Iterator[tuple[str, P, P]]:
    """Every experiment between two of these points: its name and the points, in the order of the names above.

    `case` and `implementation` tell those of a point. First stands the resident point, that of wider weights, of the
    smaller batch, of one thread.
    """
    for group in _groups(points, case, implementation, "residency"):
        by_residency = {case(one).residency: one for one in group}
        if len(by_residency) == 2:
            yield RESIDENCY, by_residency["resident"], by_residency["streamed"]
    for group in _groups(points, case, implementation, "dtype", "activations"):
        widest = sorted(group, key=lambda one: ELEMENT_BYTES[case(one).dtype], reverse=True)
        for one, other in combinations(widest, 2):
            if ELEMENT_BYTES[case(one).dtype] > ELEMENT_BYTES[case(other).dtype]:
                yield BYTES, one, other
    for group in _groups(points, case, implementation, "batch"):
        for one, other in pairwise(sorted(group, key=lambda one: case(one).batch)):
            yield BATCH, one, other
    for group in _groups(points, case, implementation, "threads"):
        by_threads = {case(one).threads: one for one in group}
        if 1 in by_threads and max(by_threads) > 1:
            yield THREADS, by_threads[1], by_threads[max(by_threads)]


def _groups(
    points: Sequence[P], case: Callable[[P], Case], implementation: Callable[[P], str], *differ: str
) -> list[list[P]]:
    """Points of one implementation whose cases are alike but for these fields."""
    same = attrgetter(*(each.name for each in fields(Case) if each.name not in differ))
    found: dict[tuple[object, str], list[P]] = {}
    for one in points:
        found.setdefault((same(case(one)), implementation(one)), []).append(one)
    return list(found.values())
