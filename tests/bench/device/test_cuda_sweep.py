"""A GPU's survey, with a stand-in whose bandwidths, rates and launch times are known."""

from __future__ import annotations

import itertools
import sys
from types import SimpleNamespace

import pytest
import torch

from bench import roofs
from bench.device import cuda_sweep, sweeps
from bench.device.cuda import Cuda
from bench.roofs import gpu_call, gpu_matmul
from bench.timing import call_limit
from kernels.case import Unavailable
from tests.fake_cuda import FakeCuda

L2_BYTES, L2_RATE, MEMORY_RATE = 50 << 20, 9e12, 4.5e12


@pytest.fixture
def cuda(monkeypatch):
    found = FakeCuda(launch_seconds=2e-6)
    found.get_device_capability = lambda: (8, 0)
    monkeypatch.setattr(torch, "cuda", found)
    return found


@pytest.fixture
def probes(cuda, monkeypatch):
    """Memory probes of which one variant is good, and the other half as fast."""
    variants = (SimpleNamespace(name="good", share=1.0), SimpleNamespace(name="bad", share=0.5))

    def prepare(variant, words, _processors):
        size = words.numel() * 4
        rate = (L2_RATE if size <= L2_BYTES else MEMORY_RATE) * variant.share
        return (lambda passes: cuda.work(passes * size / rate)), None

    module = SimpleNamespace(
        KIND="read",
        UNIT="byte/s",
        VARIANTS=variants,
        bytes_per_pass=lambda _variant, size: size,
        prepare=prepare,
    )
    monkeypatch.setitem(sys.modules, "bench.roofs.gpu_read", module)
    return module


def no_throttle():
    return ()


def test_a_large_set_after_a_small_one_takes_as_long_as_samples_last(probes, cuda):
    """Not as many passes as the small one had: 6,000 of 4 GiB were four seconds each on an H200."""
    words = torch.empty(1 << 30, dtype=torch.int32, device="meta")
    found = list(cuda_sweep.memory(probes, words, [12 << 20, 4 << 30], 132, no_throttle))
    assert len(found) == 4
    assert cuda.gpu < 4 * 10 * cuda_sweep.SAMPLE_SECONDS * cuda_sweep.REPEATS


def test_the_read_curve_finds_both_levels_at_their_rates(probes):
    words = torch.empty(1 << 30, dtype=torch.int32, device="meta")
    sizes = cuda_sweep.sizes(4 << 30, L2_BYTES)
    roofs = list(cuda_sweep.memory(probes, words, sizes, 132, no_throttle))
    assert {roof.implementation for roof in roofs} == {"good", "bad"}
    assert all(len(roof.samples) == cuda_sweep.REPEATS for roof in roofs)
    l2, memory = cuda_sweep.read_off(roofs, L2_BYTES).levels
    assert (l2.name, memory.name, memory.up_to_bytes) == ("L2", "DRAM", None)
    assert l2.up_to_bytes == 48 << 20
    assert l2.bytes_per_s == pytest.approx(L2_RATE, rel=0.01)
    assert memory.bytes_per_s == pytest.approx(MEMORY_RATE, rel=0.01)


@pytest.mark.parametrize(
    ("l2_mib", "first_mib"), [(50, 4), (60, 4), (126, 4), (40, 4), (6, 1), (4, 1), (0.25, 1 / 16)]
)
def test_the_curve_begins_within_the_cache_and_ends_far_from_it(l2_mib, first_mib):
    l2_bytes = int(l2_mib * 2**20)
    found = cuda_sweep.sizes(4 << 30, l2_bytes)
    assert (found[0], found[-1]) == (first_mib * 2**20, 4 << 30)
    assert all(1.3 < b / a < 1.51 for a, b in itertools.pairwise(found))
    assert sum(size <= l2_bytes for size in found) >= 4


def shaped(l2_rate, memory_rate, flat_mib, l2_mib):
    """A read curve that rises a little at first, is flat up to some MiB, and falls until nothing is kept on chip."""

    def rate(size):
        mib = size / 2**20
        first = 0.94 if mib < 6 else 1.0
        kept = min(1.0, max(0.0, (2.6 * l2_mib - mib) / (2.6 * l2_mib - flat_mib)))
        return first / (kept / l2_rate + (1 - kept) / memory_rate)

    sizes = cuda_sweep.sizes(4 << 30, l2_mib << 20)
    return [
        SimpleNamespace(kind="read", working_set_bytes=size, counted=(rate(size),))
        for size in sizes
    ]


@pytest.mark.parametrize(
    ("l2_rate", "memory_rate", "flat_mib", "l2_mib"),
    [
        (5.5e12, 3.0e12, 26, 50),
        (6.4e12, 4.4e12, 30, 60),
        (5.6e12, 4.5e12, 40, 60),
        (4e12, 1.5e12, 19, 40),
    ],
)
def test_a_cache_of_two_partitions_is_one_level_and_memory_is_what_lies_far_behind_it(
    l2_rate, memory_rate, flat_mib, l2_mib
):
    curve = cuda_sweep.read_off(shaped(l2_rate, memory_rate, flat_mib, l2_mib), l2_mib << 20)
    l2, memory = curve.levels
    assert (l2.name, memory.name) == ("L2", "DRAM")
    assert l2.bytes_per_s == pytest.approx(l2_rate, rel=0.04)
    assert memory.bytes_per_s == pytest.approx(memory_rate, rel=0.01)
    assert flat_mib // 2 << 20 <= l2.up_to_bytes <= l2_mib << 20
    assert curve.last_cache == l2_mib << 20
    assert curve.span == 4 * l2_mib << 20
    assert curve.middles == {"L2": pytest.approx(12 << 20, rel=0.4), "DRAM": 4 << 30}


H100 = {
    4: 7.525, 6: 7.235, 8: 7.68, 12: 7.563, 16: 7.523, 24: 7.784, 32: 7.528, 48: 6.538, 64: 3.379, 96: 3.176,
    128: 3.155, 192: 3.138, 256: 3.133, 384: 3.125, 512: 3.116, 768: 3.107, 1024: 3.104, 1536: 3.096, 2048: 3.096,
    3072: 3.094, 4096: 3.096,
}  # fmt: skip
"""MiB and TB/s of the read curve of an H100 80GB HBM3 with 50 MiB of second-level cache, by an earlier probe."""


def test_the_curve_of_an_h100_has_its_cache_and_its_memory():
    measured = [
        SimpleNamespace(kind="read", working_set_bytes=mib << 20, counted=(rate * 1e12,))
        for mib, rate in H100.items()
    ]
    curve = cuda_sweep.read_off(measured, 50 << 20)
    l2, memory = curve.levels
    assert (l2.name, l2.up_to_bytes, memory.name) == ("L2", 48 << 20, "DRAM")
    assert l2.bytes_per_s == pytest.approx(7.5e12, rel=0.03)
    assert memory.bytes_per_s == pytest.approx(3.097e12, rel=0.002)
    assert curve.span == 200 << 20


def test_memory_is_what_lies_four_times_the_cache_away_where_no_more_is_free():
    some = [one for one in shaped(5.5e12, 3e12, 26, 50) if one.working_set_bytes <= 384 << 20]
    l2, memory = cuda_sweep.read_off(some, 50 << 20).levels
    assert (l2.name, memory.name) == ("L2", "DRAM")
    assert memory.bytes_per_s == pytest.approx(3e12, rel=0.001)


def test_a_gpu_with_little_free_memory_has_the_levels_that_its_curve_shows():
    few = [one for one in shaped(5.5e12, 3e12, 26, 50) if one.working_set_bytes <= 48 << 20]
    assert [level.name for level in cuda_sweep.read_off(few, 50 << 20).levels] == ["DRAM"]


def test_a_datasheets_bandwidth_is_no_part_of_the_curve(probes):
    words = torch.empty(1 << 22, dtype=torch.int32, device="meta")
    measured = list(cuda_sweep.memory(probes, words, [1 << 20, 1 << 24], 132, no_throttle))
    card = SimpleNamespace(datasheet_bytes_per_s=99e12)
    (told,) = cuda_sweep.datasheet(card)
    assert told.source == "datasheet"
    levels = cuda_sweep.read_off([*measured, told], L2_BYTES).levels
    assert max(level.bytes_per_s for level in levels) < 10e12
    assert not list(cuda_sweep.datasheet(SimpleNamespace(datasheet_bytes_per_s=None)))


def test_products_are_measured_in_every_dtype_that_the_gpu_has(cuda, monkeypatch):
    rate = 7e14

    def prepare(shape, _dtype):
        return lambda count: cuda.work(count * shape.flops / rate)

    monkeypatch.setattr(gpu_matmul, "prepare", prepare)
    roofs = list(sweeps.products(Cuda(), [0], 1, call_limit.Limit()))
    assert {roof.dtype for roof in roofs} == set(gpu_matmul.DTYPES) - {"float8"}
    assert max(roof.samples[0] for roof in roofs) == pytest.approx(rate, rel=1e-3)


def test_calls_are_those_of_launches_and_of_replays(cuda, monkeypatch):
    def lasting(seconds):
        return lambda _threads: lambda count: [cuda.work(seconds) for _ in range(count)]

    variants = {"empty launch": lasting(3e-6), "empty graph replay": lasting(1e-6)}
    monkeypatch.setattr(gpu_call, "VARIANTS", variants)
    launch, replay = sweeps.calls(Cuda(), [0])
    assert launch.samples[0] == pytest.approx(3e-6, rel=0.01)
    assert replay.samples[0] == pytest.approx(1e-6, rel=0.01)


def test_random_words_are_neither_zero_nor_infinite():
    words = cuda_sweep.block(16 << 20, "cpu", 6 << 20)
    floats = words.view(torch.float32)
    assert words.numel() * 4 == 4 << 20
    assert (floats.abs() >= 2**-7).all()
    assert (floats.abs() < 2**-4).all()
    assert len(words.unique()) > words.numel() // 2


def test_a_full_gpu_is_a_reason():
    with pytest.raises(Unavailable, match="1000 bytes are free"):
        cuda_sweep.block(1000, "cpu", 6 << 20)


def test_without_triton_there_is_a_reason(monkeypatch):
    for name in ("_triton", "gpu_read"):
        monkeypatch.delitem(sys.modules, f"bench.roofs.{name}", raising=False)
    monkeypatch.delattr("bench.roofs._triton", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(Unavailable, match="need Triton"):
        roofs.load("cuda", "read")
