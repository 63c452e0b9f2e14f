"""Where points stand in the pictures: at their fraction of the roofs that are drawn. Pure.

A drawn roof is one figure for the whole run, the best of its samples; a fraction is formed of the roof sampled beside
its point, and both move with the machine. A point drawn at its bare rate would stand at another share of the line than
its percentage says, and above it where the memory was quicker beside the point than in the survey. So a point stands at
its fraction of the line, and a band around the line says how far the roof moved beside the points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.profile.records import Profile
from bench.profile.stats import Estimate, median
from kernels.case import ACTIVATIONS, Case
from kernels.roofline_model import limit
from reports.analysis import points, roofs
from reports.analysis.points import Row
from reports.analysis.remember import remembered
from reports.tables.points import dtypes

Band = tuple[float, float]
"""The lowest and the highest that a roof was beside the points, the drawn line among them."""


@dataclass(frozen=True, slots=True)
class Held:
    """The roofs that a point is drawn under.

    level        the level whose line it is, by the point's working set; None where no level is drawn at its threads
    bytes_per_s  that line's bandwidth; without a level that of the roof beside the point, the median
    flop_per_s   the best product of its dtypes; infinite where it has no products
    arithmetic   the name of that line
    curve        bandwidth on the read curve of its threads at its working set; None without one
    seconds      the least time of its step by these roofs
    beside       medians of the bandwidth and of the product (None: not sampled) beside it
    """

    level: str | None
    bytes_per_s: float
    flop_per_s: float
    arithmetic: str
    curve: float | None
    seconds: float
    beside: tuple[float, float | None]

    def height(self, intensity: float) -> float:
        """The roof over `intensity` (FLOP/byte), in FLOP/s."""
        return min(self.bytes_per_s * intensity, self.flop_per_s)


def held(profile: Profile, row: Row) -> Held | None:
    """What a row of this profile is drawn under; None where it has no fraction of a roof to be drawn at."""
    return _all(profile)[row.point.key]


@remembered
def _all(profile: Profile) -> dict[str, Held | None]:
    return {row.point.key: _held(profile, row) for row in points.rows(profile)}


def _held(profile: Profile, row: Row) -> Held | None:
    point, case = row.point, row.case
    if row.fraction is None or point.bytes is None or point.flops is None:
        return None
    paired = median(point.roof_bytes_per_s)
    products = median(point.roof_flop_per_s) if point.roof_flop_per_s else None
    everyone = case.threads == roofs.all_threads(profile, case.device)
    level = roofs.level_by_size(profile, point) if everyone else None
    read = level.bytes_per_s if level else paired
    peak = roofs.arithmetic_roof(profile, case.device, case.threads, case.dtype, case.activations)
    peak = peak or products or float("inf")
    written = point.bytes["written"]
    write = points.written_at(profile, point)
    curve = roofs.read_curve(profile, case.device).get(case.threads, [])
    return Held(
        level=level.name if level else None,
        bytes_per_s=read,
        flop_per_s=peak,
        arithmetic=arithmetic(case),
        curve=roofs.interpolated(curve, point.working_set_bytes)
        if point.working_set_bytes
        else None,
        seconds=limit(
            point.bytes["read"] / read,
            written / median(write) if write else 0.0,
            point.flops["linear"] / peak,
            point.projected,
        ),
        beside=(paired, products),
    )


def arithmetic(case: Case) -> str:
    """What the arithmetic roof of a case is called: by its weights, and by its activations where they are unusual."""
    return case.dtype if case.activations == ACTIVATIONS.get(case.dtype) else dtypes(case)


def beside(profile: Profile, device: str) -> dict[tuple[int, int], Band]:
    """By threads and working set: from where to where the read roof moved beside the points there."""
    found: dict[tuple[int, int], list[float]] = {}
    for row in points.rows(profile):
        point, one = row.point, held(profile, row)
        if one and point.case.device == device and point.working_set_bytes:
            place = point.case.threads, point.working_set_bytes
            found.setdefault(place, []).append(one.beside[0])
    return {place: (min(rates), max(rates)) for place, rates in sorted(found.items())}


def share_of_bandwidth(row: Row) -> Estimate | None:
    """The fraction as far as bytes alone make it: less than all of it where products take longer."""
    if not row.fraction or not row.t_bytes or not row.limit:
        return None
    part = min(1.0, row.t_bytes.median / row.limit.median)
    return times(row.fraction, part)


def times(fraction: Estimate, roof: float) -> Estimate:
    """A fraction of a roof, in the roof's unit."""
    return Estimate(*(end * roof for end in fraction))


def over(roof: float, fraction: Estimate) -> Estimate:
    """The time of a step that reaches `fraction` where the roof allows `roof`."""
    return Estimate(roof / fraction.median, roof / fraction.high, roof / fraction.low)


def bands(profile: Profile, rows: Iterable[Row], lines: Mapping[str, float]) -> dict[str, Band]:
    """By level or dtypes, of those in `lines` (their drawn roofs): from where to where it moved beside `rows`."""
    found: dict[str, list[float]] = {}
    for row in rows:
        one = held(profile, row)
        if one is None:
            continue
        # where its weights lie is unclear near a cache's end, and the roof beside it may be the next level's
        level = one.level if row.level or row.case.residency == "streamed" else None
        for name, rate in ((level, one.beside[0]), (one.arithmetic, one.beside[1])):
            if name in lines and rate is not None:
                found.setdefault(str(name), [lines[str(name)]]).append(rate)
    return {name: (min(rates), max(rates)) for name, rates in found.items()}
