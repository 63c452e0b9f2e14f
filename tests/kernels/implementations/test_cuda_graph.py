"""PyTorch's cell in a CUDA graph: what is recorded and replayed, with a stand-in for torch.cuda."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kernels import implementations
from kernels.case import CELLS, Case, Unavailable
from kernels.gpu import graphs
from kernels.implementations import cuda_graph, torch_cell
from kernels.reference import cells, check
from kernels.reference.inputs import Arena, draw, set_bytes
from tests.fake_cuda import FakeCuda

CASE = Case("lstm", 8, 6, 2, device="cuda", threads=0)


def test_a_call_is_warmed_up_on_another_stream_and_then_recorded(monkeypatch):
    cuda = FakeCuda()
    monkeypatch.setattr(torch, "cuda", cuda)
    answers = iter("abcdefg")
    replay, answer = graphs.captured(lambda: next(answers), times=2)
    assert answer == "abcdefg"[graphs.WARM_UPS + 1]
    assert cuda.log == [
        "side waits for current",
        "on side",
        "off side",
        "current waits for side",
        "record",
        "recorded",
    ]
    assert callable(replay)


def test_more_graphs_than_are_recorded_are_a_reason(monkeypatch):
    monkeypatch.setattr(torch, "cuda", FakeCuda())
    with pytest.raises(Unavailable, match="65 CUDA graphs, more than 64"):
        cuda_graph.prepare(CASE, [()] * 65, [])


def test_each_pair_is_recorded_apart_and_a_step_is_a_replay(monkeypatch):
    bound, recorded = [], []
    monkeypatch.setattr(torch, "cuda", FakeCuda())
    monkeypatch.setattr(
        torch_cell, "prepare", lambda *_: lambda w, i: bound.append((w, i)) or bound[-1]
    )

    def captured(call, pool):
        assert pool == "pool"
        recorded.append(call)
        return (lambda: recorded.append(f"replay {call}")), (call,)

    monkeypatch.setattr(graphs, "captured", captured)
    bind = cuda_graph.prepare(CASE, [], [])
    one, other = bind(0, 1), bind(1, 2)
    assert one() == ((0, 1),)
    assert other() == ((1, 2),)
    assert recorded == [(0, 1), (1, 2), "replay (0, 1)", "replay (1, 2)"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"device": "cpu"}, "not cpu"),
        ({"phase": "train"}, "not train"),
        ({"dtype": "int8"}, "not int8 x float32"),
        ({"dtype": "float8"}, "not float8 x float32"),
        ({"steps": 2}, "not 2"),
    ],
)
def test_what_it_cannot_compute_is_a_reason(words, reason):
    assert cuda_graph.SUPPORTS.unavailable(CASE) is None
    assert reason in cuda_graph.SUPPORTS.unavailable(replace(CASE, **words))


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["torch_cell", "torch_gates", "cuda_graph"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("part", ["cell", "linear", "pointwise"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_on_a_card_it_agrees_with_the_reference(card, name, cell, part, dtype):
    implementation = implementations.load(name)
    case = Case(cell, 96, 72, 3, part=part, dtype=dtype, activations=dtype, device=card, threads=0)
    layout = implementation.layout(case)
    sets = Arena(2 * set_bytes(layout, dtype), card, 0).sets(layout, dtype, 2)
    inputs = draw(case, torch.Generator(device=card).manual_seed(0))
    with torch.inference_mode():
        step = implementation.prepare(case, sets, inputs)(1, 2)
        for _ in range(2):
            answer = step()
            weights = implementation.canonical(case, sets[1])
            right = cells.reference(case, inputs[2], weights)
            assert check.error(case, answer, right) <= check.tolerance(case)
            check.poison(answer)
