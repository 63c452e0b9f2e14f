"""Where memory begins and what it gives, by rounds in which large sets took turns: a flat end, or a fade towards it.

Memory is where the curve is flat: two doublings together lose less than FLAT (`flat_from`).

Of a set of S bytes a cache that keeps C of it whatever its size serves the share C / S. A byte then takes, on average,

    t(S) = (C / S) / r_cache + (1 - C / S) / r_memory = 1 / r_memory - (C / S) (1 / r_memory - 1 / r_cache)

which is a straight line over 1 / S, and its intercept, where the set is without bounds, is 1 / r_memory (`fade`). So a
curve that still fades at its end tells memory's rate all the same. Two doublings at least must lie on such a line.

Only rates of one round are compared, because a machine's speed drifts between rounds. Pure functions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import exp, log
from typing import NamedTuple

from bench.profile import stats
from bench.profile.records import Roof
from bench.profile.stats import median

FLAT = 0.04
"""Two doublings that lose less than this share are memory. A cache's end costs more: one twice as fast as memory, which
keeps its share of a set four times too large for it, still gives 14 % on it."""

NEARLY_FLAT = 0.05
"""A set that loses less than this share on the way to the largest is not called a cache's afterwards: the curve is
swept again at the end of a run, and may move a little around FLAT."""

Rounds = Sequence[Mapping[int, float]]
"""Each holds {working set in bytes: byte/s} of sizes that had their turns one after the other."""


class Fade(NamedTuple):
    """A curve that falls, from the size `begins` on, as a cache does that keeps a part of every set.

    `rate` is memory's over that of the `largest` set, below 1.
    """

    begins: int
    largest: int
    rate: float

    def least(self, loss: float) -> int:
        """Bytes of a set that is faster than memory by less than this share of its time."""
        return int((1 - self.rate) * self.largest / loss)


def of_roofs(reads: Iterable[Roof]) -> list[dict[int, float]]:
    """The rounds of every sweep, each size by its best variant of that round. All roofs are of as many threads."""
    found: dict[tuple[int, int], dict[int, float]] = {}
    for roof in reads:
        if roof.sweep is not None and (size := roof.working_set_bytes):
            for index, rate in enumerate(roof.samples):
                one = found.setdefault((roof.sweep, index), {})
                one[size] = max(rate, one.get(size, 0.0))
    return list(found.values())


def counted(reads: Iterable[Roof]) -> list[dict[int, float]]:
    """The rounds of every sweep that count for the best, each size by one variant: the one of the largest median.

    The best of each round would lie above it by chance, the more the more variants take turns.
    """
    fastest: dict[tuple[int, int], Roof] = {}
    for roof in reads:
        if roof.sweep is not None and (size := roof.working_set_bytes):
            known = fastest.setdefault((roof.sweep, size), roof)
            if median(roof.samples) > median(known.samples):
                fastest[roof.sweep, size] = roof
    return of_roofs(replace(roof, samples=roof.counted) for roof in fastest.values())


def to_largest(rounds: Rounds) -> dict[int, float]:
    """How many times as fast as the largest size each one was: the median of the rounds that walked both."""
    largest = max((size for one in rounds for size in one), default=0)
    found: dict[int, list[float]] = {}
    for one in rounds:
        for size, rate in one.items():
            if largest in one:
                found.setdefault(size, []).append(rate / one[largest])
    return {size: median(each) for size, each in found.items()}


def flat_from(rounds: Rounds) -> int | None:
    """The least size from which on no size is faster than the largest by FLAT; None for less than two doublings.

    None too without any rounds.
    """
    first = within(rounds, FLAT)
    largest = max((size for one in rounds for size in one), default=0)
    return first if first is not None and 4 * first <= largest else None


def within(rounds: Rounds, loss: float) -> int | None:
    """The least size from which on every size loses less than this share on the way to the largest; or None."""
    first = None
    for size, faster in sorted(to_largest(rounds).items(), reverse=True):
        if 1 - 1 / faster >= loss:
            break
        first = size
    return first


def fade(rounds: Rounds) -> Fade | None:
    """The longest end of the curve, of two doublings or more, whose times lie on one line over 1 / size.

    By least squares over the medians of the rounds, each as a share of the round's mean over that end; the line must
    run through the 95 % interval of every one. None where there is no such end, and where the times lie nearer to a
    line over log(size): they may grow with every doubling, and no memory is in sight.
    """
    sizes = sorted({size for one in rounds for size in one})
    for first, size in enumerate(sizes):
        if 4 * size > sizes[-1]:
            break
        end = sizes[first:]
        times = _times(rounds, end)
        if not times:
            continue
        shares, medians = [end[-1] / one for one in end], [each.median for each in times]
        slope, unbounded, off = _line(shares, medians)
        if all(
            each.low <= each.median - e <= each.high for each, e in zip(times, off, strict=True)
        ):
            *_, endless = _line([log(share) for share in shares], medians)
            fades = slope < 0 and sum(e * e for e in off) < sum(e * e for e in endless)
            return Fade(size, end[-1], (unbounded + slope) / unbounded) if fades else None
    return None


def _times(rounds: Rounds, end: Sequence[int]) -> list[stats.Estimate]:
    """Of each size the time of a byte over the round's mean, as far as rounds walked all of them."""
    found: list[list[float]] = [[] for _ in end]
    for one in rounds:
        if all(size in one for size in end):
            mean = exp(_mean([log(one[size]) for size in end]))
            for times, size in zip(found, end, strict=True):
                times.append(mean / one[size])
    return [stats.estimate(times) for times in found if times]


def best(reads: Sequence[Roof], begins: int | None) -> float:
    """Rate of the largest size in the best of the rounds that count, byte/s: by all sizes from `begins` on.

    So the best is one of moments, not of single samples. Where it is not told where memory begins, by those of the last
    two doublings. The roofs have rounds.
    """
    ratios = to_largest(of_roofs(reads))
    begins = begins or max(ratios) // 4
    found = [
        _mean([log(rate / ratios[size]) for size, rate in one.items() if size >= begins])
        for one in counted(reads)
        if max(ratios) in one
    ]
    return exp(max(found))


def _line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float, list[float]]:
    """Slope and intercept by least squares, and what each y is off by."""
    x, y = _mean(xs), _mean(ys)
    products = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    slope = products / sum((a - x) ** 2 for a in xs)
    off = [b - y - slope * (a - x) for a, b in zip(xs, ys, strict=True)]
    return slope, y - slope * x, off


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
