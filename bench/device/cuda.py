"""A GPU as a device (see `bench.device.device`): the one that CUDA names first.

Tested with stand-ins for torch.cuda and NVML; ran on an H200, which was never lost while it measured.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch

from bench.device import cuda_sweep, sweeps, threads
from bench.device.device import Curve, Finding, Sweep, Walk
from bench.machine import nvml
from bench.profile.records import Roof
from bench.roofs import LEVELS, gpu_matmul, load, probes
from bench.telemetry.energy import Meter
from bench.timing import call_limit, cuda_clock
from kernels.reference.inputs import Arena

MEMORY_SHARE = 2
"""The arena takes at most one part in so many of the GPU's free memory."""

NO_THREADS = (0,)
"""Of the CPU's: how a GPU's roofs count them."""


class Watch:
    """Watches a GPU during the visits to a point."""

    def __init__(self, gpu: nvml.Gpu | None, clock: cuda_clock.Clock) -> None:
        """Begin."""
        self._gpu, self._clock = gpu, clock
        self._causes: set[str] = set()
        self._state: nvml.State | None = None
        self.resume()

    def resume(self) -> None:
        """Another visit begins."""
        self._clock.causes.clear()

    def pause(self) -> None:
        """A visit ends."""
        self._causes |= self._clock.causes
        self._state = self._gpu.state() if self._gpu else None

    def seen(self) -> dict[str, Any]:
        """What NVML told at the end of the last visit, and what throttled samples that were kept."""
        state = self._state
        return {
            "clock_hz": state and state.clock_hz,
            "temperature_c": state and state.temperature_c,
            "throttle": sorted(self._causes),
            "power_w": state and state.power_w,
            "load": None,
        }


class Cuda:
    """A GPU with its driver's answers and its counter of energy, where NVML tells them."""

    name = "cuda"
    matmul = gpu_matmul
    settle_seconds = 0.0  # nothing spins, and one pass over the data fills the cache
    resweep_seconds: float | None = 1.0

    def __init__(
        self, gpu: nvml.Gpu | None = None, meter: Meter | None = None, seed: int = 0
    ) -> None:
        """`gpu` is as NVML knows it; `seed` is of the arena's weights."""
        self.gpu, self.meter, self._seed = gpu, meter, seed
        self._throttle = gpu.throttle if gpu else lambda: ()
        self.clock = cuda_clock.Clock(self._throttle)

    def bytes_per_pass(self, kind: str, variant: Any, walk: Walk) -> int:
        """Of all sets at once, or set by set where each is walked several times in a row."""
        at_once = walk.one_set if walk.times > 1 else walk.sets * walk.one_set
        each = load(self.name, kind).bytes_per_pass(variant, at_once)
        return int(each * (walk.sets * walk.times if walk.times > 1 else 1))

    def probe(
        self, kind: str, variant: Any, block: Arena, walk: Walk
    ) -> tuple[Callable[[int], object], int]:
        """Over the sets at the block's start: one launch, or one for each set."""
        moved = self.bytes_per_pass(kind, variant, walk)
        size = walk.one_set if walk.times > 1 else walk.sets * walk.one_set
        starts = range(0, walk.sets * walk.one_set, size) if moved else ()
        words, count = block.words(), self._processors()
        runs = [
            load(self.name, kind).prepare(variant, words[at // 4 : (at + size) // 4], count)[0]
            for at in starts
        ]
        if len(runs) == 1:
            return lambda passes: runs[0](passes * walk.times), moved

        def passes(count: int) -> None:
            for _ in range(count):
                for run in runs:
                    run(walk.times)

        return passes, moved

    def roof_seconds(self, run: Callable[[int], object]) -> list[float]:
        """Of samples that nothing throttled."""
        return cuda_sweep.samples(run, self._throttle)

    def use(self, _threads: int) -> None:
        """A GPU's own; the reference is computed by all of the CPU's."""
        torch.set_num_threads(threads.available())

    def telemetry(self) -> Watch:
        """Begin to watch clock, heat, power and throttling."""
        return Watch(self.gpu, self.clock)

    def room(self) -> tuple[int, int]:
        """As of now: the sweep gave its block back."""
        free = self.memory_available()
        return free, free // MEMORY_SHARE

    def arena(self, size_bytes: int) -> Arena:
        """A new one."""
        return Arena(size_bytes, self.name, self._seed)

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

    def crowded(self, _threads: int) -> bool:
        """A GPU's do not."""
        return False

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

    def sweep(self, _asked: Sweep) -> Iterator[Finding]:
        """Read curve, datasheet, the other probes in each of its levels, products, calls; the block is given back."""
        l2 = self._l2_bytes()
        words = cuda_sweep.block(self.memory_available(), self.name, l2)
        sizes, count = cuda_sweep.sizes(words.numel() * 4, l2), self._processors()
        found = []
        for roof in cuda_sweep.memory(load(self.name, "read"), words, sizes, count, self._throttle):
            found.append(roof)
            yield roof
        if self.gpu:
            yield from cuda_sweep.datasheet(self.gpu.card())
        curve = self.curve(found, _asked)
        yield curve
        for one in probes(self.name, LEVELS):
            middles = list(curve.middles.values())
            yield from cuda_sweep.memory(one, words, middles, count, self._throttle)
        del words
        torch.cuda.empty_cache()
        limit = call_limit.Limit()
        yield from sweeps.products(self, NO_THREADS, 1, limit)
        yield from limit.warnings()
        yield from sweeps.calls(self, NO_THREADS)

    def resweep(self, _asked: Sweep, known: Sequence[Roof]) -> Iterator[Finding]:
        """The fastest products; the read curve is swept once, because a GPU has no neighbours."""
        yield from sweeps.fastest_once_more(self, known)

    def curve(self, roofs: Iterable[Roof], _asked: Sweep) -> Curve:
        """With the second-level cache that PyTorch tells."""
        return cuda_sweep.read_off(roofs, self._l2_bytes())

    def sentinel(self, arena: Arena, size_bytes: int) -> Roof:
        """Over no more than the arena holds."""
        words = arena.words()[: min(size_bytes, arena.size_bytes) // 4]
        return cuda_sweep.sentinel(words, self._processors(), self._throttle)

    def close(self) -> None:
        """Nothing was taken."""

    def _l2_bytes(self) -> int:
        """Of the second-level cache."""
        told = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0)
        return int(told or cuda_sweep.L2_BYTES)

    def _processors(self) -> int:
        """Streaming multiprocessors."""
        return int(torch.cuda.get_device_properties(0).multi_processor_count)
