"""The roofs of a profile: bandwidth curves, arithmetic, levels and ridges. Pure; points never influence them.

A roof is the best of its samples. Datasheet figures are no roofs. What a profile lacks is None here, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import exp, log

from bench.profile.records import Level, Point, Profile, Roof
from bench.profile.stats import median
from kernels import roofline_model
from reports.analysis.remember import remembered

AGREE = 2.0
"""A paired roof and a level's bandwidth, a plateau's end and a cache's size agree within this factor."""


@dataclass(frozen=True, slots=True)
class Under:
    """The roofs that a point is drawn under.

    level        the level whose line it is, by the point's working set; None where no level is drawn at its threads
    bytes_per_s  that line's bandwidth; without a level that of the roof beside the point, the median
    flop_per_s   the best product of its dtypes; infinite where it has no products
    curve        bandwidth on the read curve of its threads at its working set; None without one
    seconds      the least time of its step by these roofs
    beside       medians of the bandwidth and of the product (None: not sampled) beside it
    """

    level: str | None
    bytes_per_s: float
    flop_per_s: float
    curve: float | None
    seconds: float
    beside: tuple[float, float | None]

    def height(self, intensity: float) -> float:
        """The roof over `intensity` (FLOP/byte), in FLOP/s."""
        return min(self.bytes_per_s * intensity, self.flop_per_s)


@dataclass(frozen=True, slots=True)
class Ridge:
    """The intensity from which `dtype` arithmetic, not the bandwidth of `level`, is the lower limit."""

    level: str
    dtype: str
    flop_per_byte: float


def best(roof: Roof) -> float | None:
    """The roof: its best sample, the largest rate or the shortest time; None without samples."""
    if not roof.samples:
        return None
    return min(roof.samples) if roof.unit == "s" else max(roof.samples)


@remembered
def read_curve(
    profile: Profile, device: str, kind: str = "read"
) -> dict[int, list[tuple[int, float]]]:
    """The best bandwidth (byte/s) per working set (bytes), ascending, by thread count (0: a GPU's own)."""
    curves: dict[int, dict[int, float]] = {}
    for roof in _swept(profile, device, kind):
        value = best(roof)
        if value is not None and roof.working_set_bytes:
            curve = curves.setdefault(roof.threads or 0, {})
            curve[roof.working_set_bytes] = max(value, curve.get(roof.working_set_bytes, 0.0))
    return {threads: sorted(curves[threads].items()) for threads in sorted(curves)}


@remembered
def typical_curve(
    profile: Profile, device: str, kind: str = "read"
) -> dict[int, list[tuple[int, float]]]:
    """As `read_curve`, but of the best variant's median: what the memory gives as a rule, not once."""
    samples: dict[tuple[int, int], dict[str, list[float]]] = {}
    for roof in _swept(profile, device, kind):
        if roof.samples and roof.working_set_bytes:
            place = samples.setdefault((roof.threads or 0, roof.working_set_bytes), {})
            place.setdefault(roof.implementation, []).extend(roof.samples)
    curves: dict[int, list[tuple[int, float]]] = {}
    for (threads, size), by_variant in sorted(samples.items()):
        curves.setdefault(threads, []).append((size, max(map(median, by_variant.values()))))
    return curves


def interpolated(curve: Sequence[tuple[int, float]], working_set: int) -> float | None:
    """The value at a working set, linear between neighbours in logarithms; the ends hold beyond them."""
    if not curve:
        return None
    if working_set <= curve[0][0]:
        return curve[0][1]
    for (below, low), (above, high) in pairwise(curve):
        if below <= working_set <= above:
            part = log(working_set / below) / log(above / below)
            return exp(log(low) + part * log(high / low))
    return curve[-1][1]


@remembered
def all_threads(profile: Profile, device: str) -> int | None:
    """The most threads the roofs were measured with: those the levels belong to."""
    counts = [
        roof.threads or 0
        for kind in ("read", "matmul")
        for roof in _measured(profile, device, kind)
    ]
    return max(counts, default=None)


def write_roof(profile: Profile, device: str, threads: int, written: float) -> float | None:
    """The measured write roof (byte/s) whose working set is nearest, in ratio, to `written` bytes."""
    return roofline_model.nearest(read_curve(profile, device, "write").get(threads, []), written)


@remembered
def arithmetic_roof(
    profile: Profile, device: str, threads: int, dtype: str, activations: str | None = None
) -> float | None:
    """The best matrix product (FLOP/s) over every dtype that weights and activations widen to exactly."""
    found = [best(roof) for roof in _products(profile, device, threads, dtype, activations)]
    return max((value for value in found if value is not None), default=None)


def typical_product(
    profile: Profile, device: str, threads: int, dtype: str, activations: str
) -> float | None:
    """As `arithmetic_roof`, but the median of the best shape, over all that was sampled of it."""
    by_shape: dict[tuple[str | None, str], list[float]] = {}
    for roof in _products(profile, device, threads, dtype, activations):
        by_shape.setdefault((roof.dtype, roof.implementation), []).extend(roof.samples)
    return max((median(samples) for samples in by_shape.values() if samples), default=None)


def call(profile: Profile, device: str, threads: int) -> float | None:
    """The machine's emptiest call in seconds, the median."""
    samples = [
        sample
        for roof in _measured(profile, device, "call")
        if (roof.threads or 0) == threads
        for sample in roof.samples
    ]
    return median(samples) if samples else None


@remembered
def levels(profile: Profile, device: str) -> list[Level]:
    """The plateaus of a device from the smallest to the memory behind them all."""
    found = [level for level in profile.levels if level.device == device]
    return sorted(found, key=lambda level: (level.up_to_bytes is None, level.up_to_bytes or 0))


def level_by_size(profile: Profile, point: Point) -> Level | None:
    """The level whose plateau holds the working set.

    The plateaus are those of all threads. Fewer threads own fewer private caches, so for them only the memory is named,
    and that where their own curve is as slow as memory there.
    """
    if point.working_set_bytes is None:
        return None
    known = levels(profile, point.case.device)
    for level in known:
        last = level is known[-1]  # whatever its name, nothing is behind it
        if last or level.up_to_bytes is None or point.working_set_bytes <= level.up_to_bytes:
            if point.case.threads == all_threads(profile, point.case.device):
                return level
            return level if last and _in_memory(profile, point, known) else None
    return None


def _in_memory(profile: Profile, point: Point, known: Sequence[Level]) -> bool:
    """Whether the curve of a point's own threads is nearer, in ratio, to memory's rate there than to the last cache's.

    So a level ends, too. True without such a curve, or without a cache.
    """
    curve = read_curve(profile, point.case.device).get(point.case.threads, [])
    end = known[-2].up_to_bytes if len(known) > 1 else None
    size = point.working_set_bytes
    if not curve or not end or size is None:
        return True
    cache, there = interpolated(curve, end // 2), interpolated(curve, size)
    assert cache is not None
    assert there is not None
    return there**2 <= cache * curve[-1][1]


def agrees(level: Level, point: Point) -> bool:
    """Whether the roof sampled beside a point is at most twice its level's bandwidth: faster, it is another level's."""
    paired = point.roof_bytes_per_s
    return not paired or median(paired) <= AGREE * level.bytes_per_s


def ridges(levels: Sequence[Level], peaks: Mapping[str, float]) -> list[Ridge]:
    """Arithmetic roof / bandwidth, for each level and each of `peaks` (FLOP/s by dtypes); ascending."""
    found = [
        Ridge(level.name, dtype, peak / level.bytes_per_s)
        for dtype, peak in peaks.items()
        for level in levels
    ]
    return sorted(found, key=lambda ridge: ridge.flop_per_byte)


def _swept(profile: Profile, device: str, kind: str) -> list[Roof]:
    """The records that a survey swept: without method 1's sentinels, single looks at the largest set between surveys.

    They were called reads. A sweep walks a size with many variants, one record after the other; a sentinel stands alone
    or beside another.
    """
    if profile.method > 1:
        return _measured(profile, device, kind)
    found = [
        list(records)
        for _, records in groupby(
            (roof for roof in profile.roofs if roof.device == device and roof.source == "measured"),
            key=lambda roof: (roof.kind, roof.threads, roof.working_set_bytes),
        )
    ]
    groups = [records for records in found if records[0].kind == kind]
    most: dict[tuple[int | None, int | None], int] = {}
    for records in groups:
        place = records[0].threads, records[0].working_set_bytes
        most[place] = max(most.get(place, 0), len({roof.implementation for roof in records}))
    return [
        roof
        for records in groups
        for roof in records
        if 2 * len({one.implementation for one in records})
        > most[roof.threads, roof.working_set_bytes]
    ]


def _products(
    profile: Profile, device: str, threads: int, dtype: str, activations: str | None
) -> list[Roof]:
    """The matrix products in every dtype that weights and activations widen to exactly."""
    exact = roofline_model.arithmetic(dtype, activations)
    return [
        roof
        for roof in _measured(profile, device, "matmul")
        if roof.dtype in exact and (roof.threads or 0) == threads
    ]


def _measured(profile: Profile, device: str, kind: str) -> list[Roof]:
    return [
        roof
        for roof in profile.roofs
        if roof.device == device and roof.kind == kind and roof.source == "measured"
    ]


class Roofs:
    """The roofs of one profile: what the functions above tell, asked without naming the profile again."""

    def __init__(self, profile: Profile) -> None:
        """Of this profile."""
        self._profile = profile

    def curve(self, device: str, kind: str = "read") -> dict[int, list[tuple[int, float]]]:
        """The best bandwidth (byte/s) per working set (bytes), ascending, by thread count (0: a GPU's own)."""
        return read_curve(self._profile, device, kind)

    def typical_curve(self, device: str) -> dict[int, list[tuple[int, float]]]:
        """As the read `curve`, but of the best variant's median: what the memory gives as a rule, not once."""
        return typical_curve(self._profile, device)

    def all_threads(self, device: str) -> int | None:
        """The most threads the roofs were measured with: those the levels belong to."""
        return all_threads(self._profile, device)

    def write_roof(self, device: str, threads: int, written: float) -> float | None:
        """The measured write roof (byte/s) whose working set is nearest, in ratio, to `written` bytes."""
        return write_roof(self._profile, device, threads, written)

    def arithmetic_roof(
        self, device: str, threads: int, dtype: str, activations: str | None = None
    ) -> float | None:
        """The best matrix product (FLOP/s) over every dtype that weights and activations widen to exactly."""
        return arithmetic_roof(self._profile, device, threads, dtype, activations)

    def levels(self, device: str) -> list[Level]:
        """The plateaus of a device from the smallest to the memory behind them all."""
        return levels(self._profile, device)

    def level_by_size(self, point: Point) -> Level | None:
        """The level whose plateau holds the working set; of fewer than all threads the memory alone."""
        return level_by_size(self._profile, point)
