"""A sequence in one launch: interpreted with one program, compiled ahead of time; and on a GPU, if there is one."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from kernels.case import CELLS, GATE_SUMS, GATES, Case
from kernels.reference import cells, check
from kernels.reference.inputs import Arena, draw
from tests.kernels import ahead
from tests.kernels.gpu import NO_SEQUENCE_ON_CHIP

pytest.importorskip("triton", reason=ahead.NO_TRITON)
from kernels.gpu import persistent
from kernels.gpu.persistent import WARPS
from kernels.implementations import _gpus, triton_persistent

H200_PROCESSORS = 132


answers = ahead.interpreting("sequence persistent")


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_interpreted_every_step_agrees_with_the_reference(answers, cell):
    found = [one for one in answers if (one["kernel"], one["cell"]) == ("sequence", cell)]
    assert {one["steps"] for one in found} == {1, 4}
    assert len(found) == 10
    assert not [one for one in found if not one["error"] <= one["tolerance"]]


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_interpreted_the_implementation_answers_as_the_reference(answers, cell):
    found = [one for one in answers if (one["kernel"], one["cell"]) == ("persistent", cell)]
    assert {one["steps"] for one in found} == {3, 5}
    assert not [one for one in found if not one["error"] <= one["tolerance"]]


def test_the_counter_of_arrivals_is_left_as_it_was(answers):
    assert {one["counter"] for one in answers if one["kernel"] == "sequence"} == {0}


@pytest.mark.parametrize(("words", "reason"), NO_SEQUENCE_ON_CHIP)
def test_what_the_implementation_cannot_compute_is_a_reason(words, reason):
    good = replace(case_of("lstm", 256, 1, "bfloat16"), steps=8)
    assert triton_persistent.SUPPORTS.unavailable(good) is None
    assert reason in triton_persistent.SUPPORTS.unavailable(replace(good, **words))


def test_too_large_a_u_or_too_old_a_gpu_is_a_reason(monkeypatch):
    properties = SimpleNamespace(multi_processor_count=H200_PROCESSORS)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    large = replace(case_of("lstm", 4096, 1, "bfloat16"), steps=8)
    assert "does not fit on the chip" in triton_persistent.SUPPORTS.unavailable(large)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    assert "8.0 or newer is needed" in triton_persistent.SUPPORTS.unavailable(large)


CASES = (
    ("lstm", 1024, 1, "bfloat16"),
    ("lstm", 1024, 16, "bfloat16"),
    ("gru", 768, 8, "bfloat16"),
    ("rnn", 1024, 1, "float32"),
)


def case_of(cell, hidden, batch, dtype, device="cuda"):
    return Case(
        cell, hidden, hidden, batch, dtype=dtype, activations=dtype, device=device, threads=0
    )


@pytest.mark.slow
@pytest.mark.parametrize(("case", "capability"), ahead.chosen(CASES, 1))
def test_compiled_ahead_it_keeps_u_on_the_chip(capability, case, tmp_path, monkeypatch):
    cell, hidden, batch, dtype = case
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    case = case_of(cell, hidden, batch, dtype)
    assert persistent.too_large(case, H200_PROCESSORS) is None
    how = persistent.cut(case, H200_PROCESSORS)
    tensors = ("U", "b_w", "b_u", "from_x", "h", "c", "out", "c_new")
    arguments = {
        **dict.fromkeys(tensors, dtype),
        "arrived": "int32",
        "B": batch,
        "H": hidden,
        "T": 256,
        "programs": how.blocks(case.hidden),
    }
    taken = ahead.compiled(
        persistent.sequence,
        arguments,
        persistent.constants(case, how),
        capability,
        tmp_path,
        num_warps=persistent.WARPS,
        enable_fp_fusion=True,
        launch_cooperative_grid=True,
    )
    assert taken.spilled <= 16  # of its loop's own variables, on one of the three
    if batch == 1:
        # a sum is one warp's, and no weight changes its thread: else a step waits for that as long as it may last
        assert taken.shared <= 64
        assert taken.ptx.count("shfl.sync") <= 5 * GATE_SUMS[cell] * max(1, how.units // WARPS)
    assert taken.registers * 32 * persistent.WARPS <= 65536
    assert taken.shared <= 163 << 10  # what the smallest of the three has


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden", [1, 100, 768, 1024, 2048])
@pytest.mark.parametrize("processors", [1, 108, 132, 148])
def test_there_are_never_more_programs_than_processors_or_it_does_not_fit(cell, hidden, processors):
    case = case_of(cell, hidden, 1, "bfloat16")
    how = persistent.cut(case, processors)
    assert how.blocks(hidden) * how.units >= hidden
    assert how.k >= hidden
    assert how.blocks(hidden) <= processors


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (case_of("lstm", 4096, 1, "bfloat16"), "does not fit on the chip"),
        (case_of("lstm", 1024, 17, "bfloat16"), "16 sequences at most, not 17"),
        (case_of("lstm", 256, 2, "float32"), "products of bfloat16, not float32"),
    ],
)
def test_what_does_not_fit_is_a_reason(case, reason):
    assert reason in persistent.too_large(case, H200_PROCESSORS)


@pytest.mark.gpu
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("hidden", "batch"), [(37, 1), (1024, 1), (300, 5), (768, 16)])
def test_on_a_card_every_step_agrees_with_the_reference(card, cell, hidden, batch):
    T = 64
    case = case_of(cell, hidden, batch, "bfloat16", card)
    rows = GATES[cell] * hidden
    layout = ((rows, hidden), (rows, hidden), (rows,), (rows,))
    weights = cells.Weights(*Arena(64 << 20, card, 0).sets(layout, "bfloat16", 1)[0])
    first = draw(case, torch.Generator(device=card).manual_seed(0))[0]
    x = torch.rand(T, batch, hidden, device=card).mul_(2).sub_(1).to(first.h.dtype)
    from_x = x.float() @ weights.W.float().T
    out, c_new = x.new_empty(T, batch, hidden), torch.empty_like(first.h)
    arrived = torch.zeros(1, dtype=torch.int32, device=card)
    processors = _gpus.processors(x.device)
    for _ in range(2):
        check.poison((out, c_new))
        persistent.run(case, weights, from_x, first.h, first.c, out, c_new, arrived, processors)
        assert int(arrived) == 0
        state = first
        for t in range(T):
            new = cells.reference(case, state._replace(x=x[t]), weights)
            assert check.error(case, (out[t],), new[:1]) <= check.tolerance(case), t
            state = state._replace(h=out[t], c=new[1] if cell == "lstm" else state.c)
