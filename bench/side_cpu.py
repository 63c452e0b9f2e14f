"""The CPU's side of a run: threads, arena, survey, sentinel, and what is against its figures."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from bench import (
    beside,
    bounded,
    cpu,
    doctor,
    doubts,
    levels,
    machine,
    measure,
    points,
    side,
    survey,
    threads,
    watch,
)
from bench.records import Level
from bench.roofs import matmul
from kernels.inputs import Arena

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.energy import Meter
    from bench.records import Doubt, Point, Profile, Roof
    from bench.roofs.product import Shape

THOROUGH_SECONDS = 1.0
"""A suite that grants the read curve less has half its sizes measured, and every other roof swept once, not twice."""

MEMORY_SHARE = 4
"""The arena takes at most one part in so many of the memory there is."""


class CpuSide:
    """This machine's processors, as one side of a run."""

    device = "cpu"

    def __init__(self, run: side.Keeper, meter: Meter | None) -> None:
        """Start the pools of threads; nothing is measured yet."""
        self._run, self._meter = run, meter
        self._throttled = watch.throttled()
        self.pools = threads.start()
        self._all = threads.available()
        self.levels: tuple[Level, ...] = ()
        self._bench: beside.Bench | None = None
        self._limit = bounded.Limit()
        self._curve_took: float = run.plan.settings["curve_seconds"]

    def begin(self, earlier: Profile | None, least_levels: int) -> None:
        """Arena, survey, bench."""
        run, settings = self._run, self._run.plan.settings
        wanted = side.planned(run.plan, self.device)
        reported = machine.last_level_bytes() or 32 << 20
        most = machine.memory_available() // MEMORY_SHARE
        need = max(side.arena_bytes(wanted, reported, most), min(most, least_levels * reported))
        arena = Arena(need, "cpu", run.seed)
        self._page_bytes = machine.page_bytes(arena.address)
        self._largest = min(points.STREAM_FACTOR * reported, arena.size_bytes)
        self._counts = sorted({1, self._all} | {p.case.threads for p in wanted})
        if earlier and side.is_surveyed(earlier, self.device):
            self.levels = tuple(one for one in earlier.levels if one.device == self.device)
        else:
            self._survey(arena)
        found = run.roofs(self.device)
        self._bench = beside.Bench(
            instruments=cpu.Cpu(self._meter),
            arena=arena,
            page_bytes=self._page_bytes,
            last_level_bytes=side.last_level(levels.last_cache_bytes(self.plateaus()), reported),
            arithmetic=side.arithmetic_roofs(found, products()),
            writes=side.write_roofs(found),
            precision=settings["precision"],
            budget_seconds=settings["budget_seconds"],
            longest_call_seconds=settings["longest_call_seconds"],
            settle_seconds=measure.SETTLE_SECONDS
            if self.pools.shared
            else measure.SETTLE_SECONDS_TWO_POOLS,
            seed=run.seed,
        )
        self._start = self._sentinel()

    @property
    def bench(self) -> beside.Bench:
        """What points are measured with."""
        assert self._bench is not None, "begin first"
        return self._bench

    def plateaus(self) -> list[tuple[int, float]]:
        """(up to how many bytes, byte/s) of each level."""
        return [(level.up_to_bytes or self._largest, level.bytes_per_s) for level in self.levels]

    def middles(self) -> list[int]:
        """A working set well inside each level."""
        return levels.middle(self.plateaus(), survey.SMALLEST)

    def again(self) -> None:
        """The read curve and the fastest products."""
        self._curve(self.bench.arena)
        self._run.keep(survey.fastest_products(self.bench.arithmetic, self.device))

    def took(self) -> float:
        """As long as the read curve took."""
        return self._curve_took

    def doubts(self, found: Sequence[Point]) -> list[Doubt]:
        """Of the machine, of the run on it, and of its points."""
        run, header = self._run, self._run.header
        return [
            *doctor.standing(header.machine, header.environment, self._page_bytes, self.pools),
            *doubts.of_sentinel(self._start, self._sentinel()),
            *doubts.of_paired_roofs(found),
            *doubts.of_throttling(self._throttled, watch.throttled()),
            *doubts.of_clock(found),
            *doubts.of_points(found, run.plan.settings["precision"], self.bench),
            *doubts.of_small_sets(found),
            *doubts.of_own_weights(found, self._page_bytes),
            *doubts.of_streaming(
                found, points.STREAM_FACTOR * levels.last_cache_bytes(self.plateaus())
            ),
        ]

    def end(self) -> None:
        """Threads and cores as before."""
        threads.restore(self.pools)

    def _survey(self, arena: Arena) -> None:
        """Every roof, and the levels that their read curve shows."""
        run, counts, thorough = self._run, self._counts, self._curve(arena)
        scratch = Arena(self._largest, "cpu", run.seed)
        run.keep(
            survey.writing(
                scratch.address, self.middles(), self._page_bytes, counts, thorough, self._limit
            )
        )
        del scratch
        run.keep(survey.arithmetic("cpu", counts, thorough, self._limit))
        for doubt in self._limit.doubts():
            run.note(
                doubt
            )  # before the last of the survey, which a resumed run does not take again
        run.keep(survey.calls(counts))

    def _curve(self, arena: Arena) -> bool:
        """Sweep the read curve and read the levels off all its samples so far. Returns whether it is a thorough one."""
        run, start = self._run, monotonic()
        seconds = run.plan.settings["curve_seconds"]
        thorough: bool = seconds >= THOROUGH_SECONDS
        run.keep(
            survey.read_curve(
                arena.address,
                self._largest,
                self._page_bytes,
                self._counts,
                seconds,
                thorough,
                self._limit,
            )
        )
        curve: dict[int, float] = {}
        for roof in run.roofs(self.device):
            if roof.kind == "read" and roof.threads == self._all and roof.working_set_bytes:
                size = roof.working_set_bytes
                curve[size] = max(curve.get(size, 0.0), *roof.samples)
        plateaus = levels.plateaus(curve)
        names = levels.name(plateaus, _caches(run.header.machine))
        self.levels = tuple(
            Level(self.device, name, end if name != "DRAM" else None, rate)
            for name, (end, rate) in zip(names, plateaus, strict=True)
        )
        run.keep_levels(self.device, self.levels)
        self._curve_took = monotonic() - start
        return thorough

    def _sentinel(self) -> Roof:
        roof = survey.sentinel(self.bench.arena.address, self._largest, self._page_bytes, self._all)
        self._run.note(roof)
        return roof


def products() -> dict[str, Any]:
    """The matrix products of the survey, by the names that their roofs have."""
    tiles = (matmul.tile(dtype) for dtype in matmul.KINDS)
    known: tuple[Shape | matmul.Tile, ...] = (*matmul.SHAPES, *tiles)
    return {variant.name: variant for variant in known}


def _caches(described: dict[str, Any]) -> list[tuple[int, int]]:
    return [(c["level"], c["size_bytes"] * c["instances"]) for c in described["cpu"]["caches"]]
