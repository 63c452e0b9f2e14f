"""A probe that would take too long a call is never called, and told; what can be measured is."""

from __future__ import annotations

import time

import pytest
import torch

from bench import roofs
from bench.device import cpu_sweep, sweeps
from bench.device.cpu import Cpu
from bench.device.cuda import Cuda
from bench.roofs import gpu_matmul, matmul, read, write
from bench.timing import call_limit, rounds
from tests.fake_cuda import FakeCuda


@pytest.fixture
def slow_bfloat16(monkeypatch):
    """A library whose bfloat16 products run at a hundredth of a GFLOP/s; sizes called, by dtype."""
    called = {"float32": set(), "bfloat16": set()}

    def prepare(shape, dtype):
        def run(count):
            called[dtype].add(shape)
            time.sleep(count * shape.flops / 5e8 if dtype == "bfloat16" else 1e-6)

        return run

    monkeypatch.setattr(Cpu, "use", lambda _self, _count: None)
    monkeypatch.setattr(cpu_sweep, "SAMPLE_SECONDS", 1e-6)
    monkeypatch.setattr(matmul, "variants", lambda dtype: matmul.SHAPES * (dtype != "int8"))
    monkeypatch.setattr(matmul, "prepare", prepare)
    return called


def test_a_product_that_takes_too_long_is_left_out_unseen_and_told(slow_bfloat16):
    limit = call_limit.Limit()
    found = list(sweeps.products(Cpu(), [2], 1, limit))
    assert {(roof.dtype, roof.implementation) for roof in found} == {
        ("float32", shape.name) for shape in matmul.SHAPES
    }
    assert set(matmul.SHAPES) <= slow_bfloat16["float32"]
    assert not slow_bfloat16["bfloat16"] & set(matmul.SHAPES)
    assert all(64 * shape.flops <= 2 * 1024**3 for shape in slow_bfloat16["bfloat16"])
    (warning,) = limit.warnings()
    assert (warning.code, warning.about) == (call_limit.LEFT_OUT, "run")
    assert all(shape.name in warning.message for shape in matmul.SHAPES)
    assert "bfloat16" in warning.message
    assert "float32" not in warning.message


def test_the_first_call_of_a_small_product_prepares_and_does_not_count():
    took = iter([0.9, 1e-4])
    limit = call_limit.Limit()
    limit.tried("product", 1.0, lambda _count: time.sleep(next(took) / 100), rounds.cpu_clock)
    assert limit.allows("product", 64.0, "products", "large")
    assert limit.warnings() == []


def test_memory_that_takes_too_long_is_walked_as_far_as_it_does_not(monkeypatch):
    """At 1 MB/s a pass over 1 MiB is a second's; what is larger is left out, of every probe."""
    walked = []

    def prepared(kind):
        def prepare(_variant, _address, size, count):
            walked.append((kind, size, count))
            return size

        return prepare

    monkeypatch.setattr(cpu_sweep.threads, "use", lambda _count: None)
    monkeypatch.setattr(roofs, "probes", lambda *_: [write])
    for probe in (read, write):
        monkeypatch.setattr(probe, "prepare", prepared(probe.KIND))
    monkeypatch.setattr(rounds, "best", lambda contender, times, *_: [contender.run / 1e6] * times)
    monkeypatch.setattr(rounds, "again", lambda contender, _calls: contender.run / 1e6)
    monkeypatch.setattr(rounds, "glance", lambda size, _: size / 1e6)
    limit = call_limit.Limit()
    curve = list(cpu_sweep.read_curve(0, 8 << 20, 4096, [1, 2], thorough=False, limit=limit))
    assert {roof.working_set_bytes for roof in curve} == set(
        cpu_sweep.sizes(1 << 19, thorough=False)
    )
    assert {roof.threads for roof in curve} == {1, 2}
    found = list(cpu_sweep.within_levels(0, [1 << 16, 1 << 19, 1 << 22], 4096, [1], 1, limit))
    assert {roof.working_set_bytes for roof in found} == {1 << 16, 1 << 19}
    assert max(size for _kind, size, _count in walked) == 1 << 19
    (warning,) = limit.warnings()
    assert "4 MiB" in warning.message


def test_a_gpus_products_are_bounded_alike(monkeypatch):
    cuda = FakeCuda(launch_seconds=2e-6)
    cuda.get_device_capability = lambda: (8, 0)
    monkeypatch.setattr(torch, "cuda", cuda)
    called = set()

    def prepare(shape, dtype):
        def run(count):
            called.add((dtype, shape))
            cuda.work(count * shape.flops / (1e11 if dtype == "bfloat16" else 1e15))

        return run

    monkeypatch.setattr(gpu_matmul, "prepare", prepare)
    limit = call_limit.Limit()
    found = list(sweeps.products(Cuda(), [0], 1, limit))
    assert {roof.dtype for roof in found} == set(gpu_matmul.DTYPES) - {"float8", "bfloat16"}
    assert not called & {("bfloat16", shape) for shape in gpu_matmul.SHAPES}
    assert "bfloat16 products" in limit.warnings()[0].message


def test_one_variant_that_was_held_up_costs_no_roof():
    """A glance at a small block that lasted a time slice of others', or compiled, tells nothing of the machine."""
    limit = call_limit.Limit()
    for seconds in (1.3, 2e-6, 1e-6):
        limit.record("write", 1 << 15, seconds)
    assert limit.allows("write", 1 << 28, "write", "256 MiB")
    limit.record("write", 1 << 28, 10.0)
    assert limit.allows("write", 1 << 28, "write", "256 MiB"), "the others of this size have turns"
    assert not limit.allows("write", 1 << 29, "write", "512 MiB")
    assert limit.warnings()


def test_a_glance_does_not_time_the_call_that_compiles():
    took = iter([0.2, 1e-4, 1e-4])
    each = rounds.glance(lambda _count: time.sleep(next(took, 1e-4)), 1e-5)
    assert each < 0.1
