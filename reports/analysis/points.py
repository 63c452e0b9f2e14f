"""Each good point held against the roofs of its profile. Pure: points and their roofs in, rows out.

Every figure is formed round by round, each sample of a step against the roof sample taken beside it, for the machine's
speed drifts and both sides drift together. Of each visit its median counts, and a figure is the visits' geometric mean
with Student's interval. How far visits lie apart is told by all points of the profile and device together, for each
figure apart: the spread of a time is several times that of a time over its roof. (Simulated, 60 points of three visits:
so intervals of fraction, time and balance hold the truth in .95 of the cases; .90, .95 and 1.00 where the paired
figures have one spread, .94, .89 and 1.00 where all have.) A point that was visited once has the median of its rounds,
and an interval that holds within that visit only. What a profile lacks is None here, never 0. Points never influence
roofs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, fsum, log

from bench.profile import roof_times, stats
from bench.profile.records import Point
from bench.profile.stats import Estimate, Spread, median
from kernels import roofline_model
from kernels.case import CELLS, PARTS, Case
from kernels.roofline_model import BANDWIDTH, CALL, COMPUTE, LIMIT

ALLOWED = {
    bound: (figure, f"time over {figure}")
    for bound, figure in {
        BANDWIDTH: "t_bytes",
        COMPUTE: "t_flops",
        CALL: "floor",
        LIMIT: "limit",
    }.items()
}
"""By bound the figure that says how long it takes, and that of the time over it, the floor taken off but for itself."""
ALL = slice(None)
"""Every visit of a point."""
FEWEST = 5
"""Of fewer points no mean, no quantile and no ranking is told."""

Values = tuple[float, ...]
Priors = Mapping[str, Spread | None]


@dataclass(frozen=True, slots=True)
class Sampled:
    """The figures of one point before they are summed up.

    byte_times  bytes read / paired read roof + what writing adds, round by round
    flop_times  linear FLOPs / arithmetic roof, the paired one where there is one, round by round
    visited     whether there was more than one visit
    values      by figure: the medians of its visits, in order; the rounds themselves where there was one
    """

    point: Point
    write_roof: float | None
    byte_times: Values
    flop_times: Values
    visited: bool
    values: Mapping[str, Values]


@dataclass(frozen=True, slots=True)
class Row:
    """One good point against its roofs. Times in seconds per step; bytes and FLOPs are the modelled, compulsory ones.

    key            what identifies its point within the profile
    bytes_per_s    bytes read and written / time
    flop_per_s     linear FLOPs / time; None for a part without products
    intensity      linear FLOPs / bytes, FLOP/byte
    level          where the working set lies, by the plateaus of the read curve; None where that is unclear
    write_roof     byte/s as sampled beside the point, the median, else as the sweep found it
    t_bytes        what the bytes take at their roofs
    t_flops        what the products take at theirs
    limit          the larger of the two; of a hoisted sequence, those of its two stages added up
    fraction       limit / time: the roof fraction
    multiplying    t_flops / time: the share of the arithmetic roof
    explained      (floor + limit) / time
    overhead       floor / time
    balance        t_flops / t_bytes, of the longer stage: 1 at the ridge
    normalised     time x paired read roof, bytes: what points of one machine are compared by
    sampled        what they were formed of
    priors         by figure, how far visits of this device lie apart
    """

    key: str
    seconds: Estimate
    bytes_per_s: float | None
    flop_per_s: float | None
    intensity: float | None
    level: str | None
    write_roof: float | None
    t_bytes: Estimate | None
    t_flops: Estimate | None
    limit: Estimate | None
    fraction: Estimate | None
    multiplying: Estimate | None
    explained: Estimate | None
    overhead: Estimate | None
    balance: Estimate | None
    normalised: Estimate | None
    sampled: Sampled
    priors: Priors = field(repr=False)

    @property
    def point(self) -> Point:
        """The point itself."""
        return self.sampled.point

    @property
    def case(self) -> Case:
        """The case of the point."""
        return self.sampled.point.case

    @property
    def triad_roof(self) -> float | None:
        """As sampled beside the point, byte/s."""
        return roof_times.triad_roof(self.point)

    @property
    def byte_times(self) -> Values:
        """As sampled."""
        return self.sampled.byte_times

    @property
    def flop_times(self) -> Values:
        """As sampled."""
        return self.sampled.flop_times

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

    def part(self, figure: str, visits: slice = ALL) -> Values:
        """A figure's values in some of the visits; all of one visit's rounds; empty where it is not known."""
        found = self.sampled.values.get(figure, ())
        return found[visits] if self.sampled.visited else found

    def middle(self, figure: str, visits: slice = ALL) -> float:
        """What stands for a known figure in some of the visits."""
        return middle(self.part(figure, visits), self.sampled.visited)

    def estimate(self, figure: str, visits: slice = ALL) -> Estimate | None:
        """A figure by some of the visits."""
        return _summed(self.part(figure, visits), self.sampled.visited, self.priors.get(figure))


def order(point: Point) -> tuple[object, ...]:
    """How points are listed everywhere: by cell, part, phase, residency, hidden, dtype, batch, implementation."""
    case = point.case
    kind = (CELLS.index(case.cell), PARTS.index(case.part), case.phase, case.residency)
    sizes = (case.hidden, case.input, case.dtype, case.activations, case.device, case.threads)
    return (*kind, *sizes, case.steps, case.batch, point.implementation)


def middle(values: Sequence[float], visited: bool) -> float:
    """What stands for a figure's values: the geometric mean of visits' medians, the median of one visit's rounds."""
    if not visited or min(values) <= 0:
        return median(values)
    return exp(fsum(map(log, values)) / len(values))


def sampled(point: Point, write_roof: float | None, arithmetic_roof: float | None) -> Sampled:
    """A good point's figures, visit by visit; roofs of the sweep count where none was sampled beside it.

    Raises ValueError for a point without samples.
    """
    linear = point.flops["linear"] if point.flops else 0
    written = point.bytes["written"] if point.bytes else 0
    writing = written / write_roof if write_roof else None
    multiplying = linear / arithmetic_roof if arithmetic_roof else None
    moving = roof_times.byte_times(point, writing)
    byte_times = tuple(read + wrote for read, wrote in moving)
    flop_times = tuple(roof_times.product_times(point, multiplying))
    taken = point.seconds
    count = len(stats.by_visit(taken, point.visits))

    def summed(values: Sequence[float]) -> Values:
        if count < 2:
            return tuple(values)
        if values[0] == values[-1] and len(set(values)) == 1:
            return (values[0],) * count  # a roof or floor that was not sampled beside the point
        return tuple([median(one) for one in stats.by_visit(values, point.visits)])

    rounds: dict[str, Sequence[float]] = {"seconds": taken}
    if point.roof_bytes_per_s:
        rounds["normalised"] = [t * r for t, r in zip(taken, point.roof_bytes_per_s, strict=True)]
    floors: Sequence[float] = point.floor_beside
    if not floors and point.floor_seconds is not None:
        floors = (point.floor_seconds,) * len(taken)
    left: Sequence[float] = taken
    if floors:
        left = [t - floor for t, floor in zip(taken, floors, strict=True)]
        rounds |= {
            "floor": floors,
            "overhead": roof_times.shares(floors, taken),
            ALLOWED[CALL][1]: roof_times.shares(taken, floors),
        }
    if byte_times:
        rounds |= {
            "t_bytes": byte_times,
            ALLOWED[BANDWIDTH][1]: roof_times.shares(left, byte_times),
        }
    if flop_times:
        rounds |= {"t_flops": flop_times, "multiplying": roof_times.shares(flop_times, taken)}
        if linear:
            rounds[ALLOWED[COMPUTE][1]] = roof_times.shares(left, flop_times)
    if byte_times and flop_times:
        rounds |= _against_limit(point, moving, rounds, lambda one: middle(summed(one), count > 1))
        if floors:
            rounds["explained"] = [
                roofline_model.explained(*one)
                for one in zip(rounds["limit"], floors, taken, strict=True)
            ]
    formed = {id(each): summed(each) for each in rounds.values()}  # some are two figures
    values = {name: formed[id(each)] for name, each in rounds.items()}
    return Sampled(point, write_roof, byte_times, flop_times, count > 1, values)


def _against_limit(
    point: Point,
    moving: Sequence[tuple[float, float]],
    rounds: Mapping[str, Sequence[float]],
    middling: Callable[[Sequence[float]], float],
) -> dict[str, Sequence[float]]:
    """What holds the limit, round by round, as `roof_times.limits` chooses it: bytes or products, of each stage."""
    taken, t_bytes, t_flops = (rounds[name] for name in ("seconds", "t_bytes", "t_flops"))
    moved, multiplied = roof_times.shares(t_bytes, taken), rounds["multiplying"]
    over = ALLOWED[LIMIT][1]
    if point.projection is None:
        balance = roof_times.shares(t_flops, t_bytes)
        if middling(moved) >= middling(multiplied):
            known = {"limit": t_bytes, "fraction": moved, over: rounds[ALLOWED[BANDWIDTH][1]]}
        else:
            known = {"limit": t_flops, "fraction": multiplied, over: rounds[ALLOWED[COMPUTE][1]]}
        return {"balance": balance, **known}
    staged = [
        roofline_model.stages(*both, products, point.projected)
        for both, products in zip(moving, t_flops, strict=True)
    ]
    limits = roof_times.limits(staged, taken, middling)
    return {
        "limit": limits,
        "fraction": roof_times.shares(limits, taken),
        "balance": [roofline_model.balance(one) for one in staged],
    }


def priors(every: Iterable[Sampled]) -> dict[str, Priors]:
    """By device and figure, how far visits lie apart, by all points that were visited more than once."""
    known: dict[str, dict[str, list[Spread]]] = {}
    for one in every:
        by_figure = known.setdefault(one.point.case.device, {})
        for figure, values in one.values.items() if one.visited else ():
            if min(values) > 0:
                by_figure.setdefault(figure, []).append(stats.spread(values))
    return {
        device: {figure: stats.prior(spreads) for figure, spreads in by_figure.items()}
        for device, by_figure in known.items()
    }


def held(one: Sampled, level: str | None, priors: Priors) -> Row:
    """A point as a row, by the priors of its device. `level` is where its working set lies."""
    point = one.point
    linear = point.flops["linear"] if point.flops else 0
    moved = point.bytes["read"] + point.bytes["written"] if point.bytes else 0
    known = {
        name: _summed(one.values.get(name, ()), one.visited, priors.get(name)) for name in FIGURES
    }
    seconds = known.pop("seconds")
    assert seconds is not None
    writing = point.roof_write_bytes_per_s
    return Row(
        key=point.key,
        seconds=seconds,
        bytes_per_s=moved / seconds.median if moved else None,
        flop_per_s=linear / seconds.median if linear else None,
        intensity=linear / moved if linear and moved else None,
        level=level,
        write_roof=median(writing) if writing else one.write_roof,
        sampled=one,
        priors=priors,
        **known,
    )


FIGURES = (
    *("seconds", "t_bytes", "t_flops", "limit", "fraction", "multiplying"),
    *("explained", "overhead", "balance", "normalised"),
)
"""Those that a row has."""


def _summed(values: Values, visited: bool, prior: Spread | None) -> Estimate | None:
    """An estimate of these values. A roof that was not sampled beside the point does not move from visit to visit."""
    if not values:
        return None
    alike = len(values) < 2 or min(values) <= 0 or min(values) == max(values)
    if alike or not visited:
        return stats.estimate(values)
    return stats.of_visits(values, prior)


def times_apart(slow: Row, quick: Row) -> Estimate:
    """How many times as long one step takes as another, by time x paired roof; by bare time where a roof is missing."""
    if slow.normalised and quick.normalised:
        return stats.ratio(slow.normalised, quick.normalised)
    return stats.ratio(slow.seconds, quick.seconds)
