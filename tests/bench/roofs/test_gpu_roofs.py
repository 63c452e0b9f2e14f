"""A GPU's arithmetic roofs and floors, on the CPU or with a stand-in: answers, FLOPs, settings left as they were."""

from __future__ import annotations

import pytest
import torch

from bench.roofs import gpu_call, gpu_matmul
from bench.roofs.gpu_matmul import KINDS, SHAPES, Shape
from kernels.case import Unavailable
from tests.fake_cuda import FakeCuda

SMALL = Shape(8, 24, 16)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "float8"])
def test_a_product_is_a_product(kind):
    found = gpu_matmul.prepare(kind, SMALL, "cpu")(2)
    generator = torch.Generator().manual_seed(0)
    dtype = KINDS[kind][0]
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
    gpu_matmul.prepare(kind, SMALL, "cpu")(3)
    assert seen == [wanted] * 3
    assert settings.fp32_precision == before


def test_float8_without_a_gpu_that_has_it_is_a_reason(monkeypatch):
    with pytest.raises(Unavailable, match="the device is a cpu"):
        gpu_matmul.prepare("float8", SMALL, "cpu")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 0))
    with pytest.raises(Unavailable, match=r"8\.9 or newer"):
        gpu_matmul.prepare("float8", SMALL, "cuda")


def test_a_floor_is_as_many_launches_as_asked_or_as_many_replays(monkeypatch):
    monkeypatch.setattr(torch, "cuda", FakeCuda())
    replays = []
    monkeypatch.setattr(
        gpu_call.graphs, "captured", lambda call: (lambda: replays.append(call()), ())
    )
    launches = gpu_call.prepare("empty launch", "cpu")
    launches(5)
    assert not replays
    gpu_call.prepare("empty graph replay", "cpu")(5)
    assert len(replays) == 5
    assert float(replays[-1][0]) == 5.0
