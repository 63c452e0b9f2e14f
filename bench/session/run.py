"""One run: from a suite to a profile. Roofs first, then visits to its points, each in the journal as it ends."""

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

from bench.device import threads
from bench.device.device import Curve, Device, Finding
from bench.machine import describe, environment, gpus
from bench.measure import point as points
from bench.measure import room
from bench.measure.context import Context
from bench.profile.errors import BadFile
from bench.profile.journal import from_journal, write_profile
from bench.profile.records import SENTINEL, Level, Point, Profile, Roof, RunWarning, Status
from bench.profile.suite import Planned, Suite
from bench.session import (
    crash_record,
    lock,
    machine_warnings,
    point_warnings,
    progress,
    trial_process,
    visits,
)
from bench.session.folder import (
    SUITE_FILE,
    BadOutput,
    claim,
    only_planned,
    open_journal,
    point_latest,
    same,
)
from bench.session.survey import Survey, survey, was_finished
from bench.session.visitor import Visitor
from bench.telemetry import energy, state
from bench.timing import clock, interrupts
from kernels import implementations
from kernels.case import ALL, Unavailable


class Run:
    """Measures the points of a suite on this machine's devices and writes them to a folder as it goes."""

    def __init__(
        self,
        plan: Suite,
        seed: int,
        folder: Path,
        earlier: Profile | None = None,
        hold: lock.Hold = lock.hold,
    ) -> None:
        """Prepare a run, or what goes on after `earlier`. Raises BadOutput for its folder, and what `hold` raises."""
        self._machine = hold(folder)
        self.plan, self.folder, self.seed = plan, folder, seed
        self._load, self._swapped = state.Load(), state.swapped_bytes()
        self._devices: dict[str, Device] = {}
        self._standing: dict[str, Callable[[int | None], Iterable[RunWarning]]] = {}
        self._layer: str | None = None
        energy_told: dict[str, str] = {}
        self._idle_power_w: dict[str, float] = {}
        for name in sorted({planned.case.device for planned in plan.points} or {"cpu"}):
            self._devices[name], energy_told[name] = self._opened(name)
        more = environment.GPU_PACKAGES if "cuda" in self._devices else ()
        device = ALL if len(self._devices) > 1 else next(iter(self._devices))
        self.header = Profile(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            suite=plan.name,
            seed=seed,
            settings={**plan.settings, "device": device},
            project=environment.project(),
            machine=describe.machine(),
            environment={
                **environment.environment(
                    threads.available(), self._layer, environment.PACKAGES + more
                ),
                "energy": energy_told,
                **({"idle_power_w": self._idle_power_w} if self._idle_power_w else {}),
            },
        )
        if earlier:
            same(folder, earlier, self.header)
            only_planned(folder, earlier, [point.key for point in plan.points])
        found = earlier.points if earlier else ()
        self._done = {point.key: point for point in found if not _was_lost(point)}
        self._earlier = earlier.roofs if earlier else ()
        with self._writing():
            if not earlier:
                claim(folder)
                if plan.text:  # before the journal: whoever finds that can resume
                    (folder / SUITE_FILE).write_text(plan.text, encoding="utf-8")
            self._crashes = crash_record.CrashRecord(folder)
            self._journal = open_journal(folder, self.header, earlier)
        self._visitor, self._wanted = Visitor(), visits.wanted(plan.points)
        self._surveys: dict[str, Survey | str] = {}
        self._levels: dict[str, tuple[Level, ...]] = {}
        self._refused: dict[str, str] = {}
        self._roofs: list[Roof] = []
        self._order = {point.key: number for number, point in enumerate(self._done.values())}

    def _opened(self, name: str) -> tuple[Device, str]:
        """The device of that name, and in words whether its energy is counted. Here what is loaded is what it needs."""
        if name == "cpu":
            from bench.device.cpu import Cpu

            meter, told = _meter(energy.of_cpu)
            pools = threads.start()
            cpu, self._layer = Cpu(pools, meter, self.seed), pools.layer
            self._standing[name] = lambda pages: machine_warnings.of_cpu(cpu, self.header, pages)
            return cpu, told
        from bench.device.cuda import Cuda

        gpu = gpus.by_nvml()
        power = gpu.state().power_w if gpu else None
        if power is not None:
            self._idle_power_w[name] = power  # of a step's energy it is a part
        meter, told = _meter(lambda: energy.of_gpu(gpu))
        cuda = Cuda(gpu, meter, self.seed)
        self._standing[name] = lambda _pages: machine_warnings.of_gpu(cuda, self._surveys[name])
        return cuda, told

    def begin(self) -> None:
        """Measure the roofs, unless an earlier process of this run did; allocate the arenas."""
        self._refused = trial_process.tried([p for p in self.plan.points if self._is_risky(p)])
        clock.quieten()
        for name, device in self._devices.items():
            earlier = [roof for roof in self._earlier if roof.device == name]
            self._roofs += earlier if was_finished(earlier) else []
            found = self._surveyed(device, earlier)
            if isinstance(found, Survey):
                self._levels[name] = found.curve.levels
                self._keep(replace(found.sentinel, kind=SENTINEL))
            self._surveys[name] = found

    def _surveyed(self, device: Device, earlier: Sequence[Roof]) -> Survey | str:
        """Its survey; or the reason, where a GPU does not let it be had: that costs its own points alone."""
        try:
            return survey(device, self.plan, self.seed, self.header.machine, earlier, self._keep)
        except BadOutput:
            raise
        except Exception as error:  # of CUDA, Triton's compiler, or the C compiler that it starts
            if device.name == "cpu":
                raise
            if isinstance(error, Unavailable):
                return str(error)
            return f"its roofs cannot be measured: {points.first_line(error)}"

    def survey(self, device: str = "cpu") -> Survey:
        """What is known of a device after `begin`. Raises Unavailable where nothing is."""
        found = self._surveys[device]
        if isinstance(found, str):
            raise Unavailable(found)
        return found

    def context(self, device: str = "cpu") -> Context:
        """What points of a device are measured with. Raises Unavailable where there is nothing."""
        return self.survey(device).context

    def roofs(self, device: str | None = None) -> list[Roof]:
        """The roofs found so far, of one device or of all."""
        return [roof for roof in self._roofs if device in (None, roof.device)]

    def measure_all(
        self, planned: Iterable[Planned], told: Callable[[Point], bool] = lambda _point: False
    ) -> None:
        """Visit these points in passes until each has its record, whole, in the journal. Raises BadOutput.

        `told` is given a point's record after each visit, and says whether to stop.
        """
        every = list(planned)
        self._wanted |= visits.wanted(every)
        seed = None if self.plan.written else self.seed
        for some in visits.parts(every, written=self.plan.written):
            if self._in_passes(some, seed, told):
                return

    def _in_passes(
        self, every: Sequence[Planned], seed: int | None, told: Callable[[Point], bool]
    ) -> bool:
        """Visit these until each is over; whether `told` said to stop."""
        for number in itertools.count():
            left = self._left(every)
            if not left:
                return False
            for one in visits.order(left, number, seed):
                known, wanted = self._done.get(one.key), self._wanted[one.key]
                taken = len(known.visits or ()) if known else 0
                if visits.due(taken, wanted, number) and told(self._visit(one, wanted)):
                    return True
        return False

    def _left(self, planned: Iterable[Planned]) -> list[Planned]:
        """Those of the points of which something is left to measure."""
        return [one for one in planned if not ((known := self._done.get(one.key)) and known.over)]

    def measure(self, planned: Planned) -> Point:
        """A point's record, whole: its visits are made now, where they are not yet. Raises BadOutput."""
        if self._left([planned]):
            self.measure_all([planned])
        return self._done[planned.key]

    def visits(self, planned: Iterable[Planned]) -> tuple[int, int]:
        """How many visits were made to these points, and how many there will be, as far as is known."""
        made = planned_for = 0
        for one in planned:
            known = self._done.get(one.key)
            count = len(known.visits or ()) if known else 0
            made += count
            planned_for += count if known and known.over else max(count, self._wanted[one.key])
        return made, planned_for

    def known(self, planned: Planned) -> Point | None:
        """A point's record so far."""
        return self._done.get(planned.key)

    def _visit(self, planned: Planned, wanted: int) -> Point:
        order = self._order.setdefault(planned.key, len(self._order))
        found = self._found(planned, order, wanted)
        with self._writing():
            self._journal.append(found)
            self._done[found.key] = found
        return found

    def _found(self, planned: Planned, order: int, wanted: int) -> Point:
        def without(status: Status, reason: str) -> Point:
            return Point(planned.case, planned.implementation, status, reason=reason, order=order)

        key, earlier = planned.key, self._done.get(planned.key)
        if reason := self._crashes.reason(key) or self._refused.get(key):
            return without("failed", reason)
        try:
            implementation = implementations.load(planned.implementation)
            context = self.context(planned.case.device)
        except Unavailable as reason:
            return without("skipped", str(reason))
        if cause := context.device.lost():
            return without("failed", f"{points.LOST}: {cause}")
        context.device.use(planned.case.threads)
        try:
            with self._crashes.during(key):
                found = self._visitor.visit(
                    context, planned, implementation, order, earlier, wanted
                )
            if (found.reason or "").startswith(points.LOST):
                self._crashes.keep(key)
            return found
        except OSError as error:  # of the note, for a point raises nothing
            raise self._unwritten(error) from error

    def _is_risky(self, planned: Planned) -> bool:
        key = planned.key
        if not self._left([planned]) or self._crashes.reason(key):
            return False
        return bool(self._crashes.deaths(key) or implementations.file_of(planned.implementation))

    def seconds_left(self, planned: Iterable[Planned]) -> float:
        """An estimate for what is not measured yet of the points, and for the roofs measured once more at the end."""
        left = [one for one in self._left(planned) if _can_be_had(one)]
        new = [one for one in left if not self._visitor.knows(one)]
        curve = self.plan.settings["curve_seconds"]
        known = (device.resweep_seconds for device in self._devices.values())
        again = sum(curve if seconds is None else seconds for seconds in known)
        visited = self._visitor.seconds_left(left, self._wanted)
        spent = self._visitor.spent(self._wanted)
        return (
            visited + progress.seconds_left(spent, new, self._planned_seconds, _compiled_as) + again
        )

    def _planned_seconds(self, planned: Planned) -> float:
        """What a point takes, about, before any is measured."""
        found = self._surveys.get(planned.case.device)
        walk = (
            found.context.span_bytes / max(found.sentinel.samples)
            if isinstance(found, Survey)
            else 0.0
        )
        wanted = self._wanted.get(planned.key, points.VISITS)
        return progress.planned_seconds(planned, wanted, walk)

    def finish(self, planned: Iterable[Planned]) -> Profile:
        """Look at the sentinel again, note the warnings, write profile.json, point `latest` to it; the profile."""
        lost = [point for point in self._done.values() if _was_lost(point)]
        complete = not self._left(planned) and not lost
        try:
            found = self._looked_at(complete=complete) if self._surveys else []
            with self._writing():
                for warning in found:
                    self._journal.append(warning)
                if complete:
                    self._journal.complete()
                    self._crashes.forget()
                profile = from_journal(self.folder)
                write_profile(profile, self.folder)
                point_latest(self.folder)
                return profile
        finally:
            self.close()

    def close(self) -> None:
        """End without a profile: threads and cores as before, the machine free for others."""
        self._journal.close()
        for device in self._devices.values():
            device.close()
        self._surveys = {}
        self._machine.release()

    def _looked_at(self, *, complete: bool) -> list[RunWarning]:
        """The roofs once more, and every warning. What cannot be seen is a warning itself: it costs no profile."""
        found: list[RunWarning] = []
        for name in self._surveys if complete else ():
            found += machine_warnings.seen(
                f"the roofs once more ({name})", partial(self._resweep, name)
            )
        looks: dict[str, machine_warnings.Look] = {}
        for name, surveyed in self._surveys.items():
            mine = [point for point in self._done.values() if point.case.device == name]
            looks |= point_warnings.looks(
                self._devices[name], surveyed, mine, self._standing[name], self._keep
            )
        looks |= machine_warnings.others(self._load, self._swapped, on_gpu="cuda" in self._devices)
        return found + [
            one for what, look in looks.items() for one in machine_warnings.seen(what, look)
        ]

    def _resweep(self, name: str) -> Sequence[RunWarning]:
        device, found = self._devices[name], self._surveys[name]
        if isinstance(found, Survey) and device.lost() is None:
            for finding in device.resweep(found.asked, self.roofs(name)):
                self._keep(finding)
                if isinstance(finding, Curve):
                    self._surveys[name] = replace(found, curve=finding)
        return ()

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

    def _keep(self, finding: Finding) -> None:
        """A finding, in the journal before the next is made."""
        with self._writing():
            if isinstance(finding, Curve):
                self._levels[finding.levels[0].device] = finding.levels
                self._journal.levels(tuple(one for each in self._levels.values() for one in each))
            else:
                self._journal.append(finding)
            if isinstance(finding, Roof):
                self._roofs.append(finding)


def _was_lost(point: Point) -> bool:
    """Whether it could not be tried, its device lost or its memory taken by others: a resumed run tries it."""
    untried = (points.LOST, room.NO_ROOM)
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
    with suppress(Exception):  # whatever it does or lacks, the point itself will tell
        told = implementations.load(planned.implementation).compiled_as(planned.case)
        hash(told)  # what is none cannot be looked up
        if told is not None:
            return told
    return progress.compiled_as(planned)


def _meter(of: Callable[[], energy.Meter]) -> tuple[energy.Meter | None, str]:
    """Counters of energy, and in words whether they are read."""
    try:
        return of(), "counted"
    except Unavailable as reason:
        return None, str(reason)
