"""A GPU for whole runs: tensors of the CPU that pose as a GPU's, and a stand-in for torch.cuda that tells real time.

The code that is run is that of a real GPU; what it computes on is not. Memory probes are the CPU's sums, because Triton
is an extra and its kernels have tests of their own.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from functools import partial
from time import perf_counter
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch.overrides import TorchFunctionMode

from bench import roofs
from bench.device import cuda_sweep
from bench.roofs import gpu_matmul
from bench.telemetry import energy
from bench.timing import call_limit, cuda_clock
from tests import fake_nvml

L2_BYTES = 256 << 10
TILE_BYTES = 512
MEMORY_PROBES = ("read", "copy", "triad", "write")
LOST = "CUDA error: an illegal memory access was encountered"


class Variant(NamedTuple):
    """Of a probe."""

    name: str


class OnTheCpu(TorchFunctionMode):
    """Whatever is to be made on a GPU is made on the CPU."""

    def __torch_function__(self, function, types, arguments=(), named=None):
        named = dict(named or {})
        if "device" in named:
            named["device"] = at(named["device"])
        return function(*arguments, **named)


def at(device):
    return "cpu" if str(device).startswith("cuda") else device


class Cuda:
    """What this project asks of torch.cuda. `lost` makes every wait fail, as after an illegal access."""

    def __init__(self):
        self.lost = False
        self.count = 1
        self.free = 64 << 20

    def is_available(self):
        return True

    def device_count(self):
        return self.count

    def get_device_properties(self, _device):
        return SimpleNamespace(
            name="NVIDIA H200",
            multi_processor_count=4,
            L2_cache_size=L2_BYTES,
            total_memory=150 << 30,
            uuid=fake_nvml.UUID,
        )

    def get_device_capability(self):
        return 8, 0

    def mem_get_info(self):
        return self.free, 150 << 30

    def memory_reserved(self):
        return 0

    def memory_allocated(self):
        return 0

    def empty_cache(self):
        pass

    def synchronize(self):
        if self.lost:
            raise RuntimeError(f"{LOST}\nCUDA kernel errors might be reported elsewhere")

    def _sleep(self, _cycles):
        self.synchronize()

    def Event(self, enable_timing=False):  # noqa: N802 - torch's name
        assert enable_timing
        return _Event(self)

    def Stream(self):  # noqa: N802
        return SimpleNamespace(wait_stream=lambda _other: None)

    current_stream = Stream

    @contextmanager
    def stream(self, _stream):
        yield

    def CUDAGraph(self):  # noqa: N802
        return SimpleNamespace(replay=lambda: None)

    @contextmanager
    def graph(self, _graph, pool=None):  # noqa: ARG002
        yield


class _Event:
    def __init__(self, cuda):
        self._cuda = cuda

    def record(self):
        self.at = perf_counter()

    def query(self):
        return False

    def synchronize(self):
        self._cuda.synchronize()

    def elapsed_time(self, end):
        return 1e3 * (end.at - self.at)


def _bytes_per_pass(_variant, size):
    return size // TILE_BYTES * TILE_BYTES


def _probe(kind, variant, words, _processors):
    if not _bytes_per_pass(variant, 4 * len(words)):
        raise ValueError("too few bytes, as the true one says")
    half = len(words) // 2
    others = {"write": lambda: words.fill_(7), "copy": lambda: words[:half].copy_(words[half:])}
    once = others.get(kind, words.sum)

    def run(passes):
        for _ in range(passes):
            once()

    return run, None


def pose(patch, **nvml):
    """Put the GPU in, its driver answering as told; returns what stands in for torch.cuda."""
    cuda = Cuda()
    make_generator = torch.Generator
    patch.setattr(torch, "cuda", cuda)
    patch.setattr(torch.version, "cuda", "13.0")
    patch.setattr(torch, "Generator", lambda device="cpu": make_generator(device=at(device)))
    patch.setitem(sys.modules, "pynvml", fake_nvml.library(**nvml))
    for turn, kind in enumerate(MEMORY_PROBES):
        probe = SimpleNamespace(
            SWEPT=roofs.LEVELS if turn else roofs.CURVE,
            TURN=turn,
            KIND=kind,
            UNIT="byte/s",
            VARIANTS=(Variant("of the CPU"),),
            bytes_per_pass=_bytes_per_pass,
            prepare=partial(_probe, kind),
        )
        patch.setitem(sys.modules, f"bench.roofs.gpu_{kind}", probe)
    patch.setattr(gpu_matmul, "SHAPES", (gpu_matmul.Shape(64, 64, 64),))
    patch.setitem(energy.LEAST_SECONDS, "cuda", 0.001)
    patch.setattr(energy, "GPU_MOVES_SECONDS", 0.001)
    # on a busy machine the library's products of these 64 rows take what a GPU's take of thousands
    patch.setattr(call_limit, "MOST_CALL_SECONDS", 60.0)
    patch.setattr(cuda_sweep, "SMALLEST", 32 << 10)
    patch.setattr(cuda_sweep, "LARGEST", 4 << 20)
    patch.setattr(cuda_sweep, "SAMPLE_SECONDS", 1e-4)
    patch.setattr(cuda_clock.Clock, "SAMPLE_SECONDS", 2e-4)
    mode = OnTheCpu()
    mode.__enter__()
    return cuda, mode
