"""One run: from a suite to a profile. Roofs first, then points in the suite's order, each in the journal as it ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic

from bench.device import threads
from bench.machine import describe, environment, gpus
from bench.measure import point as points
from bench.measure.probes import Bench
from bench.profile import records
from bench.profile.errors import BadFile
from bench.profile.journal import from_journal, write_profile
from bench.profile.records import Level, Point, Profile, Roof, RunWarning
from bench.profile.suite import Planned, Suite
from bench.session import crash_record, lock, progress, trial, warnings
from bench.session.folder import (
    SUITE_FILE,
    BadOutput,
    claim,
    only_planned,
    open_journal,
    point_latest,
    same,
)
from bench.session.side import Side, is_surveyed
from bench.telemetry import energy, state
from bench.timing import clock, interrupts
from kernels import implementations
from kernels.case import ALL, Unavailable


class Run:
    """Measures the points of a suite on this machine's devices and writes them to a folder as it goes."""

    def __init__(
        self, plan: Suite, seed: int, folder: Path, earlier: Profile | None = None
    ) -> None:
        """Prepare; nothing is measured yet. `earlier` is what the folder's journal holds when resuming.

        Raises BadOutput where the folder cannot be written or belongs to another run, lock.Busy where another process
        measures.
        """
        self._machine = lock.hold(folder)
        self.plan, self.folder, self.seed = plan, folder, seed
        self._load, self._swapped = state.Load(), state.swapped_bytes()
        self._sides, energy_told, layer = self._both()
        self._header = header = Profile(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            suite=plan.name,
            seed=seed,
            settings={
                **plan.settings,
                "device": ALL if len(self._sides) > 1 else next(iter(self._sides)),
            },
            project=environment.project(),
            machine=describe.machine(),
            environment={
                **environment.environment(threads.available(), layer, self._packages()),
                "energy": energy_told,
            },
        )
        if earlier:
            same(folder, earlier, header)
            only_planned(folder, earlier, [point.key for point in plan.points])
        found = earlier.points if earlier else ()
        self._done = {point.key: point for point in found if not _was_lost(point)}
        self._earlier = earlier
        with self._writing():
            if not earlier:
                claim(folder)
                if plan.text:  # before the journal: whoever finds that can resume
                    (folder / SUITE_FILE).write_text(plan.text, encoding="utf-8")
            self._in_flight = crash_record.InFlight(folder)
            self._journal = open_journal(folder, header, earlier)
        self._begun = False
        self._spent: list[progress.Spent] = []
        self._levels: dict[str, tuple[Level, ...]] = {}
        self._refused: dict[str, str] = {}
        self._roofs: list[Roof] = []

    def _both(self) -> tuple[dict[str, Side], dict[str, str], str | None]:
        """A side for each device that points are planned for, a CPU's if there are none.

        With them whether energy is counted there, in words; and the threading layer.
        """
        devices = {planned.case.device for planned in self.plan.points} or {"cpu"}
        sides: dict[str, Side] = {}
        told: dict[str, str] = {}
        layer = None
        if "cpu" in devices:
            from bench.session.side_cpu import CpuSide

            meter, told["cpu"] = _meter(energy.of_cpu)
            sides["cpu"] = mine = CpuSide(self, meter)
            layer = mine.pools.layer
        if "cuda" in devices:
            from bench.session.side_cuda import CudaSide

            gpu = gpus.by_nvml()
            meter, told["cuda"] = _meter(lambda: energy.of_gpu(gpu))
            sides["cuda"] = CudaSide(self, gpu, meter)
        return sides, told, layer

    def _packages(self) -> tuple[str, ...]:
        return environment.PACKAGES + (environment.GPU_PACKAGES if "cuda" in self._sides else ())

    @property
    def header(self) -> Profile:
        """The machine and the environment, as the profile states them."""
        return self._header

    def begin(self) -> None:
        """Measure the roofs, unless an earlier process of this run did; allocate the arenas."""
        self._refused = trial.rehearse([p for p in self.plan.points if self._is_risky(p)])
        clock.quieten()
        if self._earlier:
            surveyed = [d for d in self._sides if is_surveyed(self._earlier, d)]
            self._roofs = [roof for roof in self._earlier.roofs if roof.device in surveyed]
            kept = self._earlier.levels
            self._levels = {d: tuple(one for one in kept if one.device == d) for d in surveyed}
        for side in self._sides.values():
            side.begin(self._earlier)
        self._begun = True

    def bench_of(self, device: str) -> Bench:
        """What points of a device are measured with; there after `begin`. Raises Unavailable where it has none."""
        return self._sides[device].bench

    @property
    def bench(self) -> Bench:
        """The CPU's."""
        return self.bench_of("cpu")

    @property
    def private_bytes(self) -> int:
        """The size of a core's own cache: the second level's one instance, or 1 MiB where the system tells none."""
        own = [c["size_bytes"] for c in self._header.machine["cpu"]["caches"] if c["level"] == 2]
        return min(own, default=1 << 20)

    def plateau_middles(self) -> dict[str, int]:
        """The levels found on the CPU, and a working set well inside each."""
        side = self._sides["cpu"]
        return dict(zip([one.name for one in side.levels], side.middles(), strict=True))

    def roofs(self, device: str | None = None) -> list[Roof]:
        """The roofs found so far, of one device or of all."""
        return [roof for roof in self._roofs if device in (None, roof.device)]

    def measure(self, planned: Planned, order: int) -> Point:
        """One point, measured and in the journal; or, when resuming, as it was measured."""
        if planned.key in self._done:
            return self._done[planned.key]
        start, prepared = monotonic(), self._preparing_seconds(planned)
        found = self._found(planned, order)
        with self._writing():
            self._journal.append(found)
            self._done[found.key] = found
        prepared = self._preparing_seconds(planned) - prepared
        self._spent.append(progress.Spent(planned, monotonic() - start, prepared))
        return found

    def _preparing_seconds(self, planned: Planned) -> float:
        with suppress(Unavailable):
            return self.bench_of(planned.case.device).preparing_seconds
        return 0.0

    def _found(self, planned: Planned, order: int) -> Point:
        def without(status: records.Status, reason: str) -> Point:
            return records.Point(
                planned.case, planned.implementation, status, reason=reason, order=order
            )

        deaths = self._in_flight.deaths(planned.key)
        if deaths >= crash_record.MOST_DEATHS:
            ended = (
                f"{deaths} processes ended while it was measured: killed, crashed or out of memory"
            )
            return without("failed", ended)
        if planned.key in self._refused:
            return without("failed", self._refused[planned.key])
        try:
            implementation = implementations.load(planned.implementation)
            bench = self.bench_of(planned.case.device)
        except Unavailable as reason:
            return without("skipped", str(reason))
        bench.instruments.use(planned.case.threads)
        try:
            with self._in_flight.during(planned.key):
                return points.point(
                    bench, planned.case, planned.implementation, implementation, order
                )
        except OSError as error:  # of the note, for a point raises nothing
            raise self._unwritten(error) from error

    def _is_risky(self, planned: Planned) -> bool:
        deaths = self._in_flight.deaths(planned.key)
        if planned.key in self._done or deaths >= crash_record.MOST_DEATHS:
            return False
        return bool(deaths or implementations.file_of(planned.implementation))

    def seconds_left(self, planned: Sequence[Planned]) -> float:
        """An estimate for those of the points not measured yet, and for the roofs measured once more at the end."""
        left = [one for one in planned if one.key not in self._done and _can_be_had(one)]
        each = 2 * self.plan.settings["budget_seconds"]
        again = sum(side.took() for side in self._sides.values())
        return progress.seconds_left(self._spent, left, each, _compiled_as) + again

    def finish(self, planned: Iterable[Planned]) -> Profile:
        """Look at the sentinel again, note the warnings, write profile.json, point `latest` to it; the profile."""
        lost = [point for point in self._done.values() if _was_lost(point)]
        complete = all(p.key in self._done for p in planned) and not lost
        try:
            found = self._looked_at(complete) if self._begun else []
            with self._writing():
                return self._assembled(complete, found)
        finally:
            self.close()

    def close(self) -> None:
        """End without a profile: threads and cores as before, the machine free for others."""
        self._journal.close()
        for side in self._sides.values():
            side.end()
        self._machine.release()

    def _looked_at(self, complete: bool) -> list[RunWarning]:
        """The roofs once more, and every warning. What cannot be seen is a warning itself: it costs no profile."""
        found: list[RunWarning] = []
        for side in self._sides.values() if complete else ():
            found += _seen("the roofs once more", side.again)
        return found + self._warnings()

    def _assembled(self, complete: bool, found: Sequence[RunWarning]) -> Profile:
        for warning in found:
            self._journal.append(warning)
        if complete:
            self._journal.complete()
            self._in_flight.forget()
        profile = from_journal(self.folder)
        write_profile(profile, self.folder)
        point_latest(self.folder)
        return profile

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """What is written inside is finished before a signal stops the run. Raises BadOutput where it cannot be."""
        try:
            with interrupts.held():
                yield
        except (OSError, BadFile) as error:
            raise self._unwritten(error) from error

    def _unwritten(self, error: Exception) -> BadOutput:
        why = getattr(error, "strerror", None) or error
        return BadOutput(
            f"{self.folder}: cannot be written: {why}: mend it and go on with --resume={self.folder}"
        )

    def keep(self, roofs: Iterable[Roof]) -> None:
        """Roofs, each in the journal before the next is measured."""
        for roof in roofs:
            with self._writing():
                self._journal.append(roof)
                self._roofs.append(roof)

    def note(self, found: Roof | RunWarning) -> None:
        """A finding for the journal alone, from which no figure follows."""
        with self._writing():
            self._journal.append(found)

    def keep_levels(self, device: str, found: tuple[Level, ...]) -> None:
        """A device's levels as now known."""
        self._levels[device] = found
        with self._writing():
            self._journal.levels(tuple(one for each in self._levels.values() for one in each))

    def _warnings(self) -> list[RunWarning]:
        found: list[RunWarning] = []
        for device, side in self._sides.items():
            mine = [point for point in self._done.values() if point.case.device == device]
            for what, look in side.looks(mine).items():
                found += _seen(what, look)
        if "cuda" not in self._sides:
            found += _seen("the GPU", _cpu_only)
        found += _seen(
            "what others do", lambda: warnings.of_load(self._load.cores_taken_by_others())
        )
        found += _seen("swap space", lambda: warnings.of_swap(self._swapped, state.swapped_bytes()))
        return found


def _seen(what: str, look: Callable[[], Sequence[RunWarning] | None]) -> Sequence[RunWarning]:
    """What a look finds; where it raises, a warning that says so."""
    try:
        return look() or ()
    except BadOutput:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a machine lacks: the profile is worth more
        message = (
            f"{what} could not be looked at: {type(error).__name__}: {points.first_line(error)}"
        )
        return (RunWarning("not looked at", "run", message, "report it: nothing else is lost"),)


def _cpu_only() -> list[RunWarning]:
    why = gpus.no_cuda_reason() or "the suite's points are of the CPU"
    message = f"no GPU was measured: {why}"
    return [RunWarning("cpu only", "run", message, "nothing, if that is known")]


def _was_lost(point: Point) -> bool:
    """Whether it could not be tried, its device lost or its memory taken by others: a resumed run tries it."""
    untried = (points.LOST, points.NO_ROOM)
    return point.status == "failed" and (point.reason or "").startswith(untried)


@cache
def _can_be_had(planned: Planned) -> bool:
    """Whether its implementation can be loaded; a point of one that cannot is skipped at once."""
    try:
        implementations.load(planned.implementation)
    except Unavailable:
        return False
    return True


@cache
def _compiled_as(planned: Planned) -> Hashable:
    """What is compiled for a point: as its implementation tells, else its kind of case."""
    told = None
    with suppress(Exception):  # whatever it does or lacks, the point itself will tell
        implementation = implementations.load(planned.implementation)
        told = implementations.compiled_as(implementation, planned.case)
    return progress.compiled_as(planned) if told is None else told


def _meter(of: Callable[[], energy.Meter]) -> tuple[energy.Meter | None, str]:
    """Counters of energy, and in words whether they are read."""
    try:
        return of(), "counted"
    except Unavailable as reason:
        return None, str(reason)
