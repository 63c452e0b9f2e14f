"""The roofline model: the least time that roofs allow a step, the share of its time that this is, and what bounds it.

Numbers in, numbers out; measuring, reading and predicting all import it. Williams, Waterman and Patterson, Roofline: An
Insightful Visual Performance Model, CACM 52(4), 2009, in times instead of rates:

    t_bytes    bytes read / read roof + what writing adds to that
    t_flops    linear FLOPs / arithmetic roof
    limit      max(t_bytes, t_flops), for bytes and products of one step can overlap
    fraction   limit / t, the roof fraction
    explained  (t_floor + limit) / t, for the call itself overlaps with neither
    overhead   t_floor / t
    balance    t_flops / t_bytes: 1 at the ridge

Memory that reads and writes at once moves more than it does of either alone, so bytes read / read roof + bytes written
/ write roof is no least time. What is moved as a triad does, two bytes read for one written, takes its total / triad
roof; the rest is read or written apart. Whichever way is the shorter counts, and none is shorter than the reading.

A sequence that multiplies its inputs before the first step (a hoisted W) has two stages that cannot overlap: its limit
is the sum of both stages' limits, and its balance is that of the longer one.
"""

from collections.abc import Sequence
from math import log

from kernels.case import ACTIVATIONS, ARITHMETIC

OVERHEAD = 0.5
"""From this share of the time on, the call itself bounds the step."""
BESIDE = 0.2
"""Above this share the call's own cost is named beside the bound."""
EXPLAINED = 0.75
"""From this share on, floor and limit together explain the time."""
IMPOSSIBLE = 1.03
"""A roof fraction whose whole interval lies above it says that the roof or the bytes are wrong."""
WRITTEN_SHARE = 0.1
"""Of the bytes that a step moves: from there on its write and triad roofs are sampled beside it, too."""

BANDWIDTH, COMPUTE, CALL, CODE = "bandwidth", "compute", "overhead", "implementation"
LIMIT = "limit"
"""Whichever of bandwidth and compute takes longer."""
BOTH = " + overhead"

Stages = tuple[tuple[float, float], tuple[float, float]]


def writing(
    read: float,
    written: float,
    read_roof: float,
    write_roof: float,
    triad_roof: float | None,
    before: float = 0.0,
) -> float:
    """The seconds that writing so many bytes adds to reading so many, by the roofs in byte/s.

    A triad of T bytes in all reads 2 T / 3 and writes T / 3. So of the bytes written s = min(written, read / 2) can go
    beside the 2 s that are read, in 3 s / triad roof instead of 2 s / read roof. Without a triad roof nothing does.
    `before` is the share of the reading that is over when the writing begins: the first of two stages.
    """
    apart = written / write_roof
    if triad_roof is None:
        return apart
    beside = min(written, (1 - before) * read / 2)
    together = beside * (3 / triad_roof - 2 / read_roof) + (written - beside) / write_roof
    return max(0.0, min(apart, together))


def stages(
    reading: float, writing: float, products: float, projected: tuple[float, float]
) -> Stages:
    """(t_bytes, t_flops) of what a step does first, and of the rest, from the seconds of all of it at its roofs.

    `projected` are the shares of reading and of products that come first; the first stage is nothing where they are 0.
    """
    first = projected[0] * reading, projected[1] * products
    return first, (reading - first[0] + writing, products - first[1])


def limit(
    reading: float, writing: float, products: float, projected: tuple[float, float] = (0.0, 0.0)
) -> float:
    """The least time, in seconds, that the roofs allow a step."""
    return least(stages(reading, writing, products, projected))


def least(staged: Stages) -> float:
    """Of each stage the longer of bytes and products, added up."""
    return sum(max(times) for times in staged)


def balance(staged: Stages) -> float:
    """t_flops / t_bytes of the longer stage."""
    t_bytes, t_flops = max(staged, key=max)
    return t_flops / t_bytes


def fraction(limit: float, seconds: float) -> float:
    """The roof fraction."""
    return limit / seconds


def explained(limit: float, floor: float, seconds: float) -> float:
    """The share of the time that floor and limit explain together."""
    return (floor + limit) / seconds


def bound(overhead: float, explained: float, balance: float) -> str:
    """What bounds a step whose figures are exact."""
    if overhead >= OVERHEAD:
        return CALL
    if explained < EXPLAINED:
        return CODE
    found = COMPUTE if balance > 1 else BANDWIDTH
    return found + BOTH if overhead > BESIDE else found


def arithmetic(dtype: str, activations: str | None = None) -> tuple[str, ...]:
    """The dtypes whose products may serve weights and activations: those to which both widen exactly.

    The arithmetic roof is the best of theirs.
    """
    return ARITHMETIC.get((dtype, activations or ACTIVATIONS.get(dtype, dtype)), (dtype,))


def nearest(curve: Sequence[tuple[int, float]], size: float) -> float | None:
    """The rate of a curve of (bytes, byte/s) at the size nearest, in ratio, to `size`; None for no size or no curve.

    So the write roof of a step is chosen, by the bytes that it writes.
    """
    if not curve or size <= 0:
        return None
    return min(curve, key=lambda sample: abs(log(sample[0] / size)))[1]
