"""What every picture shows, computed once: where points stand, and the roofs they stand under. Pure.

In the units of the axes: FLOP/byte, GFLOP/s, GB/s, bytes, seconds.

A drawn roof is one figure for the whole run, the best of its samples; a fraction is formed of the roof sampled beside
its point, and both move with the machine. A point drawn at its bare rate would stand at another share of the line than
its percentage says, and above it where the memory was quicker beside the point than in the sweep. So a point stands at
its fraction of the line, and a band around the line says how far the roof moved beside the points.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bench.profile import level_names
from bench.profile.records import Level
from bench.profile.stats import Estimate
from kernels.case import Case
from reports.analysis import series, warnings
from reports.analysis.analysis import Analysis
from reports.analysis.points import Row
from reports.analysis.roofs import Under
from reports.analysis.verdict import Verdict
from reports.analysis.wording import arithmetic, setup, size
from reports.plots.style import Look, Mark, colours, markers, trimmed

GIGA = 1e-9

Band = tuple[float, float]
"""The lowest and the highest that a roof was beside the points."""

PICTURES = ("roofline", "time_roofline", "time_against_batch", "bandwidth_against_working_set")
CURVES = ("read", "write", "copy", "triad")


@dataclass(frozen=True, slots=True)
class Placed:
    """A good point, and by picture its mark, where it has a place there.

    roofline                       FLOP/byte (counted bytes, else modelled) and GFLOP/s, at its fraction of the roof
    time_roofline                  seconds for its FLOPs and its bytes, stretched so that the larger is the time that
                                   was measured: at its fraction of both lies what the roofs beside it allow
    time_against_batch             batch and seconds: `allowed` over its fraction, so that points of one case stand
                                   under one line
    bandwidth_against_working_set  bytes of the working set and GB/s: its fraction of the read curve, as far as bytes
                                   make it

    `allowed` are the seconds that the drawn roofs allow its case, the least among its implementations.
    """

    row: Row
    verdict: Verdict
    under: Under | None
    marks: dict[str, Mark]
    allowed: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """Points that differ in their batch alone, by their batch; `case` with batch 1 stands for all.

    An implementation has its colour and a hidden size its marker in every picture.
    """

    case: Case
    implementation: str
    fetched: tuple[str, ...]
    points: tuple[Placed, ...]
    look: Look

    @property
    def arithmetic(self) -> str:
        """The name of its arithmetic roof: the weights' dtype, and the activations' where they are unusual."""
        return arithmetic(self.case)

    def marks(self, picture: str) -> list[Mark]:
        """Those of its points."""
        return [one.marks[picture] for one in self.points if picture in one.marks]


@dataclass(frozen=True, slots=True)
class Plateau:
    """A level of memory: its bandwidth in GB/s, as a number and as it is written beside the name."""

    name: str
    up_to_bytes: int | None
    rate: float
    value: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A roof against working sets: (bytes, GB/s), ascending."""

    kind: str
    threads: int
    name: str
    places: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Setup:
    """The roofs of a device at one thread count, as they are drawn.

    plateaus  the device's levels, the fastest first
    levels    those that points are held against: none but at all threads
    peaks     GFLOP/s by the names that `Line.arithmetic` gives
    curves    the read curve at every thread count, the others at all threads
    beside    by working set: from where to where the read roof moved beside the points there
    caches    name and bytes of each cache that the system reports
    """

    device: str
    threads: int
    name: str
    plateaus: tuple[Plateau, ...]
    levels: tuple[Plateau, ...]
    peaks: dict[str, float]
    curves: tuple[Curve, ...]
    beside: dict[int, Band]
    caches: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Charts:
    """Everything that is drawn of a profile. Setups: that with most points first, then that with most threads."""

    lines: tuple[Line, ...]
    setups: tuple[Setup, ...]

    @property
    def devices(self) -> list[str]:
        """The devices there is something of, that with most points first."""
        counts: dict[str, int] = {one.device: 0 for one in self.setups}
        for line in self.lines:
            counts[line.case.device] += len(line.points)
        return sorted(counts, key=lambda device: (-counts[device], device))

    def of(self, device: str) -> Charts:
        """What there is of one device."""
        return Charts(
            tuple(line for line in self.lines if line.case.device == device),
            tuple(one for one in self.setups if one.device == device),
        )

    def setup(self, case: Case) -> Setup:
        """The roofs that a case is drawn under."""
        wanted = case.device, case.threads
        return next(one for one in self.setups if (one.device, one.threads) == wanted)


def charts(analysis: Analysis) -> Charts:
    """Every good point and every roof of a profile, as they are drawn."""
    # a step that must fetch W and U and one that must fetch U alone are no comparison
    allowed: dict[tuple[Case, tuple[str, ...]], float] = {}
    for row in analysis.rows:
        if under := analysis.under.get(row.key):
            place = row.case, row.point.fetched
            allowed[place] = min(under.seconds, allowed.get(place, under.seconds))
    free = {
        (one.case, one.implementation): one.free[0] if one.free else None
        for one in analysis.series
        if len(one.rows) >= series.LONG
    }
    found: dict[tuple[Case, str, tuple[str, ...]], list[Placed]] = {}
    for row, verdict in analysis.held.values():
        key = (series.alone(row.case), row.point.implementation, row.point.fetched)
        under = analysis.under.get(row.key)
        least = allowed.get((row.case, row.point.fetched))
        found.setdefault(key, []).append(_placed(row, verdict, under, least, free.get(key[:2])))
    by_colour = colours(implementation for _, implementation, _ in found)
    by_size = markers(case.hidden for case, _, _ in found)
    lines = tuple(
        Line(
            *key,
            tuple(sorted(placed, key=lambda one: one.row.case.batch)),
            Look(by_colour[key[1]], by_size[key[0].hidden], key[0].dtype != "float32"),
        )
        for key, placed in found.items()
    )
    return Charts(lines, _setups(analysis, lines))


def pictures(charts: Charts) -> dict[str, tuple[str, str]]:
    """What the files of each picture with data are called: (picture, device). A second device's bear its name."""
    found = {}
    for index, device in enumerate(charts.devices):
        own = charts.of(device)
        read = any(curve.kind == "read" for one in own.setups for curve in one.curves)
        for picture in PICTURES:
            if read if picture == "bandwidth_against_working_set" else shown(own, picture):
                found[f"{picture}_{device}" if index else picture] = (picture, device)
    return found


def shown(charts: Charts, picture: str) -> list[Line]:
    """The whole steps of a still picture: those with a place there, of one phase and device, at its most threads.

    Inference where there is any, else training; the device that most are of. Times against batch are also of one dtype,
    the device's own (`series.DTYPE`) or that of most, and of steps that fetch alike.
    """
    alike = picture == "time_against_batch"
    steps = [line for line in charts.lines if line.case.part == "cell"]
    if alike:
        steps = _of_most(steps, lambda line: line.fetched)
    phase = "step" if any(line.case.phase == "step" for line in steps) else "train"
    kept = [
        replace(line, points=tuple(one for one in line.points if picture in one.marks))
        for line in steps
        if line.case.phase == phase
    ]
    kept = _of_most([line for line in kept if line.points], lambda line: line.case.device)
    if alike:
        own = [line for line in kept if line.case.dtype == series.DTYPE[line.case.device]]
        kept = own or _of_most(kept, lambda line: line.case.dtype)
    most = max((line.case.threads for line in kept), default=0)
    return [line for line in kept if line.case.threads == most]


def residencies(lines: Iterable[Line]) -> list[str]:
    """Those that there is something of, a column of panels each."""
    present = {line.case.residency for line in lines}
    return [name for name in ("streamed", "resident") if name in present]


def by_cell(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The lines of each cell, a row of panels each."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.case.cell, []).append(line)
    return found


def looks(lines: Sequence[Line]) -> tuple[dict[str, str], dict[int, str]]:
    """What a key tells: the colour of each implementation and the marker of each hidden size."""
    return (
        {line.implementation: line.look.colour for line in lines},
        {line.case.hidden: line.look.marker for line in lines},
    )


def moved(lines: Iterable[Line], rates: dict[str, float]) -> dict[str, Band]:
    """By level or dtypes, of those in `rates` (their drawn roofs): from where to where it moved beside the points."""
    found: dict[str, list[float]] = {}
    for line in lines:
        for one in line.points:
            for name, rate in beside(one, line.arithmetic):
                if name in rates:
                    found.setdefault(name, [rates[name]]).append(rate)
    return {name: (min(values), max(values)) for name, values in found.items()}


def beside(one: Placed, arithmetic: str) -> list[tuple[str, float]]:
    """The names of the drawn roofs that a point tells something of, and what was sampled beside it."""
    if one.under is None:
        return []
    bandwidth, product = one.under.beside
    # where its weights lie is unclear near a cache's end, and the roof beside it may be the next level's
    clear = one.row.level or one.row.case.residency == "streamed"
    found = [(one.under.level, bandwidth * GIGA)] if one.under.level and clear else []
    return [*found, (arithmetic, product * GIGA)] if product is not None else found


def at_fraction(x: float, fraction: Estimate, roof: float, *, filled: bool = False) -> Mark:
    """A mark at a fraction of a roof, in the roof's unit."""
    middle, low, high = (end * roof for end in fraction)
    return Mark(x, middle, low, high, filled)


def _placed(
    row: Row, verdict: Verdict, under: Under | None, allowed: float | None, free: int | None
) -> Placed:
    if row.fraction is None or under is None or allowed is None:
        return Placed(row, verdict, under, {}, None)
    fraction, batch, filled = row.fraction, row.case.batch, row.counted_intensity is not None
    middle, low, high = (allowed / share for share in (fraction[0], fraction[2], fraction[1]))
    marks = {"time_against_batch": Mark(batch, middle, low, high, batch == free)}
    x = row.counted_intensity or row.intensity
    if x and row.intensity:
        marks["roofline"] = at_fraction(x, fraction, under.height(x) * GIGA, filled=filled)
    assert row.t_bytes is not None
    assert row.t_flops is not None
    assert row.limit is not None
    t_bytes, t_flops = row.t_bytes.median, row.t_flops.median
    # a time of zero has no place on a logarithmic axis
    if t_bytes and t_flops:
        stretched = row.seconds.median / max(t_bytes, t_flops)
        y = t_bytes * stretched
        marks["time_roofline"] = Mark(t_flops * stretched, y, y, y, filled)
    if under.curve:
        # where products take longer than bytes, less than all of its fraction is bandwidth
        roof = min(1.0, t_bytes / row.limit.median) * under.curve * GIGA
        held = row.point.working_set_bytes or 0
        marks["bandwidth_against_working_set"] = at_fraction(held, fraction, roof, filled=filled)
    return Placed(row, verdict, under, marks, allowed)


def _of_most(lines: Sequence[Line], key: Callable[[Line], object]) -> list[Line]:
    """The lines of the kind that most are of."""
    kinds = [key(line) for line in lines]
    most = max(sorted(set(kinds), key=str), key=kinds.count, default=None)
    return [line for line in lines if key(line) == most]


def _setups(analysis: Analysis, lines: Sequence[Line]) -> tuple[Setup, ...]:
    """Those that have a point; without points every device whose roofs were measured, at all threads."""
    found: dict[tuple[str, int], list[Line]] = {}
    for line in lines:
        found.setdefault((line.case.device, line.case.threads), []).append(line)
    if not found:
        for device in dict.fromkeys(roof.device for roof in analysis.profile.roofs):
            found[device, analysis.roofs.all_threads(device) or 0] = []
    counts = {place: sum(len(line.points) for line in own) for place, own in found.items()}
    order = sorted(found, key=lambda place: (-counts[place], place[0], -place[1]))
    return tuple(_setup(analysis, *place, found[place]) for place in order)


def _setup(analysis: Analysis, device: str, threads: int, lines: Sequence[Line]) -> Setup:
    everyone = analysis.roofs.all_threads(device)
    peaks = {
        line.arithmetic: analysis.roofs.arithmetic_roof(
            device, threads, line.case.dtype, line.case.activations
        )
        for line in sorted(lines, key=lambda line: line.arithmetic)
    }
    rates: dict[int, list[float]] = {}
    for one in (one for line in lines for one in line.points):
        if one.under and one.row.point.working_set_bytes:
            bandwidth = one.under.beside[0] * GIGA
            rates.setdefault(one.row.point.working_set_bytes, []).append(bandwidth)
    caches = warnings.system_caches(analysis.profile) if device == "cpu" else {}
    plateaus = tuple(map(_plateau, analysis.roofs.levels(device)))
    return Setup(
        device,
        threads,
        setup(device, threads),
        plateaus=plateaus,
        levels=plateaus if threads == everyone else (),
        peaks={name: peak * GIGA for name, peak in peaks.items() if peak is not None},
        curves=tuple(
            Curve(kind, count, f"{kind}, {setup(device, count)}", _giga(places))
            for kind in CURVES
            for count, places in sorted(analysis.roofs.curve(device, kind).items(), reverse=True)
            if kind == "read" or count == everyone
        ),
        beside={at: (min(each), max(each)) for at, each in sorted(rates.items())},
        caches=tuple(
            (f"{level_names.cache(level)} {size(total)}", total) for level, total in caches.items()
        ),
    )


def _plateau(level: Level) -> Plateau:
    rate = level.bytes_per_s * GIGA
    return Plateau(level.name, level.up_to_bytes, rate, f"{trimmed(rate)} GB/s")


def _giga(places: Iterable[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    return tuple((at, rate * GIGA) for at, rate in places)
