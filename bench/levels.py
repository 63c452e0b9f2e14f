"""Levels: the plateaus of the read curve, found from the curve itself and named with the caches the system reports.

A virtual machine reports its host's caches, and a container may own a share of one; so where a level ends is read off
the curve. A curve cannot rise with the working set but by noise: it is first made to fall (isotonic regression). Then
log(bandwidth) over the sizes is cut into plateaus, runs of one value, and slopes between them, at the least total of

    squared error of a plateau's sizes + PLATEAU_COST per plateau + SLOPE_COST per size on a slope

(optimal partitioning; Jackson et al. 2005). Pure functions; standard library only.
"""

from __future__ import annotations

from itertools import pairwise
from math import exp, log, sqrt

STEP = 1.12
"""Neighbouring levels differ at least by this factor in bandwidth."""

PLATEAU_COST = log(1.2) ** 2
SLOPE_COST = log(1.15) ** 2
LEAST_SIZES = 3
LEAST_SIZES_OF_MEMORY = 2
INFINITE = float("inf")


def plateaus(curve: dict[int, float]) -> list[tuple[int, float]]:
    """(up to how many bytes, bandwidth) of each plateau of a curve {working set in bytes: byte/s}, smallest first.

    A level ends at the largest size that is nearer, in ratio, to its own bandwidth than to the next level's; the last
    at the largest size measured. Raises ValueError for an empty curve.
    """
    if not curve:
        msg = "no read curve: no level can be found"
        raise ValueError(msg)
    sizes = sorted(curve)
    falling = _falling([log(curve[size]) for size in sizes])
    runs: list[list[float]] = []
    for start, end in _plateau_runs(falling):
        run = falling[start:end]
        if runs and _mean(runs[-1]) - _mean(run) < log(STEP):
            runs[-1] += run
        else:
            runs.append(run)
    found = [_mean(run) for run in runs]
    ends = [
        max(s for s, v in zip(sizes, falling, strict=True) if v >= (a + b) / 2)
        for a, b in pairwise(found)
    ]
    return list(zip([*ends, sizes[-1]], map(exp, found), strict=True))


def name(found: list[tuple[int, float]], caches: list[tuple[int, int]]) -> list[str]:
    """Names for plateaus: the last is DRAM, each before it takes the reported cache nearest in size to its end.

    `caches` are (level, bytes of all instances). Plateaus for which no cache is left are called after their number.
    """
    names, free = [], sorted(caches)
    for number, (end, _) in enumerate(found[:-1], 1):
        still_to_name = len(found) - 1 - number
        choice = free[: max(1, len(free) - still_to_name)]
        if choice:
            level, _size = min(choice, key=lambda cache: abs(log(cache[1] / end)))
            free = [cache for cache in free if cache[0] > level]
            names.append(f"L{level}")
        else:
            names.append(f"cache {number}")
    return [*names, "DRAM"]


def last_cache_bytes(found: list[tuple[int, float]]) -> int:
    """Where the last level before memory ends; the largest size measured where there is but one plateau."""
    return found[-2][0] if len(found) > 1 else found[-1][0]


def middle(found: list[tuple[int, float]], smallest: int) -> list[int]:
    """A working set well inside each level: the geometric middle of its range, and for memory its end; whole pages."""
    starts = [smallest, *(end for end, _ in found[:-1])]
    inside = [
        int(sqrt(start * end)) >> 12 << 12 for start, (end, _) in zip(starts, found, strict=True)
    ]
    return [*inside[:-1], found[-1][0]]


def _falling(values: list[float]) -> list[float]:
    """The nearest non-increasing sequence in squared error (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return [mean for mean, count in blocks for _ in range(count)]


def _plateau_runs(values: list[float]) -> list[tuple[int, int]]:
    """Half-open index ranges of the plateaus of the cheapest cutting; the last one ends with the values."""
    count = len(values)
    cost = [0.0] + [INFINITE] * count
    came: list[tuple[int, bool]] = [(0, False)] * (count + 1)
    for end in range(1, count + 1):
        least = min(count, LEAST_SIZES_OF_MEMORY) if end == count else LEAST_SIZES
        if end < count:
            cost[end], came[end] = cost[end - 1] + SLOPE_COST, (end - 1, False)
        for start in range(end - least + 1):
            total = cost[start] + _squared_error(values[start:end]) + PLATEAU_COST
            if total < cost[end]:
                cost[end], came[end] = total, (start, True)
    runs, end = [], count
    while end:
        start, flat = came[end]
        if flat:
            runs.append((start, end))
        end = start
    return runs[::-1]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _squared_error(values: list[float]) -> float:
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values)
