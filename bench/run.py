"""One run: from a suite to a profile. Roofs first, then points in the suite's order, each in the journal as it ends."""

from __future__ import annotations

import math
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any

from bench import (
    beside,
    clock,
    doctor,
    doubts,
    inflight,
    levels,
    lock,
    machine,
    measure,
    points,
    progress,
    records,
    rehearsal,
    signals,
    survey,
    threads,
    watch,
)
from bench.folder import (
    SUITE_FILE,
    BadOutput,
    claim,
    only_planned,
    open_journal,
    point_latest,
    same,
)
from bench.records import Doubt, Level, Profile, Roof
from kernels import implementations
from kernels.contract import Unavailable
from kernels.inputs import Arena, set_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from bench.records import Point
    from bench.roofs import matmul
    from bench.suite import Planned, Suite

THOROUGH_SECONDS = 1.0
"""A suite that grants the read curve less has half its sizes measured, and every other roof swept once, not twice."""

MEMORY_SHARE = 4
"""The arena takes at most one part in so many of the memory there is."""


class Run:
    """Measures the points of a suite on this machine's CPU and writes them to a folder as it goes."""

    def __init__(
        self, plan: Suite, seed: int, folder: Path, earlier: Profile | None = None
    ) -> None:
        """Prepare; nothing is measured yet. `earlier` is what the folder's journal holds when resuming.

        Raises BadOutput where the folder cannot be written or belongs to another run, lock.Busy where another process
        measures.
        """
        self._machine = lock.hold(folder)
        self.plan, self.folder, self._seed = plan, folder, seed
        self._load, self._swapped = machine.Load(), machine.swapped_bytes()
        self._throttled = watch.throttled()
        self._pools = threads.start()
        self._all = threads.available()
        header = Profile(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            suite=plan.name,
            seed=seed,
            settings={**plan.settings, "device": "cpu"},
            project=machine.project(),
            machine=machine.describe(),
            environment=machine.environment(self._all, self._pools.layer),
        )
        if earlier:
            same(folder, earlier, header)
            only_planned(folder, earlier, [point.key for point in plan.points])
        self._done = {point.key: point for point in earlier.points} if earlier else {}
        self._earlier, self._header = earlier, header
        with self._writing():
            if not earlier:
                claim(folder)
                if plan.text:  # before the journal: whoever finds that can resume
                    (folder / SUITE_FILE).write_text(plan.text, encoding="utf-8")
            self._in_flight = inflight.InFlight(folder)
            self._journal = open_journal(folder, header, earlier)
        self._bench: beside.Bench | None = None
        self._spent: list[tuple[Planned, float]] = []
        self._curve_took = plan.settings["curve_seconds"]
        self._levels: tuple[Level, ...] = ()
        self._refused: dict[str, str] = {}
        self._roofs: list[Roof] = []

    def begin(self, least_levels: int = 0) -> None:
        """Measure the roofs, unless an earlier process of this run did; allocate the arena.

        The arena holds what the plan needs, and at least `least_levels` times the last cache level reported.
        """
        self._refused = rehearsal.rehearse([p for p in self.plan.points if self._is_risky(p)])
        clock.quieten()
        settings = self.plan.settings
        reported = machine.last_level_bytes() or 32 << 20
        most = machine.memory_available() // MEMORY_SHARE
        need = max(self._arena_bytes(reported, most), min(most, least_levels * reported))
        arena = Arena(need, "cpu", self._seed)
        self._page_bytes = machine.page_bytes(arena.address)
        self._largest = min(points.STREAM_FACTOR * reported, arena.size_bytes)
        self._counts = sorted({1, self._all} | {p.case.threads for p in self.plan.points})
        if self._earlier and _is_surveyed(self._earlier):
            self._roofs, self._levels = list(self._earlier.roofs), self._earlier.levels
        else:
            self._survey(arena)
        self._bench = beside.Bench(
            arena=arena,
            page_bytes=self._page_bytes,
            last_level_bytes=_last_level(levels.last_cache_bytes(self._plateaus()), reported),
            arithmetic=_arithmetic_roofs(self._roofs),
            writes=_write_roofs(self._roofs),
            precision=settings["precision"],
            budget_seconds=settings["budget_seconds"],
            longest_call_seconds=settings["longest_call_seconds"],
            settle_seconds=measure.SETTLE_SECONDS
            if self._pools.shared
            else measure.SETTLE_SECONDS_TWO_POOLS,
            seed=self._seed,
        )
        self._start = self._sentinel(arena)

    @property
    def bench(self) -> beside.Bench:
        """What points are measured with; there after `begin`."""
        assert self._bench is not None, "begin first"
        return self._bench

    @property
    def private_bytes(self) -> int:
        """The size of a core's own cache: the second level's one instance, or 1 MiB where the system tells none."""
        own = [c["size_bytes"] for c in self._header.machine["cpu"]["caches"] if c["level"] == 2]
        return min(own, default=1 << 20)

    def plateau_middles(self) -> dict[str, int]:
        """The levels found, and a working set well inside each."""
        inside = levels.middle(self._plateaus(), survey.SMALLEST)
        return dict(zip([level.name for level in self._levels], inside, strict=True))

    def roofs(self) -> list[Roof]:
        """The roofs found so far."""
        return list(self._roofs)

    def measure(self, planned: Planned, order: int) -> Point:
        """One point, measured and in the journal; or, when resuming, as it was measured."""
        if planned.key in self._done:
            return self._done[planned.key]
        start = monotonic()
        found = self._found(planned, order)
        with self._writing():
            self._journal.append(found)
            self._done[found.key] = found
        self._spent.append((planned, monotonic() - start))
        return found

    def _found(self, planned: Planned, order: int) -> Point:
        def without(status: str, reason: str) -> Point:
            return records.Point(
                planned.case, planned.implementation, status, reason=reason, order=order
            )

        deaths = self._in_flight.deaths(planned.key)
        if deaths >= inflight.MOST_DEATHS:
            ended = (
                f"{deaths} processes ended while it was measured: killed, crashed or out of memory"
            )
            return without("failed", ended)
        if planned.key in self._refused:
            return without("failed", self._refused[planned.key])
        try:
            implementation = implementations.load(planned.implementation)
        except Unavailable as reason:
            return without("skipped", str(reason))
        threads.use(planned.case.threads)
        try:
            with self._in_flight.during(planned.key):
                return points.point(
                    self.bench, planned.case, planned.implementation, implementation, order
                )
        except OSError as error:  # of the note, for a point raises nothing
            raise self._unwritten(error) from error

    def _is_risky(self, planned: Planned) -> bool:
        deaths = self._in_flight.deaths(planned.key)
        if planned.key in self._done or deaths >= inflight.MOST_DEATHS:
            return False
        return bool(deaths or implementations.file_of(planned.implementation))

    def seconds_left(self, planned: Sequence[Planned]) -> float:
        """An estimate for those of the points not measured yet, and for the curve swept once more at the end."""
        left = [one for one in planned if one.key not in self._done]
        each = 2 * self.plan.settings["budget_seconds"]
        return progress.seconds_left(self._spent, left, each) + self._curve_took

    def finish(self, planned: Iterable[Planned]) -> Profile:
        """Look at the sentinel again, note the doubts, write profile.json, point `latest` to it; the profile."""
        try:
            with self._writing():
                return self._assembled(all(p.key in self._done for p in planned))
        finally:
            self._journal.close()
            threads.restore(self._pools)
            self._machine.release()

    def _assembled(self, complete: bool) -> Profile:
        if self._bench is not None:
            if complete:
                # once more, so that a neighbour who was there at the start decides neither levels nor arithmetic
                self._curve(self._bench.arena)
                self._keep(survey.fastest_products(self._bench.arithmetic, "cpu"))
            for doubt in self._doubts(self._sentinel(self._bench.arena)):
                self._journal.append(doubt)
        if complete:
            self._journal.complete()
            self._in_flight.forget()
        profile = records.from_journal(self.folder)
        records.write(profile, self.folder)
        point_latest(self.folder)
        return profile

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What is written inside is finished before a signal stops the run. Raises BadOutput where it cannot be."""
        try:
            with signals.held():
                yield
        except (OSError, records.BadProfile) as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: Exception) -> BadOutput:
        why = getattr(error, "strerror", None) or error
        return BadOutput(
            f"{self.folder}: cannot be written: {why}: mend it and go on with --resume={self.folder}"
        )

    def _arena_bytes(self, last_level: int, most: int) -> int:
        # half as much again here and below, should the curve end its last level later than the system says
        need = math.ceil(1.5 * points.STREAM_FACTOR * last_level)
        for planned in self.plan.points:
            try:
                layout = implementations.load(planned.implementation).layout(planned.case)
            except Exception:  # noqa: BLE001 - it will be a failed or skipped point, with the reason
                continue
            one = set_bytes(layout, planned.case.dtype)
            if one > most:
                continue  # it will be skipped, with the reason
            need = max(
                need, math.ceil(1.5 * points.weight_sets(planned.case, one, last_level)) * one
            )
        return min(need, most)

    def _survey(self, arena: Arena) -> None:
        """Every roof, and the levels that their read curve shows."""
        counts, thorough = self._counts, self._curve(arena)
        scratch = Arena(self._largest, "cpu", self._seed)
        working_sets = levels.middle(self._plateaus(), survey.SMALLEST)
        self._keep(
            survey.writing(scratch.address, working_sets, self._page_bytes, counts, thorough)
        )
        del scratch
        self._keep(survey.arithmetic("cpu", counts, thorough))
        self._keep(survey.calls(counts))

    def _curve(self, arena: Arena) -> bool:
        """Sweep the read curve and read the levels off all its samples so far. Returns whether it is a thorough one."""
        seconds, start = self.plan.settings["curve_seconds"], monotonic()
        thorough = seconds >= THOROUGH_SECONDS
        self._keep(
            survey.read_curve(
                arena.address, self._largest, self._page_bytes, self._counts, seconds, thorough
            )
        )
        curve: dict[int, float] = {}
        for roof in self._roofs:
            if roof.kind == "read" and roof.threads == self._all and roof.working_set_bytes:
                size = roof.working_set_bytes
                curve[size] = max(curve.get(size, 0.0), *roof.samples)
        plateaus = levels.plateaus(curve)
        names = levels.name(plateaus, _caches(self._header.machine))
        self._levels = tuple(
            Level("cpu", name, end if name != "DRAM" else None, rate)
            for name, (end, rate) in zip(names, plateaus, strict=True)
        )
        with self._writing():
            self._journal.levels(self._levels)
        self._curve_took = monotonic() - start
        return thorough

    def _plateaus(self) -> list[tuple[int, float]]:
        return [(level.up_to_bytes or self._largest, level.bytes_per_s) for level in self._levels]

    def _keep(self, roofs: Iterable[Roof]) -> None:
        for roof in roofs:
            with self._writing():
                self._journal.append(roof)
                self._roofs.append(roof)

    def _sentinel(self, arena: Arena) -> Roof:
        roof = survey.sentinel(arena.address, self._largest, self._page_bytes, self._all)
        with self._writing():
            self._journal.append(roof)
        return roof

    def _doubts(self, end: Roof) -> list[Doubt]:
        header = self._header
        return [
            *doctor.standing(header.machine, header.environment, self._page_bytes, self._pools),
            *doubts.of_sentinel(self._start, end),
            *doubts.of_paired_roofs(self._done.values()),
            Doubt(
                "cpu only",
                "run",
                f"no GPU was measured: {machine.no_cuda_reason()}",
                "nothing, if that is known",
            ),
            *doubts.of_load(self._load.cores_taken_by_others()),
            *doubts.of_swap(machine.swapped_bytes() - self._swapped),
            *doubts.of_throttling(self._throttled, watch.throttled()),
            *doubts.of_clock(self._done.values()),
            *doubts.of_points(self._done.values(), self.plan.settings["precision"], self.bench),
            *doubts.of_own_weights(self._done.values(), self._page_bytes),
            *doubts.of_streaming(
                self._done.values(),
                points.STREAM_FACTOR * levels.last_cache_bytes(self._plateaus()),
            ),
        ]


def _is_surveyed(earlier: Profile) -> bool:
    """Whether an earlier process came to the end of its survey, of which the empty calls are the last."""
    return any(roof.kind == "call" for roof in earlier.roofs)


def _last_level(found: int, reported: int) -> int:
    """Up to where weights may lie in a cache: what the curve found, or what the system reports if it is not twice that.

    A neighbour who fills half of a shared cache while the curve is swept may be gone when a streamed point is measured.
    """
    return max(found, reported if reported <= 2 * found else 0, 1 << 20)


def _caches(described: dict[str, Any]) -> list[tuple[int, int]]:
    return [(c["level"], c["size_bytes"] * c["instances"]) for c in described["cpu"]["caches"]]


def _arithmetic_roofs(
    found: list[Roof],
) -> dict[tuple[str, int], tuple[float, matmul.Shape | matmul.Tile]]:
    from bench.roofs import matmul

    tiles = (matmul.tile(dtype) for dtype in matmul.KINDS)
    known: tuple[matmul.Shape | matmul.Tile, ...] = (*matmul.SHAPES, *tiles)
    variants = {variant.name: variant for variant in known}
    best: dict[tuple[str, int], tuple[float, matmul.Shape | matmul.Tile]] = {}
    for roof in found:
        if roof.implementation in variants and roof.dtype and roof.threads:
            key, rate = (roof.dtype, roof.threads), max(roof.samples)
            if key not in best or rate > best[key][0]:
                best[key] = rate, variants[roof.implementation]
    return best


def _write_roofs(found: list[Roof]) -> dict[int, dict[int, float]]:
    best: dict[int, dict[int, float]] = {}
    for roof in found:
        if roof.kind == "write" and roof.threads and roof.working_set_bytes:
            of_threads = best.setdefault(roof.threads, {})
            size = roof.working_set_bytes
            of_threads[size] = max(of_threads.get(size, 0.0), *roof.samples)
    return best
