"""Each good point held against the roofs of its profile. Pure: a profile in, rows out.

Roofs are the best of their samples, points are medians with intervals. A fraction is formed round by round, each sample
of a step against the roof sample taken beside it, and the median of those fractions counts: the machine's speed
drifts, and both sides drift together. What a profile lacks is None here, never 0. Points never influence roofs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.profile.records import Point, Profile
from bench.profile.stats import Estimate, estimate
from kernels import roofline_model
from kernels.case import Case
from reports.analysis import roofs
from reports.analysis.remember import remembered


@dataclass(frozen=True, slots=True)
class Row:
    """One good point against its roofs. Times in seconds per step; bytes and FLOPs are the modelled, compulsory ones.

    bytes_per_s    bytes read and written / median time
    flop_per_s     linear FLOPs / median time; None for a part without products
    intensity      linear FLOPs / bytes, FLOP/byte
    level          where the working set lies, by the plateaus of the read curve; None where that is unclear
    t_bytes        bytes read / paired read roof + bytes written / write roof
    t_flops        linear FLOPs / arithmetic roof, the paired one where there is one
    limit          the larger of the two, round by round; of a hoisted sequence, those of its two stages added up
    fraction       limit / time: the roof fraction
    explained      (floor + limit) / time
    overhead       floor / time
    balance        t_flops / t_bytes, of the longer stage: 1 at the ridge
    normalised     time x paired read roof, bytes: what points of one machine are compared by
    """

    point: Point
    seconds: Estimate
    bytes_per_s: float | None
    flop_per_s: float | None
    intensity: float | None
    level: str | None
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


@remembered
def rows(profile: Profile) -> tuple[Row, ...]:
    """A row for every good point, in the order of `order`."""
    good = (point for point in ordered(profile) if point.status == "ok" and point.seconds)
    return tuple(row(profile, point) for point in good)


@remembered
def ordered(profile: Profile) -> tuple[Point, ...]:
    """Every planned point, good or not, in the order of `order`."""
    return tuple(sorted(profile.points, key=order))


def counted_intensity(row: Row) -> float | None:
    """Linear FLOPs / the bytes that a tool counted, FLOP/byte; None where none did."""
    counted = row.point.counted_bytes or {}
    moved = [counted.get(name) for name in ("read", "written")]
    if not row.point.flops or not all(isinstance(one, int | float) and one >= 0 for one in moved):
        return None
    total = sum(one for one in moved if one)
    return row.point.flops["linear"] / total if total else None


def order(point: Point) -> tuple[object, ...]:
    """How points are listed everywhere: by cell, part, phase, residency, hidden, dtype, batch, implementation."""
    case = point.case
    return (
        ("rnn", "lstm", "gru").index(case.cell),
        ("cell", "linear", "pointwise").index(case.part),
        case.phase,
        case.residency,
        case.hidden,
        case.input,
        case.dtype,
        case.activations,
        case.device,
        case.threads,
        case.steps,
        case.batch,
        point.implementation,
    )


def row(profile: Profile, point: Point) -> Row:
    """A good point against the roofs of its profile. Raises ValueError for a point without samples."""
    seconds = estimate(point.seconds)
    linear = point.flops["linear"] if point.flops else None
    moved = point.bytes["read"] + point.bytes["written"] if point.bytes else None
    t_bytes, t_flops = bytes_times(profile, point), flops_times(profile, point)
    staged = _stages(point, t_bytes, t_flops) if t_bytes and t_flops else []
    limit = [sum(max(times) for times in each) for each in staged]
    floor = point.floor_seconds
    return Row(
        point=point,
        seconds=seconds,
        bytes_per_s=moved / seconds.median if moved else None,
        flop_per_s=linear / seconds.median if linear else None,
        intensity=linear / moved if linear and moved else None,
        level=level_of(profile, point),
        t_bytes=_estimate(t_bytes),
        t_flops=_estimate(t_flops),
        limit=_estimate(limit),
        fraction=_by_round(limit, point.seconds, roofline_model.fraction),
        explained=_by_round(
            limit, point.seconds, lambda least, taken: roofline_model.explained(least, floor, taken)
        )
        if floor is not None
        else None,
        overhead=estimate([floor / taken for taken in point.seconds])
        if floor is not None
        else None,
        balance=_estimate([roofline_model.balance(each) for each in staged]),
        normalised=_by_round(
            point.seconds, point.roof_bytes_per_s, lambda taken, roof: taken * roof
        ),
    )


def times_apart(slow: Row, quick: Row) -> Estimate:
    """How many times as long one step takes as another, by time x paired roof; by bare time where a roof is missing."""
    if slow.normalised and quick.normalised:
        return quotient(slow.normalised, quick.normalised)
    return quotient(slow.seconds, quick.seconds)


def quotient(above: Estimate, below: Estimate) -> Estimate:
    """A ratio of two medians, and the interval that holds it whenever both intervals hold theirs."""
    return Estimate(above.median / below.median, above.low / below.high, above.high / below.low)


def moved(row: Row) -> int:
    """Bytes that a step reads and writes, compulsory; 0 where they are not in the profile."""
    return row.point.bytes["read"] + row.point.bytes["written"] if row.point.bytes else 0


def level_of(profile: Profile, point: Point) -> str | None:
    """The level a working set lies in, or None where the roof sampled beside the point is not that level's.

    Near a level's end the two part: what the curve read from memory once, a step may find in a cache again and again.
    """
    level = roofs.level_by_size(profile, point)
    return level.name if level is not None and roofs.agrees(level, point) else None


def bytes_times(profile: Profile, point: Point) -> list[float]:
    """What the bytes of a point take at the roofs beside it, round by round; empty where a roof is missing."""
    if not point.bytes or len(point.roof_bytes_per_s) != len(point.seconds):
        return []
    read, written = point.bytes["read"], point.bytes["written"]
    if not read:
        return []
    write = written_at(profile, point)
    if written and not write:
        return []
    writing = [written / roof for roof in write] or [0.0] * len(point.seconds)
    return [
        read / reading + storing
        for reading, storing in zip(point.roof_bytes_per_s, writing, strict=True)
    ]


def written_at(profile: Profile, point: Point) -> tuple[float, ...]:
    """The write roof (byte/s) round by round, as sampled beside the point, else as surveyed; empty where unknown."""
    if point.roof_write_bytes_per_s or not point.bytes:
        return point.roof_write_bytes_per_s
    written = point.bytes["written"]
    roof = roofs.write_roof(profile, point.case.device, point.case.threads, written)
    return (roof,) * len(point.seconds) if roof else ()


def flops_times(profile: Profile, point: Point) -> list[float]:
    """What its products take at the arithmetic roof, round by round; zeros without products, empty without a roof."""
    if not point.flops:
        return []
    linear = point.flops["linear"]
    if not linear:
        return [0.0] * len(point.seconds)
    if len(point.roof_flop_per_s) == len(point.seconds):
        return [linear / roof for roof in point.roof_flop_per_s]
    case = point.case
    roof = roofs.arithmetic_roof(profile, case.device, case.threads, case.dtype, case.activations)
    return [linear / roof] * len(point.seconds) if roof else []


def _stages(
    point: Point, t_bytes: Sequence[float], t_flops: Sequence[float]
) -> list[roofline_model.Stages]:
    """Round by round, (bytes time, FLOP time) of what a hoisted sequence does first, and of the rest."""
    assert point.bytes is not None
    reading = [point.bytes["read"] / roof for roof in point.roof_bytes_per_s]
    rounds = zip(reading, t_bytes, t_flops, strict=True)
    return [
        roofline_model.stages(first, both - first, flops, point.projected)
        for first, both, flops in rounds
    ]


def _estimate(values: Sequence[float]) -> Estimate | None:
    return estimate(values) if values else None


def _by_round(
    above: Sequence[float], below: Sequence[float], form: Callable[[float, float], float]
) -> Estimate | None:
    if not above or len(above) != len(below):
        return None
    return estimate([form(*pair) for pair in zip(above, below, strict=True)])
