"""This machine's processors as a device (see `bench.device.device`)."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import cached_property
from time import monotonic

from bench.device import cpu_sweep, memory_curve, sweeps, threads
from bench.device.device import Curve, Finding, Sweep, Walk
from bench.profile.records import Roof
from bench.roofs import _vector, load, matmul
from bench.telemetry import memory, state
from bench.telemetry.energy import Meter
from bench.timing import call_limit, rounds
from bench.timing import clock as cpu_clock
from bench.timing.clock import Clock
from kernels.case import Unavailable
from kernels.reference.inputs import Arena

THOROUGH_SECONDS = 1.0
"""A suite that grants the read curve less has half its sizes measured, and every other roof swept once, not twice."""

MEMORY_SHARE = 4
"""The arena takes at most one part in so many of the memory that is free when a run begins."""

SPARE = 1.1
"""How much longer one pool is left to fall asleep than its workers were seen to spin."""

CROWDED_BYTES, CROWDED_PASSES, CROWDED_TURNS = 16 << 10, 400, 3
"""A share, how often it is read in a row, and how many times in turns."""
CROWDED = 1.6
"""Threads that share a core take twice as long as one has it alone."""

UNTOLD_CACHE_BYTES = 32 << 20
"""The last cache level where the system tells none."""


class Cpu:
    """Processors with their pools of threads, memory, and counters of energy where they can be read."""

    name = "cpu"
    matmul = matmul
    clock: Clock = cpu_clock
    use = staticmethod(threads.use)
    telemetry = state.Telemetry

    def __init__(
        self, pools: threads.Pools | None = None, meter: Meter | None = None, seed: int = 0
    ) -> None:
        """`pools` were started for it; `seed` is of the arena's weights."""
        self.pools, self.meter, self._seed = pools, meter, seed
        self.resweep_seconds: float | None = None
        self.throttled = state.throttled()
        self._limit = call_limit.Limit()
        self._least: dict[int, float] = {}

    @property
    def settle_seconds(self) -> float:
        """Longer where torch and numba have a pool each: as long as the workers of one go on spinning."""
        if self.pools is None or self.pools.shared:
            return rounds.SETTLE_SECONDS
        most, spun = rounds.SETTLE_SECONDS_TWO_POOLS, self.pools.spin_seconds
        return most if spun is None else min(most, rounds.SETTLE_SECONDS + SPARE * spun)

    def bytes_per_pass(self, kind: str, variant: _vector.Variant, walk: Walk) -> int:
        """In whole turns of the variant's loop."""
        return int(load("cpu", kind).bytes_per_pass(variant, *_walked(walk)))

    def probe(
        self, kind: str, variant: _vector.Variant, block: Arena, walk: Walk
    ) -> tuple[Callable[[int], object], int]:
        """Over the sets at the block's start."""
        size = self.bytes_per_pass(kind, variant, walk)
        if not size:
            return lambda _passes: None, 0
        return load("cpu", kind).prepare(variant, block.address, *_walked(walk)), size

    def roof_seconds(self, run: Callable[[int], object]) -> list[float]:
        """Of samples long enough that the clock's steps do not matter."""
        contender = rounds.Contender(run)
        return rounds.best(contender, cpu_sweep.REPEATS, cpu_sweep.SAMPLE_SECONDS, 0.0)

    @cached_property
    def _room(self) -> tuple[int, Arena]:
        """Bytes that were free at first, and an arena that may grow to a share of them.

        To a half, a quarter, ... of that share where a limit on addresses is less. Raises Unavailable.
        """
        free = memory.available()
        most = free // MEMORY_SHARE
        while True:
            try:
                return free, Arena(cpu_sweep.SMALLEST, self.name, self._seed, most_bytes=most)
            except Unavailable:
                if most <= cpu_sweep.SMALLEST:
                    raise
            most //= 2

    def room(self) -> tuple[int, int]:
        """As at first: the sweep walks the same arena."""
        free, arena = self._room
        return free, arena.most_bytes

    def arena(self, size_bytes: int) -> Arena:
        """The one that was swept, grown."""
        arena = self._room[1]
        arena.grow(size_bytes)
        return arena

    def page_bytes(self, block: Arena) -> int | None:
        """The page size of nearly all of a block."""
        return memory.page_bytes(block.address)

    def memory_available(self) -> int:
        """Bytes that can be allocated now."""
        return memory.available()

    def memory_taken(self) -> int:
        """Bytes that this process occupies."""
        return memory.taken()

    def launch_seconds(self, _block: Callable[[int], object]) -> None:
        """A call comes back when its work is done."""

    def crowded(self, threads: int) -> bool:
        """Whether a share each takes all threads so much longer than one thread a share: a scheduler doubled them up.

        By the best of some reads of each, a tenth of a millisecond long, against the least that this ever came to:
        threads that always share a core, as two of one core's do, are the machine's and no moment's.
        """
        if threads < 2:
            return False
        each: dict[int, float] = {}
        variant = load("cpu", "read").VARIANTS[0]
        for count in (1, threads) * CROWDED_TURNS:
            walk = Walk(CROWDED_BYTES * count, 1, count)
            run, _ = self.probe("read", variant, self._room[1], walk)
            seconds = self.clock.seconds_each(run, CROWDED_PASSES)
            each[count] = min(seconds, each.get(count, seconds))
        ratio = each[threads] / each[1]
        self._least[threads] = min(ratio, self._least.get(threads, ratio))
        return ratio >= CROWDED * max(1.0, self._least[threads])

    def wait(self) -> None:
        """A call is done when it returns."""

    def lost(self) -> str | None:
        """A CPU is not lost while this runs."""
        return None

    def sweep(self, asked: Sweep) -> Iterator[Finding]:
        """Read curve, writing in each of its levels, products, empty calls."""
        middles = list((yield from self._read(asked, ())).middles.values())
        counts, times = _counts(asked), 2 if asked.seconds >= THOROUGH_SECONDS else 1
        scratch = Arena(max(middles), self.name, self._seed)
        pages = self.page_bytes(self._room[1])
        yield from cpu_sweep.within_levels(
            scratch.address, middles, pages, counts, times, self._limit
        )
        del scratch
        yield from sweeps.products(self, counts, times, self._limit)
        yield from self._limit.warnings()  # before the last roofs, after which nothing is resumed
        yield from sweeps.calls(self, counts)

    def resweep(self, asked: Sweep, known: Sequence[Roof]) -> Iterator[Finding]:
        """The read curve and the fastest products."""
        yield from self._read(asked, known)
        yield from sweeps.fastest_once_more(self, known)

    def _read(self, asked: Sweep, known: Sequence[Roof]) -> Generator[Finding, None, Curve]:
        """Sweep the read curve; then what all its samples so far say."""
        start, found = monotonic(), list(known)
        reported = _last_level_bytes()
        arena = self._room[1]
        arena.grow(min(reported, arena.most_bytes))
        for roof in memory_curve.sweep(
            arena,
            reported,
            self.page_bytes(arena),
            _counts(asked),
            asked.seconds >= THOROUGH_SECONDS,
            max((roof.sweep or 0 for roof in known), default=asked.sweeps_before) + 1,
            self._limit,
        ):
            found.append(roof)
            yield roof
        curve = self.curve(found, asked)
        yield curve
        self.resweep_seconds = monotonic() - start
        return curve

    def curve(self, roofs: Iterable[Roof], asked: Sweep) -> Curve:
        """By all threads' roofs."""
        return memory_curve.read_off(roofs, threads.available(), _last_level_bytes(), asked.caches)

    def sentinel(self, arena: Arena, size_bytes: int) -> Roof:
        """By all threads."""
        return cpu_sweep.sentinel(
            arena.address, size_bytes, self.page_bytes(arena), threads.available()
        )

    def close(self) -> None:
        """Threads and cores as before."""
        if self.pools:
            threads.restore(self.pools)


def _walked(walk: Walk) -> tuple[int, int, int, int]:
    """As the CPU's probes take it."""
    return walk.one_set, walk.threads, walk.sets, walk.times


def _counts(asked: Sweep) -> list[int]:
    """Numbers of threads: the points', one, and all."""
    return sorted({1, threads.available(), *asked.counts})


def _last_level_bytes() -> int:
    """The last cache level as the system tells it, or a common one."""
    return memory.last_level_bytes() or UNTOLD_CACHE_BYTES
