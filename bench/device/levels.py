"""Levels: the plateaus of the read curve, found from the curve itself and named with the caches the system reports.

A virtual machine reports its host's caches, and a container may own a share of one; so where a level ends is read off
the curve. A curve cannot rise with the working set but by noise: it is first made to fall (isotonic regression). Then
log(bandwidth) over the sizes is cut into plateaus, runs of one value, and slopes between them, at the least total of

    squared error of a plateau's sizes + PLATEAU_COST per plateau + SLOPE_COST per size on a slope

(optimal partitioning; Jackson et al. 2005).

Memory is where the curve is flat: two doublings together lose less than FLAT (`flat_from`). A plateau that still falls
slowly behind it is a cache's, whatever the system reports: caches that keep a part of what is too large for them fade
over many doublings. Pure functions; standard library only.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import exp, log, sqrt

from bench.profile.level_names import MEMORY, of_plateaus
from bench.profile.records import Level, Roof
from bench.profile.stats import median

STEP = 1.12
"""Neighbouring levels differ at least by this factor in bandwidth."""

PLATEAU_COST = log(1.2) ** 2
SLOPE_COST = log(1.15) ** 2
LEAST_SIZES = 3
LEAST_SIZES_OF_MEMORY = 2
INFINITE = float("inf")

FLAT = 0.04
"""Two doublings that lose less than this share are memory. A cache's end costs more: one twice as fast as memory, which
keeps its share of a set four times too large for it, still gives 14 % on it."""

STREAM_FACTOR = 4
"""Streamed weights span at least so many times the last cache level."""

NEARLY_FLAT = 0.05
"""A set that loses less than this share on the way to the largest is not called a cache's afterwards: the curve is
swept again at the end of a run, and may move a little around FLAT."""


def sizes(smallest: int, largest: int, *, midway: bool) -> list[int]:
    """Working sets of a read curve: the smallest and its doublings, and midway between them, to `largest` bytes."""
    found: list[int] = []
    size = smallest
    while size <= largest:
        found += [size, 3 * size // 2] if midway else [size]
        size *= 2
    return [size for size in found if size <= largest]


def best_rates(roofs: Iterable[Roof]) -> dict[int, float]:
    """The read curve of roofs: the best rate over each working set."""
    best: dict[int, float] = {}
    for roof in roofs:
        if roof.kind == "read" and (size := roof.working_set_bytes):  # a datasheet tells none
            best[size] = max(best.get(size, 0.0), *roof.samples)
    return best


def flat_from(rounds: Sequence[Mapping[int, float]]) -> int | None:
    """The least size from which on no size is faster than the largest by FLAT; None for less than two doublings.

    Each of `rounds` holds {working set in bytes: byte/s} of sizes that had their turns one after the other: only these
    are compared, because a machine's speed drifts between rounds. None too without any.
    """
    first = within(rounds, FLAT)
    largest = max((size for one in rounds for size in one), default=0)
    return first if first is not None and 4 * first <= largest else None


def within(rounds: Sequence[Mapping[int, float]], loss: float) -> int | None:
    """The least size from which on every size loses less than that share on the way to the largest; None without any.

    The loss is the median of those that the rounds show.
    """
    first = None
    for size, each in sorted(to_largest(rounds).items(), reverse=True):
        if 1 - 1 / median(each) >= loss:
            break
        first = size
    return first


def to_largest(rounds: Sequence[Mapping[int, float]]) -> dict[int, list[float]]:
    """How many times as fast as the largest size each one was, in every round that walked both."""
    largest = max((size for one in rounds for size in one), default=0)
    found: dict[int, list[float]] = {}
    for one in rounds:
        for size, rate in one.items():
            if largest in one:
                found.setdefault(size, []).append(rate / one[largest])
    return found


def plateaus(curve: dict[int, float], memory_from: int | None = None) -> list[tuple[int, float]]:
    """(up to how many bytes, bandwidth) of each plateau of a curve {working set in bytes: byte/s}, smallest first.

    From `memory_from` bytes on all sizes are the last level's; without it that level is found as the others are. A
    level ends at the largest size that is nearer, in ratio, to its own bandwidth than to the next level's; the last at
    the largest size measured. Raises ValueError for an empty curve.
    """
    if not curve:
        raise ValueError("no read curve: no level can be found")
    sizes = sorted(curve)
    falling = _falling([log(curve[size]) for size in sizes])
    inside = sum(1 for size in sizes if memory_from is None or size < memory_from)
    cut = [falling[start:end] for start, end in _plateau_runs(falling[:inside], memory_from)]
    memory = falling[inside:]
    runs: list[list[float]] = []
    for run in cut:
        if runs and _mean(runs[-1]) - _mean(run) < log(STEP):
            runs[-1] += run
        else:
            runs.append(run)
    if memory:  # what is flat tells its bandwidth alone, a cache that is hardly faster or not
        near = bool(runs) and _mean(runs[-1]) - _mean(memory) < log(STEP)
        runs[len(runs) - near :] = [memory]
    found = [_mean(run) for run in runs]
    ends = [
        max(s for s, v in zip(sizes, falling, strict=True) if v >= (a + b) / 2)
        for a, b in pairwise(found)
    ]
    return list(zip([*ends, sizes[-1]], map(exp, found), strict=True))


def named(
    device: str,
    found: Sequence[tuple[int, float]],
    caches: Sequence[tuple[int, int]],
    last: str = MEMORY,
) -> tuple[Level, ...]:
    """A device's plateaus as levels, by the names that `level_names.of_plateaus` gives; the last one has no end."""
    ends = [end for end, _ in found]
    names = of_plateaus(ends, caches, last)
    return tuple(
        Level(device, name, end, rate)
        for name, end, (_, rate) in zip(names, [*ends[:-1], None], found, strict=True)
    )


def last_cache_bytes(found: list[tuple[int, float]]) -> int:
    """Where the last level before memory ends; 0 where there is but one plateau."""
    return found[-2][0] if len(found) > 1 else 0


def last_level(found: int, reported: int) -> int:
    """Up to where weights may lie in a cache: what the curve found, or what the system reports if it is not twice that.

    A neighbour who fills half of a shared cache while the curve is swept may be gone when a streamed point is measured.
    A curve that shows no cache at all (`found` is 0) tells nothing of it.
    """
    return max(found, reported if not found or reported <= 2 * found else 0, 1 << 20)


def middles(found: Sequence[Level], smallest: int, memory: int) -> dict[str, int]:
    """A working set well inside each level, by its name; `memory` bytes for the last.

    It is the geometric middle of the level's range, in whole pages.
    """
    starts = [smallest, *(level.up_to_bytes or memory for level in found)]
    inside = {
        level.name: int(sqrt(start * end)) >> 12 << 12
        for level, (start, end) in zip(found, pairwise(starts), strict=True)
    }
    return inside | {found[-1].name: memory}


def _falling(values: list[float]) -> list[float]:
    """The nearest non-increasing sequence in squared error (pool adjacent violators)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        blocks.append((value, 1))
        while len(blocks) > 1 and blocks[-2][0] < blocks[-1][0]:
            (a, m), (b, n) = blocks[-2:]
            blocks[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return [mean for mean, count in blocks for _ in range(count)]


def _plateau_runs(values: list[float], memory_from: int | None) -> list[tuple[int, int]]:
    """Half-open index ranges of the plateaus of the cheapest cutting.

    Where it is not known where memory begins, the last one ends with the values.
    """
    count = len(values)
    ends_on_a_plateau = memory_from is None
    cost = [0.0] + [INFINITE] * count
    came: list[tuple[int, bool]] = [(0, False)] * (count + 1)
    for end in range(1, count + 1):
        last = ends_on_a_plateau and end == count
        least = min(count, LEAST_SIZES_OF_MEMORY) if last else LEAST_SIZES
        if not last:
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
