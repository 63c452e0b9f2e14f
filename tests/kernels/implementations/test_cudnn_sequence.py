"""cuDNN's sequences without a GPU: when they are no cuDNN's, and how exact they may be."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from kernels.case import CELLS, Case
from kernels.implementations import cudnn_sequence, torch_sequence
from kernels.reference import cells, check
from kernels.reference.inputs import TORCH_DTYPES, Arena, draw, set_bytes

CASE = Case(
    "lstm", 8, 6, 2, dtype="bfloat16", activations="bfloat16", device="cuda", threads=0, steps=4
)


@pytest.fixture
def pytorch(monkeypatch):
    """A PyTorch with a GPU; the types and the version of its cuDNN can be set."""
    empty = torch.empty
    told = SimpleNamespace(types=set(TORCH_DTYPES.values()), version=91501)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", lambda size, **named: empty(size, dtype=named["dtype"]))
    monkeypatch.setattr(torch, "cudnn_is_acceptable", lambda tensor: tensor.dtype in told.types)
    monkeypatch.setattr(torch.backends.cudnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: told.version)
    return told


def test_what_pytorch_gives_to_cudnn_is_measured(pytorch):  # noqa: ARG001 - for what it patches
    assert cudnn_sequence.SUPPORTS.unavailable(CASE) is None
    for dtype in ("float32", "float16"):
        other = replace(CASE, dtype=dtype, activations=dtype)
        assert cudnn_sequence.SUPPORTS.unavailable(other) is None
    eighth = replace(CASE, dtype="float8")
    assert "not float8 x bfloat16" in cudnn_sequence.SUPPORTS.unavailable(eighth)


def test_float16_is_an_older_cudnns_too(pytorch):
    pytorch.version = 8000
    other = replace(CASE, dtype="float16", activations="float16")
    assert cudnn_sequence.SUPPORTS.unavailable(other) is None


def test_bfloat16_that_pytorch_computes_by_its_own_steps_is_not_called_cudnns(pytorch):
    pytorch.version = 91200
    assert "no sequences of bfloat16 by cuDNN" in cudnn_sequence.SUPPORTS.unavailable(CASE)
    pytorch.version = 91300
    assert cudnn_sequence.SUPPORTS.unavailable(CASE) is None
    pytorch.types.remove(torch.bfloat16)  # as PyTorch before 2.10
    assert "no sequences of bfloat16 by cuDNN" in cudnn_sequence.SUPPORTS.unavailable(CASE)


@pytest.mark.parametrize(
    ("dtype", "tf32"), [("float32", False), ("bfloat16", True), ("float16", True)]
)
def test_float32_is_not_rounded_to_tf32_and_the_setting_is_as_before(monkeypatch, dtype, tf32):
    case = replace(CASE, dtype=dtype, activations=dtype, device="cpu", threads=1)
    layout = cudnn_sequence.layout(case)
    sets = Arena(set_bytes(layout, dtype), "cpu", 0).sets(layout, dtype, 1)
    allowed = []

    def lstm(x, state, *_others):
        allowed.append(torch.backends.cudnn.allow_tf32)
        return x, *state

    monkeypatch.setitem(torch_sequence._CALLS, "lstm", lstm)
    monkeypatch.setattr(torch, "_cudnn_rnn_flatten_weight", lambda *_arguments: None)
    before = torch.backends.cudnn.allow_tf32
    cudnn_sequence.prepare(case, sets, draw(case, torch.Generator().manual_seed(0)))(0, 1)()
    assert allowed == [tf32]
    assert torch.backends.cudnn.allow_tf32 == before


@pytest.mark.gpu
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("sizes", [(8, 8, 1, 3), (96, 72, 3, 5), (768, 768, 16, 25)])
def test_on_a_card_every_step_agrees_with_the_reference(card, cell, dtype, sizes):
    H, I, B, T = sizes  # noqa: E741 - the method's own letters
    words = {"dtype": dtype, "activations": dtype, "device": card, "threads": 0}
    case = Case(cell, H, I, B, **words, steps=T)
    if reason := cudnn_sequence.SUPPORTS.unavailable(case):
        pytest.skip(reason)
    layout = cudnn_sequence.layout(case)
    sets = Arena(2 * set_bytes(layout, dtype), card, 0).sets(layout, dtype, 2)
    inputs = draw(case, torch.Generator(device=card).manual_seed(0))
    with torch.inference_mode():
        answer = cudnn_sequence.prepare(case, sets, inputs)(1, 2)()
    weights = cudnn_sequence.canonical(case, sets[1])
    right = cells.reference(case, inputs[2], weights)
    assert check.error(case, answer, right) <= check.tolerance(case)
