"""What measures on a GPU: its clock, its probes, its memory and its state (see `bench.device.protocol`).

Tested with stand-ins for torch.cuda and NVML; not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from bench.device import threads
from bench.machine import nvml
from bench.measure.probes import Walk
from bench.roofs import gpu_matmul
from bench.roofs.product import Shape
from bench.telemetry.energy import Meter
from bench.timing import cuda_clock
from kernels.case import Unavailable
from kernels.reference.inputs import Arena


class Watch:
    """Watches a GPU from when it is made."""

    def __init__(self, gpu: nvml.Gpu | None, clock: cuda_clock.Clock) -> None:
        """Begin."""
        self._gpu, self._clock = gpu, clock
        clock.causes.clear()

    def seen(self) -> dict[str, Any]:
        """What NVML tells now, and what throttled samples that were kept."""
        state = self._gpu.state() if self._gpu else None
        return {
            "clock_hz": state and state.clock_hz,
            "temperature_c": state and state.temperature_c,
            "throttle": sorted(self._clock.causes),
            "power_w": state and state.power_w,
            "load": None,
        }


class Cuda:
    """The GPU that CUDA names first."""

    device = "cuda"

    def __init__(self, gpu: nvml.Gpu | None = None, meter: Meter | None = None) -> None:
        """As NVML knows it, with its counter of energy, where it does."""
        self._gpu, self.meter = gpu, meter
        self.clock = cuda_clock.Clock(gpu.throttle if gpu else lambda: ())

    def variants(self) -> Sequence[Any]:
        """Those of the read probe."""
        found: Sequence[Any] = memory_probes().VARIANTS
        return found

    def bytes_per_pass(self, variant: Any, walk: Walk) -> int:
        """Bytes that a pass reads: of all sets at once, or set by set where each is read several times in a row."""
        probes = memory_probes()
        if walk.times == 1:
            return int(probes.bytes_per_pass("read", variant, walk.sets * walk.one_set))
        each = probes.bytes_per_pass("read", variant, walk.one_set)
        return int(walk.sets * walk.times * each)

    def walker(self, variant: Any, block: Arena, walk: Walk) -> Callable[[int], object]:
        """The read probe over the sets at the block's start: one launch, or one for each set."""
        probes, count = memory_probes(), self.processors()
        size = walk.one_set if walk.times > 1 else walk.sets * walk.one_set
        words = block.words()
        starts = range(0, walk.sets * walk.one_set, size)
        runs = [
            probes.prepare("read", variant, words[at // 4 : (at + size) // 4], count)[0]
            for at in starts
        ]
        if len(runs) == 1:
            return lambda passes: runs[0](passes * walk.times)

        def passes(count: int) -> None:
            for _ in range(count):
                for run in runs:
                    run(walk.times)

        return passes

    def write_variants(self) -> Sequence[Any]:
        """As those of the read probe."""
        return self.variants()

    def writer(
        self, variant: Any, block: Arena, size: int, _threads: int
    ) -> tuple[Callable[[int], object], int]:
        """The write probe over the block's first `size` bytes."""
        probes, words = memory_probes(), block.words()[: size // 4]
        moved = int(probes.bytes_per_pass("write", variant, size))
        if not moved:
            return lambda _passes: None, 0
        run, _ = probes.prepare("write", variant, words, self.processors())
        return run, moved

    def product(self, variant: Shape, dtype: str) -> Callable[[int], object]:
        """Matrix products by the library."""
        return gpu_matmul.prepare(dtype, variant, self.device)

    def product_flops(self, variant: Shape, _dtype: str, _threads: int) -> int:
        """FLOPs of one product."""
        return gpu_matmul.flops(variant)

    def use(self, _threads: int) -> None:
        """A GPU's own; the reference is computed by all of the CPU's."""
        torch.set_num_threads(threads.available())

    def watch(self) -> Watch:
        """Begin to watch clock, heat, power and throttling."""
        return Watch(self._gpu, self.clock)

    def page_bytes(self, _block: Arena) -> None:
        """A GPU does not tell."""

    def memory_available(self) -> int:
        """Bytes that can be allocated now, those that PyTorch holds in reserve among them."""
        free, _ = torch.cuda.mem_get_info()
        return int(free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())

    def memory_taken(self) -> int:
        """Bytes that PyTorch gave away."""
        return int(torch.cuda.memory_allocated())

    def launch_seconds(self, block: Callable[[int], object]) -> float:
        """What a call costs the CPU, which goes on while it is computed."""
        return self.clock.launch_seconds(block)

    def wait(self) -> None:
        """Until the queue is empty."""
        torch.cuda.synchronize()

    def lost(self) -> str | None:
        """What CUDA says where it has given up this process, as after an illegal access; None where it has not."""
        try:
            torch.cuda.synchronize()
        except RuntimeError as error:
            return str(error).strip().split("\n", 1)[0]
        return None

    def processors(self) -> int:
        """Streaming multiprocessors."""
        return int(torch.cuda.get_device_properties(0).multi_processor_count)


def memory_probes() -> Any:
    """`bench.roofs.triton_memory`. Raises Unavailable without Triton."""
    try:
        from bench.roofs import triton_memory
    except ImportError as error:
        raise Unavailable(
            f"a GPU's memory probes need Triton, and a step without its roof is no result: {error}"
        ) from error
    return triton_memory
