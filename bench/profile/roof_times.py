"""A good point as it is stored, held round by round against the roofs sampled beside it, else against the sweep's."""

from collections.abc import Sequence

from bench.profile.records import Point
from kernels import roofline_model


def byte_times(point: Point, written_seconds: float | None) -> list[tuple[float, float]]:
    """Seconds of reading and of writing, round by round; empty where a roof is missing.

    `written_seconds` is what writing takes at the roof of the sweep, None where there is none: samples beside the step
    count before it.
    """
    if not point.bytes or not point.bytes["read"]:
        return []
    read, written = point.bytes["read"], point.bytes["written"]
    if not written:
        written_seconds = 0.0
    writing: Sequence[float] = [written / roof for roof in point.roof_write_bytes_per_s]
    if not writing and written_seconds is not None:
        writing = [written_seconds] * len(point.roof_bytes_per_s)
    return [(read / roof, w) for roof, w in zip(point.roof_bytes_per_s, writing, strict=False)]


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


def roof_fractions(point: Point, written_seconds: float | None) -> list[float]:
    """The roof fraction, round by round: the least time that the roofs allow over the step's.

    Products are free where their roof was not sampled.
    """
    moving, products = byte_times(point, written_seconds), product_times(point, 0.0)
    return [
        roofline_model.limit(*moved, multiplied, point.projected) / taken
        for moved, multiplied, taken in zip(moving, products, point.seconds, strict=False)
    ]
