"""What the roofs of a machine give as a rule, and what a step needs by them at the least. Pure.

A fraction pairs a step with the roof beside it, which is what the machine gives as a rule, not the best that it ever
gave: a fraction is carried to another machine by the medians beside that machine's own steps. Where it has none of a
kind, the medians of its survey count. Sentinels are no part of a curve.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.profile.records import Point, Profile
from bench.profile.stats import median, quantile
from kernels import roofline_model
from kernels.case import ARITHMETIC, Case
from reports.analysis import roofs

if TYPE_CHECKING:
    from reports.compare.system import Entry, Work

NEAR = 1.2
"""A size of the survey gives way to a working set of steps within this factor."""
TRAIN = "train"
STREAMED, RESIDENT, PRODUCTS = "streamed", "resident", "products"


@dataclass(frozen=True, slots=True)
class Roofs:
    """Limits at one thread count. Curves are (working set, byte/s), ascending; one of one point holds everywhere.

    read      as a rule: the median beside the machine's own resident steps, elsewhere of the survey's best variant
    write     as a rule: the median beside its own steps that write as much, elsewhere the best of the survey, with
              which fractions are formed there
    memory    what streamed steps read at: the median beside its own, else the end of `read`
    training  what streamed training reads at, which goes through each set twice in a row and may find it in a cache
              then: the median beside its own; None where there is none
    peaks     the best products (FLOP/s), by dtype of weights and activations
    products  the same as a rule: the median beside its own steps, else of the best shape
    reach     by `streamed`, `resident`, `products`: within which factors 95 % of the samples beside steps lie
    floors    cost of a call, the median by `call_of`; `call` is that of the machine's emptiest
    """

    read: tuple[tuple[int, float], ...]
    write: tuple[tuple[int, float], ...]
    memory: float | None
    peaks: dict[tuple[str, str], float]
    products: dict[tuple[str, str], float]
    reach: dict[str, tuple[float, float]] = field(default_factory=dict)
    floors: dict[tuple[object, ...], float] = field(default_factory=dict)
    call: float | None = None
    training: float | None = None


def of(profile: Profile, device: str, threads: int) -> Roofs:
    """The limits of a profile at one thread count."""
    here = [
        point
        for point in profile.points
        if point.status == "ok" and (point.case.device, point.case.threads) == (device, threads)
    ]
    streamed = [p for p in here if p.case.residency == STREAMED and p.roof_bytes_per_s]
    resident = [p for p in here if p.case.residency == RESIDENT and p.roof_bytes_per_s]
    sizes = [(p.working_set_bytes, p.roof_bytes_per_s) for p in resident]
    read = _beside(roofs.typical_curve(profile, device).get(threads, []), sizes)
    written = [(p.bytes["written"], p.roof_write_bytes_per_s) for p in here if p.bytes]
    end = read[-1][1] if read else None
    once = [median(p.roof_bytes_per_s) for p in streamed if p.case.phase != TRAIN]
    twice = [median(p.roof_bytes_per_s) for p in streamed if p.case.phase == TRAIN]
    memory = median(once) if once else end
    training = median(twice) if twice else None
    products = {
        pair: rate
        for pair in ARITHMETIC
        if (rate := _product(profile, here, device, threads, pair)) is not None
    }
    peaks = {pair: roofs.arithmetic_roof(profile, device, threads, *pair) for pair in ARITHMETIC}
    known = [
        sample / rate
        for p in streamed
        for sample in p.roof_bytes_per_s
        if (rate := training if p.case.phase == TRAIN else memory)
    ]
    cached = [
        sample / rate
        for p in resident
        for sample in p.roof_bytes_per_s
        if p.working_set_bytes and (rate := roofs.interpolated(read, p.working_set_bytes))
    ]
    multiplied = [
        sample / rate
        for p in here
        for sample in p.roof_flop_per_s
        if (rate := products.get((p.case.dtype, p.case.activations)))
    ]
    floors: dict[tuple[object, ...], list[float]] = {}
    for point in here:
        if point.floor_seconds is not None:
            floors.setdefault(call_of(point.implementation, point.case), []).append(
                point.floor_seconds
            )
    return Roofs(
        read=read,
        write=_beside(roofs.read_curve(profile, device, "write").get(threads, []), written),
        memory=memory,
        peaks={pair: peak for pair, peak in peaks.items() if peak is not None},
        products=products,
        reach={
            kind: (quantile(shares, 0.025), quantile(shares, 0.975))
            for kind, shares in ((STREAMED, known), (RESIDENT, cached), (PRODUCTS, multiplied))
            if shares
        },
        floors={call: median(found) for call, found in floors.items()},
        call=roofs.call(profile, device, threads),
        training=training,
    )


def call_of(implementation: str, case: Case | Work) -> tuple[object, ...]:
    """What tells one kind of call from another."""
    kind = (case.cell, case.part, case.phase, case.steps)
    return implementation, *kind, case.dtype, case.activations


def limit(
    entry: Entry, limits: Roofs, reading: float = 1.0, multiplying: float = 1.0
) -> float | None:
    """What a step's bytes or products need at the least, in seconds; None where a roof is missing.

    A streamed step reads from memory whatever its sets span there, a resident one at its own working set. The read roof
    and the products may be given as so many times what they are as a rule.
    """
    if not entry.working_set or not limits.read:
        return None
    streamed = entry.work.residency == STREAMED
    memory = (limits.training if entry.work.phase == TRAIN else None) or limits.memory
    read = memory if streamed else roofs.interpolated(limits.read, entry.working_set)
    write = roofline_model.nearest(limits.write, entry.written)
    product = limits.products.get((entry.work.dtype, entry.work.activations))
    if not read or (entry.flops and not product) or (entry.written and not write):
        return None
    return roofline_model.limit(
        entry.read / (read * reading),
        entry.written / write if write else 0.0,
        entry.flops / (product * multiplying) if product else 0.0,
        entry.projected,
    )


def reach(entry: Entry, limits: Roofs) -> tuple[float, float] | None:
    """The least and the most that `limit` may be as far as the samples beside the machine's steps reach."""
    low, high = limits.reach.get(entry.work.residency, (1.0, 1.0))
    slow, quick = limits.reach.get(PRODUCTS, (1.0, 1.0))
    ends = limit(entry, limits, high, quick), limit(entry, limits, low, slow)
    return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None


def _beside(
    curve: Sequence[tuple[int, float]], sampled: Iterable[tuple[int | None, Sequence[float]]]
) -> tuple[tuple[int, float], ...]:
    """The survey's curve, and at the sizes of steps the median of what was sampled beside these."""
    found: dict[int, list[float]] = {}
    for size, rates in sampled:
        if size and rates:
            found.setdefault(size, []).append(median(rates))
    kept = {
        size: rate
        for size, rate in curve
        if not any(size < NEAR * other and other < NEAR * size for other in found)
    }
    return tuple(sorted((kept | {size: median(rates) for size, rates in found.items()}).items()))


def _product(
    profile: Profile, here: Iterable[Point], device: str, threads: int, pair: tuple[str, str]
) -> float | None:
    beside = [
        median(point.roof_flop_per_s)
        for point in here
        if point.roof_flop_per_s and (point.case.dtype, point.case.activations) == pair
    ]
    return median(beside) if beside else roofs.typical_product(profile, device, threads, *pair)
