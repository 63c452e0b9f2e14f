"""Each good point held against the roofs of its profile. Pure: a point and its roofs in, a row out.

Roofs are the best of their samples, points are medians with intervals. A fraction is formed round by round, each sample
of a step against the roof sample taken beside it, and the median of those fractions counts: the machine's speed
drifts, and both sides drift together. What a profile lacks is None here, never 0. Points never influence roofs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.profile import roof_times
from bench.profile.records import Point
from bench.profile.stats import Estimate, estimate, median
from kernels import roofline_model
from kernels.case import CELLS, PARTS, Case


@dataclass(frozen=True, slots=True)
class Row:
    """One good point against its roofs. Times in seconds per step; bytes and FLOPs are the modelled, compulsory ones.

    key            what identifies its point within the profile
    bytes_per_s    bytes read and written / median time
    flop_per_s     linear FLOPs / median time; None for a part without products
    intensity      linear FLOPs / bytes, FLOP/byte
    level          where the working set lies, by the plateaus of the read curve; None where that is unclear
    write_roof     byte/s as sampled beside the point, the median, else as the sweep found it
    byte_times     bytes read / paired read roof + bytes written / write roof, round by round
    flop_times     linear FLOPs / arithmetic roof, the paired one where there is one, round by round
    t_bytes        of the byte_times
    t_flops        of the flop_times
    limit          the larger of the two, round by round; of a hoisted sequence, those of its two stages added up
    fraction       limit / time: the roof fraction
    explained      (floor + limit) / time
    overhead       floor / time
    balance        t_flops / t_bytes, of the longer stage: 1 at the ridge
    normalised     time x paired read roof, bytes: what points of one machine are compared by
    """

    point: Point
    key: str
    seconds: Estimate
    bytes_per_s: float | None
    flop_per_s: float | None
    intensity: float | None
    level: str | None
    write_roof: float | None
    byte_times: tuple[float, ...]
    flop_times: tuple[float, ...]
    t_bytes: Estimate | None
    t_flops: Estimate | None
    limit: Estimate | None
    fraction: Estimate | None
    explained: Estimate | None
    overhead: Estimate | None
    balance: Estimate | None
    normalised: Estimate | None

    @property
    def case(self) -> Case:
        """The case of the point."""
        return self.point.case

    @property
    def moved(self) -> int:
        """Bytes that a step reads and writes, compulsory; 0 where they are not in the profile."""
        return self.point.bytes["read"] + self.point.bytes["written"] if self.point.bytes else 0

    @property
    def counted_intensity(self) -> float | None:
        """Linear FLOPs / the bytes that a tool counted, FLOP/byte; None where none did."""
        counted = self.point.counted_bytes or {}
        read, written = counted.get("read"), counted.get("written")
        if not self.point.flops or read is None or written is None:
            return None
        total = read + written
        return self.point.flops["linear"] / total if total else None

    @property
    def lacking(self) -> str:
        """Why it has no fraction."""
        if self.point.bytes is None or self.point.flops is None:
            return "its bytes and FLOPs are not in the profile"
        if not self.point.roof_bytes_per_s:
            return "no read roof was measured beside it"
        if self.t_bytes is None:
            return "no write roof was measured at its thread count"
        return "no arithmetic roof was measured for its dtype and thread count"


def order(point: Point) -> tuple[object, ...]:
    """How points are listed everywhere: by cell, part, phase, residency, hidden, dtype, batch, implementation."""
    case = point.case
    kind = (CELLS.index(case.cell), PARTS.index(case.part), case.phase, case.residency)
    sizes = (case.hidden, case.input, case.dtype, case.activations, case.device, case.threads)
    return (*kind, *sizes, case.steps, case.batch, point.implementation)


def held(
    point: Point, level: str | None, write_roof: float | None, arithmetic_roof: float | None
) -> Row:
    """A good point against its roofs; those of the sweep count where none was sampled beside it.

    `level` is where its working set lies. Raises ValueError for a point without samples.
    """
    seconds = estimate(point.seconds)
    linear = point.flops["linear"] if point.flops else 0
    written = point.bytes["written"] if point.bytes else 0
    moved = point.bytes["read"] + written if point.bytes else 0
    writing = written / write_roof if write_roof else None
    multiplying = linear / arithmetic_roof if arithmetic_roof else None
    moving = roof_times.byte_times(point, writing)
    byte_times = tuple(read + wrote for read, wrote in moving)
    flop_times = tuple(roof_times.product_times(point, multiplying))
    staged = [
        roofline_model.stages(*moved, products, point.projected)
        for moved, products in zip(moving, flop_times, strict=False)
    ]
    limits = [roofline_model.least(stages) for stages in staged]
    timed = list(zip(limits, point.seconds, strict=False))
    paired = zip(point.seconds, point.roof_bytes_per_s, strict=False)
    floor, sampled = point.floor_seconds, point.roof_write_bytes_per_s
    explained, overhead = None, None
    if floor is not None:
        explained = _estimate([roofline_model.explained(one, floor, taken) for one, taken in timed])
        overhead = estimate([floor / taken for taken in point.seconds])
    return Row(
        point=point,
        key=point.key,
        seconds=seconds,
        bytes_per_s=moved / seconds.median if moved else None,
        flop_per_s=linear / seconds.median if linear else None,
        intensity=linear / moved if linear and moved else None,
        level=level,
        write_roof=median(sampled) if sampled else write_roof,
        byte_times=byte_times,
        flop_times=flop_times,
        t_bytes=_estimate(byte_times),
        t_flops=_estimate(flop_times),
        limit=_estimate(limits),
        fraction=_estimate([roofline_model.fraction(*one) for one in timed]),
        explained=explained,
        overhead=overhead,
        balance=_estimate([roofline_model.balance(one) for one in staged]),
        normalised=_estimate([taken * roof for taken, roof in paired]),
    )


def times_apart(slow: Row, quick: Row) -> Estimate:
    """How many times as long one step takes as another, by time x paired roof; by bare time where a roof is missing."""
    if slow.normalised and quick.normalised:
        return quotient(slow.normalised, quick.normalised)
    return quotient(slow.seconds, quick.seconds)


def quotient(above: Estimate, below: Estimate) -> Estimate:
    """A ratio of two medians, and the interval that holds it whenever both intervals hold theirs."""
    return Estimate(above.median / below.median, above.low / below.high, above.high / below.low)


def _estimate(values: Sequence[float]) -> Estimate | None:
    return estimate(values) if values else None
