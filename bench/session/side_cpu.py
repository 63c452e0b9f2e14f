"""The CPU's side of a run: threads, arena, survey, sentinel, and what is against its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

from bench.device import cpu, cpu_sweep, levels, memory_curve, threads
from bench.measure import probes
from bench.profile.records import SENTINEL, Level, Point, Profile, Roof
from bench.roofs import matmul
from bench.roofs.product import Shape
from bench.session import doctor, side, warnings
from bench.telemetry import memory, state
from bench.telemetry.energy import Meter
from bench.timing import bounded, rounds
from kernels.case import Unavailable
from kernels.reference.inputs import Arena

THOROUGH_SECONDS = 1.0
"""A suite that grants the read curve less has half its sizes measured, and every other roof swept once, not twice."""

MEMORY_SHARE = 4
"""The arena takes at most one part in so many of the memory that is free when a run begins."""

UNTOLD_CACHE_BYTES = 32 << 20
"""The last cache level where the system tells none."""


class CpuSide:
    """This machine's processors, as one side of a run."""

    device = "cpu"

    def __init__(self, run: side.Keeper, meter: Meter | None) -> None:
        """Start the pools of threads; nothing is measured yet."""
        self._run, self._meter = run, meter
        self._throttled = state.throttled()
        self.pools = threads.start()
        self._all = threads.available()
        self._found = memory_curve.NOTHING
        self._bench: probes.Bench | None = None
        self._limit = bounded.Limit()
        self._curve_took: float = run.plan.settings["curve_seconds"]
        self._sweeps = 0

    def begin(self, earlier: Profile | None) -> None:
        """Survey, arena, bench."""
        run, settings = self._run, self._run.plan.settings
        wanted = side.planned(run.plan, self.device)
        self._reported = memory.last_level_bytes() or UNTOLD_CACHE_BYTES
        free = memory.available()
        arena = _arena(free // MEMORY_SHARE, run.seed)
        self._page_bytes = None
        self._counts = sorted({1, self._all} | {p.case.threads for p in wanted})
        if earlier:  # of a survey that was cut short, too: its records stay in the profile
            mine = (roof.sweep or 0 for roof in earlier.roofs if roof.device == self.device)
            self._sweeps = max(mine, default=0)
        if earlier and side.is_surveyed(earlier, self.device):
            self._read_off()
        else:
            self._survey(arena)
        arena.grow(side.arena_bytes(wanted, self._found.span, arena.most_bytes))
        self._page_bytes = memory.page_bytes(arena.address)
        measured = run.roofs(self.device)
        self._bench = probes.Bench(
            instruments=cpu.Cpu(self._meter),
            arena=arena,
            page_bytes=self._page_bytes,
            last_level_bytes=self._found.last_cache,
            span_bytes=self._found.span,
            free_bytes=free,
            arithmetic=side.arithmetic_roofs(measured, products()),
            writes=side.write_roofs(measured),
            precision=settings["precision"],
            budget_seconds=settings["budget_seconds"],
            longest_call_seconds=settings["longest_call_seconds"],
            settle_seconds=rounds.SETTLE_SECONDS
            if self.pools.shared
            else rounds.SETTLE_SECONDS_TWO_POOLS,
            seed=run.seed,
        )
        self._start = self._sentinel()

    @property
    def bench(self) -> probes.Bench:
        """What points are measured with."""
        assert self._bench is not None, "begin first"
        return self._bench

    @property
    def levels(self) -> tuple[Level, ...]:
        """As found so far."""
        return self._found.levels

    def middles(self) -> list[int]:
        """A working set well inside each level, and for memory what streamed weights span."""
        ends = [(one.up_to_bytes or self._found.span, one.bytes_per_s) for one in self.levels]
        return levels.middle(ends, cpu_sweep.SMALLEST, self._found.span)

    def again(self) -> None:
        """The read curve and the fastest products."""
        self._curve(self.bench.arena)
        self._run.keep(cpu_sweep.fastest_products(self.bench.arithmetic, self.device))

    def took(self) -> float:
        """As long as the read curve took."""
        return self._curve_took

    def looks(self, found: Sequence[Point]) -> dict[str, side.Look]:
        """At the machine, the run on it, and its points."""
        run, header = self._run, self._run.header
        return {
            "the machine": lambda: doctor.standing(
                header.machine, header.environment, self._page_bytes, self.pools
            ),
            "drift": lambda: warnings.of_sentinel(self._start, self._sentinel()),
            "paired roofs": lambda: warnings.of_paired_roofs(found),
            "throttling": lambda: warnings.of_throttling(self._throttled, state.throttled()),
            "the clock": lambda: warnings.of_clock(found),
            "the points": lambda: warnings.of_points(
                found, run.plan.settings["precision"], self.bench
            ),
            "small sets": lambda: warnings.of_small_sets(found),
            "pages": lambda: warnings.of_own_weights(found, self._page_bytes),
            "memory": lambda: warnings.of_memory(self._found.unsure, self._found.largest),
            "streamed points": lambda: warnings.of_streaming(found, self._found.nearly_flat),
        }

    def end(self) -> None:
        """Threads and cores as before."""
        threads.restore(self.pools)

    def _survey(self, arena: Arena) -> None:
        """Every roof, and the levels that their read curve shows."""
        run, counts, thorough = self._run, self._counts, self._curve(arena)
        scratch = Arena(max(self.middles()), "cpu", run.seed)
        run.keep(
            cpu_sweep.writing(
                scratch.address, self.middles(), self._page_bytes, counts, thorough, self._limit
            )
        )
        del scratch
        run.keep(cpu_sweep.arithmetic("cpu", counts, thorough, self._limit))
        for warning in self._limit.warnings():
            run.note(
                warning
            )  # before the last of the survey, which a resumed run does not take again
        run.keep(cpu_sweep.calls(counts))

    def _curve(self, arena: Arena) -> bool:
        """Sweep the read curve and read the levels off all its samples so far. Returns whether it is a thorough one."""
        run, start = self._run, monotonic()
        seconds = run.plan.settings["curve_seconds"]
        thorough: bool = seconds >= THOROUGH_SECONDS
        arena.grow(min(self._reported, arena.most_bytes))
        self._page_bytes = memory.page_bytes(arena.address)
        self._sweeps += 1
        run.keep(
            memory_curve.sweep(
                arena,
                self._reported,
                self._page_bytes,
                self._counts,
                seconds,
                thorough,
                self._sweeps,
                self._limit,
            )
        )
        self._read_off()
        run.keep_levels(self.device, self.levels)
        self._curve_took = monotonic() - start
        return thorough

    def _read_off(self) -> None:
        run = self._run
        self._found = memory_curve.read_off(
            run.roofs(self.device),
            self.device,
            self._all,
            self._reported,
            _caches(run.header.machine),
        )

    def _sentinel(self) -> Roof:
        roof = cpu_sweep.sentinel(
            self.bench.arena.address, self.bench.span_bytes, self._page_bytes, self._all
        )
        self._run.note(replace(roof, kind=SENTINEL))
        return roof


def _arena(most: int, seed: int) -> Arena:
    """One that may grow to `most` bytes, or to a half, a quarter, ... of that where a limit on addresses is less."""
    while True:
        try:
            return Arena(cpu_sweep.SMALLEST, "cpu", seed, most_bytes=most)
        except Unavailable:
            if most <= cpu_sweep.SMALLEST:
                raise
        most //= 2


def products() -> dict[str, Any]:
    """The matrix products of the survey, by the names that their roofs have."""
    tiles = (matmul.tile(dtype) for dtype in matmul.KINDS)
    known: tuple[Shape | matmul.Tile, ...] = (*matmul.SHAPES, *tiles)
    return {variant.name: variant for variant in known}


def _caches(described: dict[str, Any]) -> list[tuple[int, int]]:
    return [(c["level"], c["size_bytes"] * c["instances"]) for c in described["cpu"]["caches"]]
