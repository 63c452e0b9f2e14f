"""A measured profile as one side of a comparison: its steps, its limits as a rule, its facts. Pure.

Limits are the medians beside the machine's own steps. Where it has none of a kind, the medians of its sweep count.
Sentinels are no part of a curve.
"""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from bench.profile.records import Point
from bench.profile.stats import median, quantile
from kernels.case import ARITHMETIC
from reports.analysis.analysis import Analysis
from reports.analysis.points import Row
from reports.analysis.roofs import Roofs, interpolated
from reports.analysis.wording import setting
from reports.compare.facts import facts
from reports.compare.system import (
    ALL,
    PRODUCTS,
    RESIDENT,
    STREAMED,
    TRAIN,
    Entry,
    Limits,
    System,
    Work,
    call_of,
)

NEAR = 1.2
"""A size of the sweep gives way to a working set of steps within this factor."""


def system(analysis: Analysis, name: str) -> System:
    """A measured profile as one side of a comparison, called `name`."""
    profile, roofs = analysis.profile, analysis.roofs
    everyone = profile.environment.get("threads")
    setups = sorted({(point.case.device, point.case.threads) for point in profile.points})
    device = setups[0][0] if setups else "cpu"
    entries = (_entry(analysis, row, everyone) for row in analysis.rows)
    return System(
        name=name,
        origin=profile.origin,
        method=profile.method,
        machine=profile.machine.get("id"),
        entries=tuple(entry for entry in entries if entry is not None),
        roofs={_role(*setup, everyone): limits(profile.points, roofs, *setup) for setup in setups},
        levels=tuple((level.name, level.bytes_per_s) for level in roofs.levels(device)),
        facts=facts(profile),
        threads=everyone,
        clock_hz=analysis.clock,
    )


def _role(device: str, count: int, everyone: int | None) -> str:
    """What its roofs are kept under: the device where that is no CPU."""
    if device != "cpu":
        return device
    return ALL if count == everyone else str(count)


def _entry(analysis: Analysis, row: Row, everyone: int | None) -> Entry | None:
    """A good point; None where it does not tell what it computes or moves."""
    point, case = row.point, row.case
    if point.flops is None or point.bytes is None:
        return None
    under = analysis.under.get(row.key)
    role = _role(case.device, case.threads, everyone)
    of_case = {field.name: getattr(case, field.name) for field in fields(Work)}
    return Entry(
        work=Work(**of_case | {"threads": role}),
        setting=setting(case, role),
        implementation=point.implementation,
        seconds=point.seconds,
        paired=point.roof_bytes_per_s,
        read=point.bytes["read"],
        written=point.bytes["written"],
        together=bool(point.roof_triad_bytes_per_s),
        flops=point.flops["linear"],
        recurrent=point.flops["recurrent"],
        working_set=point.working_set_bytes,
        floor=point.floor_seconds,
        t_bytes=row.t_bytes.median if row.t_bytes else None,
        t_flops=row.t_flops.median if row.t_flops else None,
        fraction=row.fraction,
        overhead=row.overhead.median if row.overhead else None,
        level=under.level if under else None,
        roof=under.height(row.intensity) if under and row.intensity else None,
        projected=point.projected,
        joules=point.joules,
        visits=point.visits,
    )


def limits(points: Iterable[Point], roofs: Roofs, device: str, threads: int) -> Limits:
    """The limits of a machine on a device at one thread count, by its points and roofs."""
    here = [p for p in points if p.status == "ok"]
    here = [p for p in here if (p.case.device, p.case.threads) == (device, threads)]
    paired = [p for p in here if p.roof_bytes_per_s]
    streamed = [p for p in paired if p.case.residency == STREAMED]
    resident = [p for p in paired if p.case.residency == RESIDENT]
    by_size = [(p.working_set_bytes, p.roof_bytes_per_s) for p in resident]
    read = _beside(roofs.typical_curve(device).get(threads, []), by_size)
    by_size = [(p.bytes["written"], p.roof_write_bytes_per_s) for p in here if p.bytes]
    write = _beside(roofs.curve(device, "write").get(threads, []), by_size)
    by_size = [
        (p.working_set_bytes + p.bytes["written"], p.roof_triad_bytes_per_s)
        for p in here
        if p.bytes and p.working_set_bytes
    ]
    triad = _beside(roofs.curve(device, "triad").get(threads, []), by_size)
    once = [median(p.roof_bytes_per_s) for p in streamed if p.case.phase != TRAIN]
    twice = [median(p.roof_bytes_per_s) for p in streamed if p.case.phase == TRAIN]
    memory = median(once) if once else read[-1][1] if read else None
    training = median(twice) if twice else None
    peaks = {pair: roofs.arithmetic_roof(device, threads, *pair) for pair in ARITHMETIC}
    products = {}
    for pair in ARITHMETIC:
        alike = [p.roof_flop_per_s for p in here if _multiplied(p) == pair]
        sampled = [median(beside) for beside in alike if beside]
        rate = median(sampled) if sampled else roofs.typical_product(device, threads, *pair)
        if rate is not None:
            products[pair] = rate
    pairs: dict[str, list[tuple[Sequence[float], float | None]]] = {
        STREAMED: [
            (p.roof_bytes_per_s, training if p.case.phase == TRAIN else memory) for p in streamed
        ],
        RESIDENT: [
            (p.roof_bytes_per_s, interpolated(read, p.working_set_bytes))
            for p in resident
            if p.working_set_bytes and read
        ],
        PRODUCTS: [(p.roof_flop_per_s, products.get(_multiplied(p))) for p in here],
    }
    shares = {
        kind: [sample / rate for samples, rate in found if rate for sample in samples]
        for kind, found in pairs.items()
    }
    floors: dict[tuple[object, ...], list[float]] = {}
    for point in here:
        if point.floor_seconds is not None:
            call = call_of(point.implementation, point.case)
            floors.setdefault(call, []).append(point.floor_seconds)
    return Limits(
        read=read,
        write=write,
        memory=memory,
        peaks={pair: peak for pair, peak in peaks.items() if peak is not None},
        products=products,
        reach={
            kind: (quantile(found, 0.025), quantile(found, 0.975))
            for kind, found in shares.items()
            if found
        },
        floors={call: median(found) for call, found in floors.items()},
        call=roofs.call(device, threads),
        training=training,
        triad=triad,
    )


def _multiplied(point: Point) -> tuple[str, str]:
    """The dtypes that decide a point's arithmetic roof."""
    return point.case.dtype, point.case.activations


def _beside(
    curve: Sequence[tuple[int, float]], sampled: Iterable[tuple[int | None, Sequence[float]]]
) -> tuple[tuple[int, float], ...]:
    """The sweep's curve, and at the sizes of steps the median of what was sampled beside these."""
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
