"""Levels: the plateaus of the read curve, found from the curve itself and named with the caches the system reports.

A virtual machine reports its host's caches, and a container may own a share of one; so where a level ends is read off
the curve. A curve cannot rise with the working set but by noise: it is first made to fall (isotonic regression). Then
log(bandwidth) over the sizes is cut into plateaus, runs of one value, and slopes between them, at the least total of

    squared error of a plateau's sizes + PLATEAU_COST per plateau + SLOPE_COST per size on a slope

(optimal partitioning; Jackson et al. 2005). Plateaus that are less than STEP apart, or that the curve's own noise may
have parted, are one. Between the first plateau and the last a run that falls by more than EDGE from size to size is the
edge of a level, and so is one that lies nearer to the fade of the level before it into the next one
(`bench.device.memory_rate`) than to its own mean. Where memory begins, rounds tell. Pure functions.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import exp, log, sqrt

from bench.profile.level_names import MEMORY, of_plateaus
from bench.profile.records import Level, Roof

STEP = 1.12
"""Neighbouring levels differ at least by this factor in bandwidth."""
NOISES = 3
"""And in logarithms by so many times what a size is off by as a rule."""
MOST_NOISE = log(1.2)
"""A size that is off by more counts as off by this: a burst at one of them says little of the others."""

PLATEAU_COST = log(1.2) ** 2
SLOPE_COST = log(1.15) ** 2
EDGE = 1.05
"""A plateau falls by less than this factor from one size to the next."""
LEAST_SIZES = 2
LEAST_WIDTH = 2
"""Of a plateau between two others: its largest size over its smallest."""
INFINITE = float("inf")

STREAM_FACTOR = 4
"""Streamed weights span at least so many times the last cache level."""


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
            best[size] = max(best.get(size, 0.0), *roof.counted)
    return best


def plateaus(
    curve: dict[int, float], memory_from: int | None = None, memory_rate: float | None = None
) -> list[tuple[int, float]]:
    """(up to how many bytes, bandwidth) of each plateau of a curve {working set in bytes: byte/s}, smallest first.

    From `memory_from` bytes on all sizes are the last level's; without it that level is found as the others are. Its
    bandwidth is `memory_rate`, where given. A level ends at the largest size that is nearer, in ratio, to its own
    bandwidth than to the next level's; the last at the largest size measured. Raises ValueError for an empty curve.
    """
    if not curve:
        raise ValueError("no read curve: no level can be found")
    sizes = sorted(curve)
    measured = [log(curve[size]) for size in sizes]
    falling = _falling(measured)
    inside = sum(1 for size in sizes if memory_from is None or size < memory_from)
    step = max(log(STEP), NOISES * _noise(measured[:inside], falling[:inside]))
    runs: list[range] = []
    for run in _plateau_runs(sizes[:inside], falling[:inside], memory_from is None):
        near = bool(runs) and _mean(falling, runs[-1]) - _mean(falling, run) < step
        runs.append(range(runs.pop().start, run.stop) if near else run)
    memory = range(inside, len(sizes))
    if memory:  # what is flat tells its bandwidth alone, a cache that is hardly faster or not
        if runs and _mean(falling, runs[-1]) - _mean(falling, memory) < log(STEP):
            runs.pop()
        runs.append(memory)
    while edge := _faded(sizes, falling, runs):
        runs.remove(edge)
    found = [_mean(falling, run) for run in runs]
    if memory_rate is not None:
        found[-1] = min(found[-1], log(memory_rate))
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


def _plateau_runs(sizes: list[int], values: list[float], ends_on_a_plateau: bool) -> list[range]:
    """Indices of each plateau of the cheapest cutting."""
    count = len(values)
    cost = [0.0] + [INFINITE] * count
    came: list[tuple[int, bool]] = [(0, False)] * (count + 1)
    for end in range(1, count + 1):
        last = ends_on_a_plateau and end == count
        if not last:
            cost[end], came[end] = cost[end - 1] + SLOPE_COST, (end - 1, False)
        for start in range(max(0, end - min(count, LEAST_SIZES)) + 1):
            inner = start > 0 and not last
            if inner and (
                sizes[end - 1] < LEAST_WIDTH * sizes[start] or _slope(values[start:end]) > log(EDGE)
            ):
                continue
            total = cost[start] + _squared_error(values[start:end]) + PLATEAU_COST
            if total < cost[end]:
                cost[end], came[end] = total, (start, True)
    runs, end = [], count
    while end:
        start, flat = came[end]
        if flat:
            runs.append(range(start, end))
        end = start
    return runs[::-1]


def _faded(sizes: list[int], values: list[float], runs: list[range]) -> range | None:
    """The first run that is a fade, or None."""
    for before, run, after in zip(runs, runs[1:], runs[2:], strict=False):
        if _fades(sizes, values, before, run, after):
            return run
    return None


def _fades(sizes: list[int], values: list[float], before: range, run: range, after: range) -> bool:
    """Whether a run lies nearer to the fade of the level before it into the one after it than to its own mean.

    What the level before it keeps is at least its largest set, and less than the first size behind it.
    """
    fast, slow = exp(-_mean(values, before)), exp(-_mean(values, after))
    least, most = sizes[before.stop - 1], sizes[before.stop]
    own = _squared_error([values[at] for at in run])
    for part in range(5):
        kept = least * (most / least) ** (part / 4)
        faded = [-log(slow - kept / sizes[at] * (slow - fast)) for at in run]
        if sum((values[at] - log_rate) ** 2 for at, log_rate in zip(run, faded, strict=True)) < own:
            return True
    return False


def _noise(measured: list[float], falling: list[float]) -> float:
    """By how much the sizes are off from a curve that falls: a standard deviation, none counted above MOST_NOISE.

    A falling curve of so many distinct values has taken as many degrees of freedom (Meyer and Woodroofe, Annals of
    Statistics 28(4), 2000).
    """
    off = [min(abs(a - b), MOST_NOISE) ** 2 for a, b in zip(measured, falling, strict=True)]
    return sqrt(sum(off) / max(1, len(off) - len(set(falling))))


def _slope(values: list[float]) -> float:
    """By how much they fall from one to the next, by least squares."""
    middle = (len(values) - 1) / 2
    away = [number - middle for number in range(len(values))]
    return -sum(a * v for a, v in zip(away, values, strict=True)) / sum(a * a for a in away)


def _mean(values: list[float], run: range) -> float:
    return sum(values[at] for at in run) / len(run)


def _squared_error(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values)
