"""What measures on a CPU: its clock, its probes, its memory and its state (see `bench.device.protocol`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.device import threads
from bench.measure.probes import Walk
from bench.roofs import matmul, read, vector, write
from bench.roofs.product import Shape
from bench.telemetry import memory, state
from bench.telemetry.energy import Meter
from bench.timing import clock as cpu_clock
from bench.timing.rounds import Clock
from kernels.reference.inputs import Arena

Product = Shape | matmul.Tile


class Cpu:
    """This machine's processors."""

    device = "cpu"
    clock: Clock = cpu_clock

    def __init__(self, meter: Meter | None = None) -> None:
        """With counters of energy, where they can be read."""
        self.meter = meter

    def variants(self) -> Sequence[read.Variant]:
        """Those of the read probe."""
        return read.VARIANTS

    def bytes_per_pass(self, variant: read.Variant, walk: Walk) -> int:
        """Bytes that a pass reads."""
        return read.bytes_per_pass(variant, walk.one_set, walk.threads, walk.sets, walk.times)

    def walker(self, variant: read.Variant, block: Arena, walk: Walk) -> Callable[[int], object]:
        """The read probe over the sets at the block's start."""
        return read.prepare(
            variant, block.address, walk.one_set, walk.threads, walk.sets, walk.times
        )

    def write_variants(self) -> Sequence[vector.Variant]:
        """Those of the write probe."""
        return write.VARIANTS

    def writer(
        self, variant: vector.Variant, block: Arena, size: int, threads: int
    ) -> tuple[Callable[[int], object], int]:
        """The write probe over the block's first `size` bytes."""
        moved = write.bytes_per_pass(variant, size, threads)
        if not moved:
            return _nothing, 0
        return write.prepare(variant, block.address, size, threads), moved

    def product(self, variant: Product, dtype: str) -> Callable[[int], object]:
        """Matrix products by the library, or of a tile."""
        return matmul.prepare(variant, dtype, self.device)

    def product_flops(self, variant: Product, dtype: str, threads: int) -> int:
        """FLOPs of one product."""
        return matmul.flops(variant, dtype, threads)

    def use(self, count: int) -> None:
        """Threads of torch and numba."""
        threads.use(count)

    def watch(self) -> state.Telemetry:
        """Begin to watch load, clock and throttling."""
        return state.Telemetry()

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

    def wait(self) -> None:
        """A call is done when it returns."""

    def lost(self) -> str | None:
        """A CPU is not lost while this runs."""
        return None


def _nothing(_passes: int) -> None:
    """Too small a block is not filled."""
