"""What measuring asks of a device: a clock, the probes that run beside a step, its memory and its state.

`bench.device.cpu` and `bench.device.cuda` are the two there are. A point, its probes and its floor are measured by
the same code on both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from bench.telemetry.energy import Meter
from bench.timing.rounds import Clock

if TYPE_CHECKING:
    from bench.measure.probes import Walk
    from kernels.reference.inputs import Arena


class Seeing(Protocol):
    """Watches a device from when it is made."""

    def seen(self) -> dict[str, Any]:
        """What was seen since, as a point's `state` has it."""
        ...


class Instruments(Protocol):
    """One device's."""

    @property
    def device(self) -> str:
        """cpu or cuda."""
        ...

    @property
    def clock(self) -> Clock:
        """What its time is told by."""
        ...

    @property
    def meter(self) -> Meter | None:
        """Its counters of energy; None where they cannot be read."""
        ...

    def variants(self) -> Sequence[Any]:
        """Those of its read probe."""
        ...

    def bytes_per_pass(self, variant: Any, walk: Walk) -> int:
        """Bytes that a pass of the probe reads; 0 where a set is too small for this variant."""
        ...

    def walker(self, variant: Any, block: Arena, walk: Walk) -> Callable[[int], object]:
        """The probe: a function of the number of passes over the walk's sets, which lie at the block's start."""
        ...

    def write_variants(self) -> Sequence[Any]:
        """Those of its write probe; none where writing is not paired."""
        ...

    def writer(
        self, variant: Any, block: Arena, size: int, threads: int
    ) -> tuple[Callable[[int], object], int]:
        """A function of the number of passes that fill so many bytes of the block, and the bytes of one; 0: too few."""
        ...

    def product(self, variant: Any, dtype: str) -> Callable[[int], object]:
        """A function of the number of matrix products."""
        ...

    def product_flops(self, variant: Any, dtype: str, threads: int) -> int:
        """FLOPs of one of them."""
        ...

    def use(self, threads: int) -> None:
        """Have steps run with so many threads from here on."""
        ...

    def watch(self) -> Seeing:
        """Begin to watch its state."""
        ...

    def page_bytes(self, block: Arena) -> int | None:
        """The page size that holds a block, where the system tells."""
        ...

    def memory_available(self) -> int:
        """Bytes of its memory that can be allocated now."""
        ...

    def memory_taken(self) -> int:
        """Bytes of its memory that this process occupies."""
        ...

    def launch_seconds(self, block: Callable[[int], object]) -> float | None:
        """Seconds that a call keeps the processor which makes it; None where it comes back when its work is done."""
        ...

    def wait(self) -> None:
        """Until all that was enqueued is done."""
        ...

    def lost(self) -> str | None:
        """Why nothing can be computed on it any more in this process, or None."""
        ...
