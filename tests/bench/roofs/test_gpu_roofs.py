"""A GPU's arithmetic roofs and floors, on the CPU or with a stand-in: answers, FLOPs, settings left as they were."""

from __future__ import annotations

import pytest
import torch

from bench.roofs import gpu_call, gpu_matmul
from bench.roofs.gpu_matmul import DTYPES, SHAPES, Shape
from tests.fake_cuda import FakeCuda

SMALL = Shape(8, 24, 16)


@pytest.mark.parametrize("kind", [kind for kind in DTYPES if kind != "float8"])
def test_a_product_is_a_product(kind):
    found = gpu_matmul.prepare(SMALL, kind, "cpu")(2)
    generator = torch.Generator().manual_seed(0)
    dtype = DTYPES[kind][0]
    left, right = (
        torch.empty(size, 24).uniform_(-1, 1, generator=generator).to(dtype) for size in (8, 16)
    )
    assert found.dtype == dtype
    assert torch.allclose(found.double(), left.double() @ right.double().T, atol=0.05)


def test_flops_are_two_for_each_multiply_add():
    assert SMALL.flops == 2 * 8 * 24 * 16
    assert all(shape.flops >= 1e11 for shape in SHAPES)


@pytest.mark.parametrize(("kind", "wanted"), [("float32", "ieee"), ("tf32", "tf32")])
def test_tf32_is_asked_for_while_it_runs_and_not_afterwards(kind, wanted, monkeypatch):
    settings = torch.backends.cuda.matmul
    before, seen = settings.fp32_precision, []
    mm = torch.mm

    def watched(*arguments, **named):
        seen.append(settings.fp32_precision)
        return mm(*arguments, **named)

    monkeypatch.setattr(torch, "mm", watched)
    gpu_matmul.prepare(SMALL, kind, "cpu")(3)
    assert seen == [wanted] * 3
    assert settings.fp32_precision == before


@pytest.mark.parametrize(("capability", "there"), [((8, 0), False), ((8, 9), True), ((9, 0), True)])
def test_float8_is_multiplied_where_the_gpu_has_it(capability, there, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert gpu_matmul.variants("float8") == (SHAPES if there else ())
    assert gpu_matmul.variants("float16") == SHAPES


def test_a_floor_is_as_many_launches_as_asked_or_as_many_replays(monkeypatch):
    monkeypatch.setattr(torch, "cuda", FakeCuda())
    replays = []
    monkeypatch.setattr(
        gpu_call.graphs, "captured", lambda call: (lambda: replays.append(call()), ())
    )
    gpu_call.launches(0, "cpu")(5)
    assert not replays
    gpu_call.replays(0, "cpu")(5)
    assert len(replays) == 5
    assert float(replays[-1][0]) == 5.0
