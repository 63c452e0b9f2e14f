"""What points of one device are measured with: device, arena, roofs, and how long to take. Frozen; its caches apart."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.device.device import Device, Walk
from bench.profile import stats
from bench.profile.records import Roof
from bench.timing import rounds
from kernels import roofline_model
from kernels.case import Case
from kernels.reference.inputs import Arena


@dataclass
class Cache:
    """What earlier points of a context found or allocated, and later ones use again."""

    floors: dict[tuple[str, Case], rounds.Contender | None] = field(default_factory=dict)
    """Calls without work, by implementation and kind of call; None where one cannot be had."""
    spreads: dict[str, stats.Spread] = field(default_factory=dict)
    """How far the visits of each point lay apart so far, by its key."""
    variants: dict[Walk, Any] = field(default_factory=dict)
    """The read probe's fastest variant over each kind of memory that it walked so far: see `probes.alike`."""
    store_variants: dict[tuple[str, Walk], Any] = field(default_factory=dict)
    """A storing probe's fastest variant over as many bytes; None where they are too few for every one."""
    stand_in: Arena | None = None
    """A block as libraries allocate theirs: see `Context.memory`."""
    stored: dict[str, Arena] = field(default_factory=dict)
    """What probes overwrite beside a step, by their kind."""
    digests: dict[tuple[int, Hashable], int] = field(default_factory=dict)
    """Of the arena, by the bytes that it held and what they were filled as, while nobody had written there."""
    preparing_seconds: float = 0.0
    """What packing and compiling took so far, of points and of their floors."""

    opened: dict[str, Any] = field(default_factory=dict)
    """Points that stay built until their next visit, by their keys."""

    def release(self) -> None:
        """Give back what earlier points needed beside the arena, and those that stay built: no others took it."""
        self.stand_in = None
        self.stored.clear()
        self.opened.clear()


@dataclass(frozen=True)
class Context:
    """The measurement context of a device's points."""

    device: Device
    arena: Arena
    page_bytes: int | None
    last_level_bytes: int
    span_bytes: int
    """What streamed weights span at least."""
    free_bytes: int
    """Memory of the device that was free when the run began."""
    arithmetic: dict[tuple[str, int], tuple[float, Any]]
    """Arithmetic roofs: rate and variant of the fastest product, by dtype and threads."""
    precision: float
    budget_seconds: float
    longest_call_seconds: float
    settle_seconds: float
    seed: int
    writes: dict[int, dict[int, float]] = field(default_factory=dict)
    """Write roofs: threads, then working set in bytes, to byte/s."""
    cache: Cache = field(default_factory=Cache)

    def memory(self, size_bytes: int, *, packed: bool) -> Arena:
        """What the probe reads beside a step: the arena, whose views the step reads, or a stand-in for its own copies.

        A library that packs its weights keeps them in blocks whose addresses it tells nobody. The stand-in comes from
        the same allocator, so it has the same pages, of which the arena's differ. Raises Unavailable.
        """
        if not packed:
            return self.arena
        cache = self.cache
        if cache.stand_in is None or cache.stand_in.size_bytes < size_bytes:
            cache.stand_in = None  # before another one is allocated
            cache.stand_in = Arena(size_bytes, self.device.name, self.seed, large_pages=False)
        return cache.stand_in

    def write_seconds(self, written: int, threads: int) -> float:
        """How long `written` bytes take at the write roof of the working set nearest to them; 0 where there is none."""
        curve = tuple(self.writes.get(threads, {}).items())
        roof = roofline_model.nearest(curve, written)
        return written / roof if roof else 0.0

    def best(
        self, contender: rounds.Contender, repeats: int, sample_seconds: float, settle: float = 0.0
    ) -> float:
        """Seconds per call of the best of some samples, by the device's clock."""
        return min(rounds.best(contender, repeats, sample_seconds, settle, self.device.clock))


def write_roofs(found: Iterable[Roof]) -> dict[int, dict[int, float]]:
    """Threads, then working set in bytes, to byte/s."""
    best: dict[int, dict[int, float]] = {}
    for roof in found:
        if roof.kind == "write" and roof.threads is not None and roof.working_set_bytes:
            of_threads = best.setdefault(roof.threads, {})
            size = roof.working_set_bytes
            of_threads[size] = max(of_threads.get(size, 0.0), *roof.samples)
    return best
