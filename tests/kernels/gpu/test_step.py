"""The step in Triton: interpreted against the reference, compiled ahead of time; and on a GPU, if there is one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from kernels.case import CELLS, DTYPES, ELEMENT_BYTES, GATE_SUMS, QUANTISED, Case
from kernels.reference import cells, check
from kernels.reference.inputs import Arena, draw, set_bytes
from tests.kernels import ahead, machine_code

pytest.importorskip("triton", reason=ahead.NO_TRITON)
from kernels.gpu import many_sequences, step
from kernels.implementations import triton_fused

GOOD = Case(
    "lstm", 1024, 1024, 1, dtype="bfloat16", activations="bfloat16", device="cuda", threads=0
)
H200_PROCESSORS = 132
UNDER_WAY = round(4.8e12 / H200_PROCESSORS * 0.8e-6)
"""Bytes for which a processor of an H200 must wait at any time, at 0.8 us from asking to arrival (Little's law)."""


answers = ahead.interpreting("fused whole_tiles")


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_interpreted_it_agrees_with_the_reference_at_odd_shapes(answers, cell):
    found = [one for one in answers if one["cell"] == cell and not one["even"]]
    assert len({one["case"] for one in found}) >= (20 if ahead.EVERY else 8)
    assert {one["dtype"] for one in found} == set(DTYPES)
    wrong = [one for one in found if not one["error"] <= one["tolerance"]]
    assert not wrong


@pytest.mark.slow
def test_interpreted_it_agrees_with_the_reference_where_tiles_divide_the_sizes(answers):
    found = [one for one in answers if one["even"]]
    assert {(one["cell"], one["dtype"]) for one in found} == set(itertools.product(CELLS, DTYPES))
    assert not [one for one in found if not one["error"] <= one["tolerance"]]


def test_some_of_them_share_blocks_between_programs_and_some_do_not(answers):
    assert {one["parts"] > 1 for one in answers} == {True, False}


SHARED = {80: 163 << 10, 90: 227 << 10, 100: 227 << 10}
"""Bytes of shared memory of a program, at the most, by compute capability: CUDA's programming guide."""
WIDE = (
    ("lstm", 4096, 64, "bfloat16", "bfloat16"),
    ("gru", 4096, 64, "float16", "float16"),
    ("lstm", 4096, 64, "float32", "float32"),
    ("lstm", 4096, 64, "int8", "float32"),
    ("lstm", 4096, 64, "bfloat16", "float32"),
)
CASES = (
    ("lstm", 1, "bfloat16", "bfloat16"),
    ("rnn", 1, "float32", "float32"),
    ("lstm", 64, "bfloat16", "bfloat16"),
    ("lstm", 64, "float32", "float32"),
    ("rnn", 8, "bfloat16", "float32"),
    ("lstm", 64, "bfloat16", "float32"),
    ("gru", 1, "int8", "float32"),
    ("gru", 64, "int8", "float32"),
    ("lstm", 1, "float16", "float16"),
    ("lstm", 8, "float16", "float16"),
    ("lstm", 1, "float8", "bfloat16"),
    ("gru", 8, "float8", "bfloat16"),
)


def compiled(case, how, capability, tmp_path, monkeypatch):
    """What the kernel takes on a GPU for a case that is cut so."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    beside = "float32" if case.dtype in QUANTISED else case.dtype
    arguments = {
        **dict.fromkeys(("W", "U"), case.dtype),
        **dict.fromkeys(("b_w", "b_u", "scale_w", "scale_u"), beside),
        **dict.fromkeys(("x", "h", "c", "h_new", "c_new"), case.activations),
        "partial": "float32",
        "arrived": "int32",
        "B": case.batch,
        "I": case.input,
        "H": case.hidden,
    }
    constants, options = step.constants(case, how), step.options(how)
    return ahead.compiled(step.step, arguments, constants, capability, tmp_path, **options)


def of(cell, hidden, batch, dtype, activations):
    words = {"dtype": dtype, "activations": activations, "device": "cuda", "threads": 0}
    return Case(cell, hidden, hidden, batch, **words)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "capability"), ahead.chosen(CASES, 1))
def test_compiled_ahead_its_loops_spill_nothing_and_leave_room_for_a_second_program(
    capability, case, tmp_path, monkeypatch
):
    cell, batch, dtype, activations = case
    if dtype == "float8" and capability < 89:
        pytest.skip("Triton has no float8 for GPUs older than 8.9")
    case = of(cell, 1024, batch, dtype, activations)
    room = SHARED[capability]
    how = step.cut(case, H200_PROCESSORS, shared=room, overlap=capability >= 90)
    taken = compiled(case, how, capability, tmp_path, monkeypatch)
    # for 10.0 eight words at the most lie in memory from before the products until after them
    assert taken.spilled <= (32 if capability == 100 else 0)
    inner = machine_code.loops(taken.sass)[:1]  # none, of few tiles
    assert not any({"LDL", "STL"} & loop.names for loop in inner)
    assert taken.registers * 32 * how.warps <= 65536 // 2
    assert taken.shared <= (room + 1024) // 2 - 1024
    assert "cp.async" in taken.ptx or "bulk" in taken.ptx
    assert ("mma" in taken.ptx) == (batch > 1)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "capability"), ahead.chosen(WIDE, 1))
def test_a_large_step_of_64_sequences_fits_one_program_and_spills_nothing(
    capability, case, tmp_path, monkeypatch
):
    case = of(*case)
    how = step.cut(case, H200_PROCESSORS, shared=SHARED[capability], overlap=capability >= 90)
    taken = compiled(case, how, capability, tmp_path, monkeypatch)
    assert taken.spilled == 0
    assert SHARED[capability] / 4 < taken.shared <= SHARED[capability]


LARGE = (
    ("lstm", 4096, 1, "bfloat16", "bfloat16"),
    ("lstm", 4096, 8, "bfloat16", "bfloat16"),
    ("lstm", 4096, 1, "float8", "bfloat16"),
    ("gru", 4096, 1, "bfloat16", "bfloat16"),
    ("rnn", 4096, 1, "bfloat16", "bfloat16"),
    ("lstm", 4096, 4, "bfloat16", "bfloat16"),
    ("lstm", 4096, 16, "bfloat16", "bfloat16"),
    ("lstm", 4096, 64, "bfloat16", "bfloat16"),
    ("lstm", 4096, 1, "float16", "float16"),
    ("lstm", 4096, 8, "float8", "bfloat16"),
    ("lstm", 4096, 1, "int8", "float32"),
    ("lstm", 4096, 8, "int8", "float32"),
    ("lstm", 4096, 1, "float32", "float32"),
    ("lstm", 4096, 8, "float32", "float32"),
    ("lstm", 4096, 1, "bfloat16", "float32"),
)


@pytest.mark.slow
@pytest.mark.parametrize("words", LARGE if ahead.EVERY else LARGE[:3])
def test_a_large_step_has_enough_bytes_under_way_on_an_h200(words, tmp_path, monkeypatch):
    case = of(*words)
    how = step.cut(case, H200_PROCESSORS, overlap=True)
    taken = compiled(case, how, 90, tmp_path, monkeypatch)
    threads = 32 * how.warps
    wanted = -(-how.blocks(case.hidden) * how.parts // H200_PROCESSORS)
    there = machine_code.resident(taken.registers, threads, wanted, taken.shared)
    loop = max(machine_code.loops(taken.sass), key=lambda one: one.in_flight)
    print(f"{case.id}: {taken.registers} registers, {loop.in_flight * threads * there} bytes")  # noqa: T201
    assert taken.spilled == 0
    assert loop.in_flight * threads * there >= UNDER_WAY
    # conversions at a quarter of the rate, which would take longer than the weights do; float32's terms are few
    assert not {"I2F", *(("F2F",) if case.activations != "float32" else ())} & loop.names
    names = [name.split(".")[0] for _, name, _ in machine_code.instructions(taken.sass)]
    # before the last step's state is there nothing is loaded, nor asked of a cache
    assert not {"LDG", "LDGSTS", "STG", "CCTL"} & set(names[: names.index("ACQBULK")])
    # nothing of a program waits for memory again once its last weights have come
    asked = len(names) - 1 - names[::-1].index("LDGSTS")
    assert how.parts > 1 or "LDG" not in names[asked:]
    apart = case.dtype in QUANTISED or (case.cell == "gru" and case.batch == 1)
    assert len(machine_code.loops(taken.sass)) == (2 if apart else 1)


@pytest.mark.parametrize("batch", [1, 4, 8, 16, 64])
def test_a_large_step_has_as_many_programs_as_an_h200_holds_at_once(batch):
    how = step.cut(replace(GOOD, hidden=4096, input=4096, batch=batch), H200_PROCESSORS)
    slots = {1: 4, 64: 1}.get(batch, 2) * H200_PROCESSORS
    assert 0.95 * slots <= how.blocks(4096) * how.parts <= slots


@pytest.mark.parametrize(
    ("words", "fastest"),
    [
        (("lstm", 4096, 1, "bfloat16", "bfloat16"), (8, 256, 1, 1, 4, 4)),
        (("lstm", 1024, 1, "bfloat16", "bfloat16"), (4, 256, 1, 1, 4, 4)),
        (("rnn", 4096, 1, "bfloat16", "bfloat16"), (4, 512, 1, 1, 4, 4)),
        (("lstm", 4096, 1, "float8", "bfloat16"), (8, 256, 1, 1, 4, 4)),
        (("lstm", 4096, 8, "bfloat16", "bfloat16"), (16, 128, 16, 1, 4, 4)),
        (("lstm", 1024, 8, "bfloat16", "bfloat16"), (16, 128, 16, 4, 4, 4)),
        (("lstm", 4096, 8, "float8", "bfloat16"), (16, 128, 16, 1, 2, 4)),
        (("lstm", 4096, 64, "bfloat16", "bfloat16"), (32, 128, 64, 1, 8, 4)),
    ],
)
def test_it_is_cut_as_was_the_fastest_on_an_h200(words, fastest):
    assert step.cut(of(*words), H200_PROCESSORS)[:6] == fastest


@pytest.mark.parametrize("shared", [99 << 10, 163 << 10, 227 << 10])
@pytest.mark.parametrize(("dtype", "activations"), list(many_sequences.TERMS))
@pytest.mark.parametrize("batch", [8, 32, 64])
@pytest.mark.parametrize("cell", CELLS)
def test_its_tiles_fit_the_shared_memory_that_the_gpu_tells(
    cell, batch, dtype, activations, shared
):
    how = step.cut(of(cell, 4096, batch, dtype, activations), H200_PROCESSORS, shared=shared)
    columns = how.units * GATE_SUMS[cell] * ELEMENT_BYTES[dtype]
    columns += how.sequences * ELEMENT_BYTES[activations]
    programs = 1 if how.warps == 8 else 2
    bytes_of_all = programs * (how.stages * how.k * columns + 1024)
    assert bytes_of_all <= shared + 1024
    in_three = how.k * how.sequences == step.IN_THREE and dtype == "bfloat16"
    assert how.k == step.COLUMNS or in_three or 2 * bytes_of_all > shared


@pytest.mark.parametrize("processors", [1, 8, 132, 148])
@pytest.mark.parametrize("hidden", [1, 17, 256, 1024, 4096, 16384])
@pytest.mark.parametrize("batch", [1, 8, 64])
def test_it_is_cut_into_enough_programs_and_none_without_work(processors, hidden, batch):
    case = Case("lstm", hidden, hidden, batch, device="cuda", threads=0)
    how = step.cut(case, processors)
    blocks = how.blocks(hidden)
    tiles = 2 * -(-hidden // how.k)
    assert how.sequences >= batch
    assert 1 <= how.parts <= max(1, min(step.MOST_PARTS, tiles // step.LEAST_TILES))
    # rounded to the nearest, so down by a third at the most
    programs = 1 if how.warps == 8 else 2
    enough = blocks * how.parts >= 2 / 3 * programs * processors
    assert enough or how.parts == max(1, min(step.MOST_PARTS, tiles // step.LEAST_TILES))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"device": "cpu"}, "not cpu"),
        ({"phase": "train"}, "not train"),
        ({"steps": 2}, "not 2"),
        ({"part": "linear"}, "not linear"),
        ({"batch": 65}, "64 sequences at most, not 65"),
        ({"dtype": "float32"}, "not float32 x bfloat16"),
    ],
)
def test_what_it_cannot_compute_is_a_reason(words, reason):
    assert triton_fused.SUPPORTS.unavailable(GOOD) is None
    assert reason in triton_fused.SUPPORTS.unavailable(replace(GOOD, **words))


def test_an_old_gpu_is_a_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))
    assert "8.0 or newer is needed, and this is 7.5" in triton_fused.SUPPORTS.unavailable(GOOD)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 6))
    assert triton_fused.SUPPORTS.unavailable(GOOD) is None
    float8 = replace(GOOD, dtype="float8")
    assert "8.9 or newer is needed, and this is 8.6" in triton_fused.SUPPORTS.unavailable(float8)


@pytest.mark.gpu
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("dtype", "activations"), list(many_sequences.TERMS))
@pytest.mark.parametrize(
    "sizes",
    [(1, 1, 1), (37, 61, 1), (129, 40, 3), (1024, 2048, 1), (768, 512, 16), (1024, 1024, 64)],
)
def test_on_a_card_it_agrees_with_the_reference(card, cell, dtype, activations, sizes):
    agrees(card, cell, dtype, activations, sizes)


@pytest.mark.gpu
@pytest.mark.parametrize(("dtype", "activations"), list(many_sequences.TERMS))
def test_on_a_card_sums_of_many_products_agree_too(card, dtype, activations):
    """A sum of 8,192, in which what a tensor core cuts off adds up."""
    agrees(card, "lstm", dtype, activations, (4096, 4096, 8))


def agrees(card, cell, dtype, activations, sizes):
    case = Case(cell, *sizes, dtype=dtype, activations=activations, device=card, threads=0)
    layout = triton_fused.layout(case)
    sets = Arena(2 * set_bytes(layout, dtype), card, 0).sets(layout, dtype, 2)
    inputs = draw(case, torch.Generator(device=card).manual_seed(0))
    bind = triton_fused.prepare(case, sets, inputs)
    for w, i in ((0, 1), (1, 2), (1, 2)):
        new = bind(w, i)()
        weights = triton_fused.canonical(case, sets[w])
        assert check.error(case, new, cells.reference(case, inputs[i], weights)) <= check.tolerance(
            case
        )
        check.poison(new)
