"""What a device offers: a clock, probes, memory, telemetry, and the sweeps that find its roofs.

`bench.device.cpu` and `bench.device.cuda` are the two there are. A survey, a point, its probes and its floor are made
by the same code on both.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from bench.profile.records import Level, Roof, RunWarning
from bench.telemetry.energy import Meter
from bench.timing.clock import Clock
from kernels.reference.inputs import Arena


class Walk(NamedTuple):
    """What a memory probe does: so many threads go over so many sets of so many bytes, each so many times in a row.

    `packed`: not in the arena but in the block that stands in for a library's own copies.
    """

    one_set: int
    sets: int
    threads: int
    times: int = 1
    packed: bool = False


@dataclass(frozen=True)
class Sweep:
    """What a sweep is asked for: the points' numbers of threads, and what the suite grants the read curve, in seconds.

    `sweeps_before` is how often the run swept it already. `caches` are (level, bytes of all instances), as the system
    reports them.
    """

    counts: tuple[int, ...]
    seconds: float
    sweeps_before: int
    caches: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Curve:
    """What a device's read curve says.

    `last_cache` is up to where weights may lie in a cache, `span` what streamed weights span at least, `middles` a
    working set well inside each level, by its name. `unsure` is whether the curve was neither flat at its end
    nor fading as a cache does, `nearly_flat` the least size that is nearly as slow as the `largest`, or as memory: of a
    fade it may be more than was walked.
    """

    levels: tuple[Level, ...]
    last_cache: int
    span: int
    middles: dict[str, int]
    unsure: bool
    nearly_flat: int
    largest: int


Finding = Roof | RunWarning | Curve


class Telemetry(Protocol):
    """Watches a device during the visits to a point, the first of which begins as it is made."""

    def resume(self) -> None:
        """Another visit begins."""

    def pause(self) -> None:
        """A visit ends."""

    def seen(self) -> dict[str, Any]:
        """What was seen in them, as a point's `state` has it."""


class Device(Protocol):
    """One that measures."""

    @property
    def name(self) -> str:
        """cpu or cuda."""

    @property
    def clock(self) -> Clock:
        """What its time is told by."""

    @property
    def meter(self) -> Meter | None:
        """Its counters of energy; None where they cannot be read."""

    @property
    def matmul(self) -> Any:
        """Its probe of matrix products."""

    @property
    def settle_seconds(self) -> float:
        """Least length of the untimed calls before a timed block."""

    @property
    def resweep_seconds(self) -> float | None:
        """How long `resweep` takes, about; None until a sweep tells."""

    def bytes_per_pass(self, kind: str, variant: Any, walk: Walk) -> int:
        """Bytes that a pass of a probe reads or writes; 0 where a set is too small for this variant."""

    def probe(
        self, kind: str, variant: Any, block: Arena, walk: Walk
    ) -> tuple[Callable[[int], object], int]:
        """A function of the number of passes over the walk's sets, which lie at the block's start; the bytes of one.

        Where these are 0 the function does nothing.
        """

    def roof_seconds(self, run: Callable[[int], object]) -> list[float]:
        """Seconds per call of the samples that a roof is made of, by a function of the number of calls."""

    def use(self, threads: int) -> None:
        """Have steps run with so many threads from here on."""

    def telemetry(self) -> Telemetry:
        """Begin to watch its state."""

    def room(self) -> tuple[int, int]:
        """Bytes of its memory that were free before any weights, and how many of them an arena may take."""

    def arena(self, size_bytes: int) -> Arena:
        """The arena that points read their weights from, of so many bytes or more. Raises Unavailable."""

    def page_bytes(self, block: Arena) -> int | None:
        """The page size that holds a block, where the system tells."""

    def memory_available(self) -> int:
        """Bytes of its memory that can be allocated now."""

    def memory_taken(self) -> int:
        """Bytes of its memory that this process occupies."""

    def launch_seconds(self, block: Callable[[int], object]) -> float | None:
        """Seconds that a call keeps the processor which makes it; None where it comes back when its work is done."""

    def crowded(self, threads: int) -> bool:
        """Whether some of so many threads share a core at this moment."""

    def wait(self) -> None:
        """Until all that was enqueued is done."""

    def lost(self) -> str | None:
        """Why nothing can be computed on it any more in this process, or None."""

    def sweep(self, asked: Sweep) -> Iterator[Finding]:
        """Measure every roof, one after the other; the curve once its roofs are in, and what was left out."""

    def resweep(self, asked: Sweep, known: Sequence[Roof]) -> Iterator[Finding]:
        """When all points are measured: roofs once more, so that a neighbour at the start does not decide them.

        `known` are those of the device so far.
        """

    def curve(self, roofs: Iterable[Roof], asked: Sweep) -> Curve:
        """What these read roofs say."""

    def sentinel(self, arena: Arena, size_bytes: int) -> Roof:
        """The best read probe over so many bytes, taken at a run's start and end to see whether it drifted."""

    def close(self) -> None:
        """Give back what was taken of the process."""


def fastest_products(
    roofs: Iterable[Roof], matmul: Any
) -> dict[tuple[str, int], tuple[float, Any]]:
    """Rate and variant of the fastest product of each dtype and number of threads, of those that `matmul` has."""
    variants = {
        (matmul.KIND, one.name): one for dtype in matmul.DTYPES for one in matmul.variants(dtype)
    }
    best: dict[tuple[str, int], tuple[float, Any]] = {}
    for roof in roofs:
        if (roof.kind, roof.implementation) in variants and roof.dtype and roof.threads is not None:
            key, rate = (roof.dtype, roof.threads), max(roof.samples)
            if key not in best or rate > best[key][0]:
                best[key] = rate, variants[roof.kind, roof.implementation]
    return best
