"""The roof fraction of a point as it is stored: the least time that its roofs allow over the time it took. Pure."""

from __future__ import annotations

from bench.profile import stats
from bench.profile.records import Point
from kernels import roofline_model


def precision_of(point: Point, written_seconds: float) -> float:
    """Half-width of the 95 % interval of the median fraction, as a part of it: what a point's rounds went on for."""
    return stats.estimate(of(point, written_seconds)).half_width


def of(point: Point, written_seconds: float) -> list[float]:
    """A good point's roof fraction, round by round: the least time its roofs allow over the step's.

    `written_seconds` is what writing takes at the surveyed roof; where it was sampled beside the step, that counts.
    """
    assert point.bytes is not None
    assert point.flops is not None
    read, written, linear = point.bytes["read"], point.bytes["written"], point.flops["linear"]
    count = len(point.seconds)
    writing = [written / roof for roof in point.roof_write_bytes_per_s] or [written_seconds] * count
    flop_per_s = point.roof_flop_per_s or (float("inf"),) * count
    rounds = zip(point.seconds, point.roof_bytes_per_s, writing, flop_per_s, strict=True)
    return [
        roofline_model.limit(read / roof, storing, linear / product, point.projected) / each
        for each, roof, storing, product in rounds
    ]
