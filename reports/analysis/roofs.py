"""The roofs of a profile: bandwidth curves, arithmetic and levels. Pure; points never influence them.

A roof is the best of the samples that count; a typical one is the median of all. Datasheet figures are no roofs. What a
profile lacks is None here, never 0.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from math import exp, inf, log

from bench.profile import roof_times
from bench.profile.records import BEST_OF, Level, Point, Profile, Roof
from bench.profile.stats import median
from kernels import roofline_model
from kernels.case import Case

AGREE = 2.0
"""A paired roof and a level's bandwidth, a plateau's end and a cache's size agree within this factor."""

NOT_REACHED = "memory not reached"
"""The warning of a run whose read curve does not tell where memory begins."""

Curve = list[tuple[int, float]]
"""Bandwidth (byte/s) by working set (bytes), ascending."""
Sampled = dict[tuple[int, int], dict[str, list[float]]]
"""Samples of each variant by its name, by thread count and working set."""


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


class Roofs:
    """The roofs of one profile. Thread counts are 0 for a GPU's own."""

    def __init__(self, profile: Profile) -> None:
        """Sort the measured roofs of this profile."""
        self._measured: dict[tuple[str, str], list[Roof]] = defaultdict(list)
        for roof in profile.roofs:
            if roof.source == "measured" and roof.samples:
                self._measured[roof.device, roof.kind].append(roof)
        self._swept = _swept(profile) if profile.method == 1 else self._measured
        most = BEST_OF if profile.method >= 3 else None  # before, all samples counted for the best
        self._best = {
            place: _curves(_by_variant(records, most), max)
            for place, records in self._swept.items()
        }
        self._products: dict[tuple[str, int, str], dict[str, list[float]]] = {}
        self._all_threads: dict[str, int] = {}
        for (device, kind), records in self._measured.items():
            for roof in records if kind in ("read", "matmul") else ():
                threads = roof.threads or 0
                self._all_threads[device] = max(threads, self._all_threads.get(device, 0))
                if kind == "matmul":
                    shapes = self._products.setdefault((device, threads, roof.dtype or ""), {})
                    shapes.setdefault(roof.implementation, []).extend(roof.samples)
        self._levels: dict[str, list[Level]] = defaultdict(list)
        for level in sorted(profile.levels, key=lambda level: level.up_to_bytes or inf):
            self._levels[level.device].append(level)

    def curve(self, device: str, kind: str = "read") -> dict[int, Curve]:
        """The best bandwidth per working set, by thread count."""
        return self._best.get((device, kind), {})

    def typical_curve(self, device: str) -> dict[int, Curve]:
        """As the read curve, but of the best variant's median: what the memory gives as a rule, not once."""
        return self._typical.get(device, {})

    @cached_property
    def _typical(self) -> dict[str, dict[int, Curve]]:
        """Read curves of the medians, by device."""
        return {
            device: _curves(_by_variant(records), median)
            for (device, kind), records in self._swept.items()
            if kind == "read"
        }

    def all_threads(self, device: str) -> int | None:
        """The most threads the roofs were measured with: those the levels belong to."""
        return self._all_threads.get(device)

    def write_roof(self, device: str, threads: int, written: float) -> float | None:
        """The measured write roof (byte/s) whose working set is nearest, in ratio, to `written` bytes."""
        return roofline_model.nearest(self.curve(device, "write").get(threads, []), written)

    def dtypes(self) -> list[str]:
        """Of which matrix products were measured, on any device."""
        return sorted({dtype for _, _, dtype in self._products if dtype})

    def arithmetic_roof(
        self, device: str, threads: int, dtype: str, activations: str | None = None
    ) -> float | None:
        """The best matrix product (FLOP/s) over every dtype that weights and activations widen to exactly."""
        return max(map(max, self._shapes(device, threads, dtype, activations)), default=None)

    def peak(self, case: Case) -> float | None:
        """The arithmetic roof of a case."""
        return self.arithmetic_roof(case.device, case.threads, case.dtype, case.activations)

    def typical_product(
        self, device: str, threads: int, dtype: str, activations: str | None = None
    ) -> float | None:
        """As `arithmetic_roof`, but the median of the best shape, over all that was sampled of it."""
        return max(map(median, self._shapes(device, threads, dtype, activations)), default=None)

    def product(self, device: str, threads: int, dtype: str) -> float | None:
        """The best matrix product (FLOP/s) of this dtype alone."""
        return max(
            map(max, self._products.get((device, threads, dtype), {}).values()), default=None
        )

    def call(self, device: str, threads: int) -> float | None:
        """The machine's emptiest call in seconds, the median."""
        known = (roof for roof in self._measured[device, "call"] if (roof.threads or 0) == threads)
        samples = [sample for roof in known for sample in roof.samples]
        return median(samples) if samples else None

    def levels(self, device: str) -> list[Level]:
        """The plateaus of a device from the smallest to the memory behind them all."""
        return self._levels[device]

    def typical_level(self, device: str, level: Level) -> float | None:
        """The median of what all threads read of the sizes in a level, each the best variant's median there."""
        before = [one.up_to_bytes or 0 for one in self._levels[device]]
        start = max((end for end in before if end < (level.up_to_bytes or inf)), default=0)
        curve = self.typical_curve(device).get(self.all_threads(device) or 0, [])
        inside = [rate for size, rate in curve if start < size <= (level.up_to_bytes or inf)]
        return median(inside) if inside else None

    def level_by_size(self, point: Point) -> Level | None:
        """The level whose plateau holds the working set.

        The plateaus are those of all threads. Fewer threads own fewer private caches, so for them only the memory is
        named, and that where their own curve is as slow as memory there.
        """
        size, known = point.working_set_bytes, self.levels(point.case.device)
        if size is None or not known:
            return None
        # whatever the last is called, nothing is behind it
        within = (one for one in known[:-1] if one.up_to_bytes is None or size <= one.up_to_bytes)
        level = next(within, known[-1])
        if point.case.threads == self.all_threads(point.case.device):
            return level
        return level if level is known[-1] and self._in_memory(point, size, known) else None

    def level_behind(self, point: Point) -> Level | None:
        """The level behind the one that holds the working set; None where none is, or where that is not known."""
        holding, known = self.level_by_size(point), self.levels(point.case.device)
        return next((b for a, b in pairwise(known) if a is holding), None)

    def _in_memory(self, point: Point, size: int, known: Sequence[Level]) -> bool:
        """Whether the curve of a point's own threads is nearer, in ratio, to memory's rate there than to a cache's.

        So a level ends, too. True without such a curve, or without a cache.
        """
        curve = self.curve(point.case.device).get(point.case.threads, [])
        end = known[-2].up_to_bytes if len(known) > 1 else None
        if not curve or not end:
            return True
        return interpolated(curve, size) ** 2 <= interpolated(curve, end // 2) * curve[-1][1]

    def level_of(self, point: Point) -> str | None:
        """The level a working set lies in, or None where the roof beside the point is more than twice that level's.

        Near a level's end the two part: what the curve read from memory once, a step may find in a cache again and
        again.
        """
        level, paired = self.level_by_size(point), point.roof_bytes_per_s
        if level is None or (paired and median(paired) > AGREE * level.bytes_per_s):
            return None
        return level.name

    def under(self, point: Point, write_roof: float | None) -> Under:
        """What a point with a fraction is drawn under; `write_roof` is its row's."""
        assert point.bytes is not None
        assert point.flops is not None
        case, size = point.case, point.working_set_bytes
        paired = median(point.roof_bytes_per_s)
        products = median(point.roof_flop_per_s) if point.roof_flop_per_s else None
        everyone = case.threads == self.all_threads(case.device)
        level = self.level_by_size(point) if everyone else None
        read = level.bytes_per_s if level else paired
        peak = self.peak(case) or products or inf
        curve = self.curve(case.device).get(case.threads, [])
        to_read, writing = point.bytes["read"], 0.0
        if write_roof:
            written, triad = point.bytes["written"], roof_times.triad_roof(point)
            rates = read, write_roof, triad
            writing = roofline_model.writing(to_read, written, *rates, point.projected[0])
        times = (to_read / read, writing, point.flops["linear"] / peak)
        return Under(
            level=level.name if level else None,
            bytes_per_s=read,
            flop_per_s=peak,
            curve=interpolated(curve, size) if curve and size else None,
            seconds=roofline_model.limit(*times, point.projected),
            beside=(paired, products),
        )

    def _shapes(
        self, device: str, threads: int, dtype: str, activations: str | None
    ) -> Iterator[list[float]]:
        """The samples of each product's shape in every dtype that weights and activations widen to exactly."""
        for name in roofline_model.arithmetic(dtype, activations):
            yield from self._products.get((device, threads, name), {}).values()


def interpolated(curve: Sequence[tuple[int, float]], working_set: int) -> float:
    """The value at a working set, linear between neighbours in logarithms; the ends hold beyond them."""
    if working_set <= curve[0][0]:
        return curve[0][1]
    for (below, low), (above, high) in pairwise(curve):
        if below <= working_set <= above:
            part = log(working_set / below) / log(above / below)
            return exp(log(low) + part * log(high / low))
    return curve[-1][1]


def _by_variant(records: Sequence[Roof], most: int | None = None) -> Sampled:
    """Samples of bandwidth roofs: all, or of each record no more than the first ones."""
    found: Sampled = {}
    for roof in records:
        if roof.working_set_bytes:
            place = found.setdefault((roof.threads or 0, roof.working_set_bytes), {})
            place.setdefault(roof.implementation, []).extend(roof.samples[:most])
    return found


def _curves(samples: Sampled, of: Callable[[list[float]], float]) -> dict[int, Curve]:
    """By thread count the best variant's figure over the working sets: `of` all its samples there."""
    found: dict[int, Curve] = {}
    for (threads, size), by_variant in sorted(samples.items()):
        found.setdefault(threads, []).append((size, max(map(of, by_variant.values()))))
    return found


def _swept(profile: Profile) -> dict[tuple[str, str], list[Roof]]:
    """The records that a sweep made: without method 1's sentinels, single looks at the largest set between sweeps.

    They were called reads. A sweep walks a size with many variants, one record after the other; a sentinel stands alone
    or beside another.
    """

    def place(roof: Roof) -> tuple[str, str, int | None, int | None]:
        return roof.device, roof.kind, roof.threads, roof.working_set_bytes

    measured = (roof for roof in profile.roofs if roof.source == "measured")
    by_device = sorted(measured, key=lambda roof: roof.device)
    groups = [(at, list(records)) for at, records in groupby(by_device, key=place)]
    variants = [len({roof.implementation for roof in records}) for _, records in groups]
    most: dict[object, int] = {}
    for (at, _), count in zip(groups, variants, strict=True):
        most[at] = max(count, most.get(at, 0))
    found: dict[tuple[str, str], list[Roof]] = defaultdict(list)
    for (at, records), count in zip(groups, variants, strict=True):
        if 2 * count > most[at]:
            found[at[:2]] += records
    return found
