"""A good point as it is stored, held round by round against the roofs sampled beside it, else against the sweep's."""

from collections.abc import Callable, Sequence

from bench.profile.records import Point
from bench.profile.stats import median
from kernels import roofline_model


def byte_times(point: Point, written_seconds: float | None) -> list[tuple[float, float]]:
    """Seconds of reading and what writing adds to them, round by round; empty where a roof is missing.

    `written_seconds` is what writing takes at the roof of the sweep, None where there is none: samples beside the step
    count before it.
    """
    if not point.bytes or not point.bytes["read"]:
        return []
    read, written = point.bytes["read"], point.bytes["written"]
    if not written:
        written_seconds = 0.0
    reading, sampled = point.roof_bytes_per_s, point.roof_write_bytes_per_s
    triad = point.roof_triad_bytes_per_s or (None,) * len(sampled)
    writing: Sequence[float] = [
        roofline_model.writing(read, written, *roofs, point.projected[0])
        for roofs in zip(reading, sampled, triad, strict=False)
    ]
    if not writing and written_seconds is not None:
        writing = [written_seconds] * len(reading)
    return [(read / roof, w) for roof, w in zip(reading, writing, strict=False)]


def triad_roof(point: Point) -> float | None:
    """What a triad moved beside the step, read and written, in byte/s: the median; None where it was not sampled."""
    sampled = point.roof_triad_bytes_per_s
    return median(sampled) if sampled else None


def product_times(point: Point, product_seconds: float | None) -> list[float]:
    """Seconds of the products, round by round; zeros without products, empty where their roof is missing.

    `product_seconds` is what they take at the roof of the sweep, None where there is none.
    """
    if not point.flops:
        return []
    linear = point.flops["linear"]
    if linear and point.roof_flop_per_s:
        return [linear / roof for roof in point.roof_flop_per_s]
    if linear and product_seconds is None:
        return []
    return [product_seconds or 0.0 if linear else 0.0] * len(point.seconds)


def limits(
    staged: Sequence[roofline_model.Stages],
    seconds: Sequence[float],
    middling: Callable[[Sequence[float]], float] = median,
) -> list[float]:
    """The least time that the roofs allow, round by round: of each stage the bytes throughout, or the products.

    That which is the larger share of the `seconds` counts, by the `middling` round. The larger of the two in every
    single round would be too much by what noise adds to either, by 2.3 % at the ridge where rounds scatter by 4 %.
    """
    found = [0.0] * len(staged)
    for stage in (0, 1):
        sides = [[one[stage][side] for one in staged] for side in (0, 1)]
        longer = max(sides, key=lambda side: middling(shares(side, seconds)))
        found = [limit + one for limit, one in zip(found, longer, strict=True)]
    return found


def shares(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """One over the other, round by round."""
    return [one / other for one, other in zip(above, below, strict=True)]


def roof_fractions(point: Point, written_seconds: float | None) -> list[float]:
    """The roof fraction, round by round: the least time that the roofs allow over the step's.

    Products are free where their roof was not sampled. None without a read roof beside the step.
    """
    staged = [
        roofline_model.stages(*moved, multiplied, point.projected)
        for moved, multiplied in zip(
            byte_times(point, written_seconds), product_times(point, 0.0), strict=False
        )
    ]
    return shares(limits(staged, point.seconds), point.seconds) if staged else []
