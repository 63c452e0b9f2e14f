"""A sequence with U in registers: emulated on a CPU, its exchange in every order, compiled ahead; and on a GPU."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from kernels.case import CELLS, GATES, Case
from kernels.gpu import in_registers, nvrtc
from kernels.gpu.in_registers import Cut
from kernels.implementations import cuda_persistent
from kernels.reference import cells, check
from kernels.reference.inputs import TORCH_DTYPES, draw
from tests.kernels import ahead
from tests.kernels.gpu import NO_SEQUENCE_ON_CHIP, exchange
from tests.kernels.gpu.emulated import Emulated

H200_PROCESSORS = 132
HALVES = ["bfloat16", "float16"]


def case_of(cell, hidden, batch, dtype="bfloat16", steps=8):
    return Case(
        *(cell, hidden, hidden, batch), dtype=dtype, activations=dtype, device="cuda", threads=0, steps=steps
    )  # fmt: skip


def drawn(case, seed, device="cpu"):
    """Weights without W, W x, h and c, all of order one."""
    chance = torch.Generator(device=device).manual_seed(seed)
    dtype, (H, B, T), G = (
        TORCH_DTYPES[case.dtype],
        (case.hidden, case.batch, case.steps),
        GATES[case.cell],
    )

    def uniform(*shape, scale=1.0):
        return (torch.rand(*shape, generator=chance, device=device).mul_(2).sub_(1) * scale).to(
            dtype
        )

    U, b_w, b_u = uniform(G * H, H, scale=2 * H**-0.5), uniform(G * H), uniform(G * H)
    return (
        cells.Weights(cells.NONE, U, b_w, b_u),
        uniform(T * B, G * H),
        uniform(B, H),
        uniform(B, H),
    )


def worst(case, weights, from_x, h, c, out, c_new):
    """The largest error of a step from the state before it, and of the last c; on a card by its own float64.

    Processes of a test run, a dozen with all of the CPU's threads each, took 40 s for what a card does at once.
    """
    h, c, found = h.double(), c.double(), 0.0
    exact = cells.Weights(
        cells.NONE, *(one.double() for one in (weights.U, weights.b_w, weights.b_u))
    )
    of_x = from_x.double().view(case.steps, case.batch, -1)
    for t in range(case.steps):
        sums = cells.join(case.cell, of_x[t], h @ exact.U.T)
        h, *carried = cells.pointwise(case.cell, sums, h, c, exact)
        c = carried[0] if carried else c
        found = max(found, check.error(case, (out[t],), (h,)))
        h = h if case.cell == "gru" else out[t].double()
    return max(found, check.error(case, (c_new,), (c,)) if case.cell == "lstm" else 0.0)


EMULATED = (
    # every cell, one and many sequences, ends of blocks and of pieces of k that hold nothing, one warp and several
    (case_of("lstm", 64, 1), Cut(8, 2, 4)),
    (case_of("lstm", 56, 3), Cut(12, 2, 1)),
    (case_of("lstm", 64, 16), Cut(16, 1, 2)),
    (case_of("gru", 72, 5), Cut(8, 2, 1)),
    (case_of("gru", 32, 9), Cut(10, 1, 1)),
    (case_of("rnn", 40, 8), Cut(8, 1, 1)),
    (case_of("gru", 312, 1), Cut(40, 2, 4)),
    (case_of("rnn", 160, 1), Cut(40, 2, 2)),
    (case_of("rnn", 128, 2), Cut(16, 4, 4)),
)
compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")


@compiler
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "dtype"),
    [
        (number, dtype)
        for number in range(len(EMULATED))
        for dtype in (HALVES if ahead.EVERY else HALVES[number % 2 :][:1])
    ],
)
def test_emulated_every_step_of_calls_in_a_row_agrees_with_the_reference(tmp_path, number, dtype):
    case, how = EMULATED[number]
    case = replace(case, dtype=dtype, activations=dtype)
    ways = {"CHAINS": 1} if number % 3 == 0 else {}
    kernel = Emulated(tmp_path, case, how, **ways)
    for seed, delay in enumerate((0, 30, 300, 3000)):
        given = drawn(case, seed)
        assert worst(case, *given, *kernel.call(*given, seed, delay)) <= check.tolerance(case)
        assert kernel.faults.tolist() == [0, 0]
        assert int(kernel.exchange[0]) == (seed + 1) * (case.steps - 1)


PLANTED = {
    "one slot": [
        ("slot = SLOT - slot, place", "place"),
        ("show_at + (SLOT - slot)", "show_at + slot"),
    ],
    "no bit": [
        ("(both[o] & ~SIGN) | mine", "both[o] & ~SIGN"),
        ("tag = mine, mine", "tag = 0, mine"),
    ],
    "a bit that a slot's words share": [("mine = last ^ SIGN", "mine = last")],
    "one place for the warps' sums": [("place = 4 * PLACE - place", "place = 0")],
    "no barrier": [("    __syncthreads();\n    if (TASKS", "    if (TASKS")],
    "a count that stays": [("&& T > 1) show(exchange", "&& T > 9999) show(exchange")],
    "rows of another unit": [("* H + unit) * H + k);", "* H + first) * H + k);")],
    "a tag that is not taken off": [("flip(x[i], tag);", ";")],
}


@compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTED)
def test_an_error_planted_in_the_kernel_is_seen_when_it_is_emulated(tmp_path, name):
    case = case_of("lstm", 64, 1)
    kernel = Emulated(tmp_path, case, Cut(8, 2, 1), PLANTED[name], LOOKS=3000)
    for seed in range(40):
        given = drawn(case, seed)
        answer = kernel.call(*given, seed, (30, 300, 3000)[seed % 3])
        if worst(case, *given, *answer) > check.tolerance(case) or any(kernel.faults.tolist()):
            return
    pytest.fail("it was not seen")


@compiler
def test_a_word_that_does_not_come_is_told_and_ends_the_call(tmp_path):
    case = case_of("lstm", 64, 1)
    silent = [
        ("if (shows[o] && t + 1 < T)", "if (shows[o] && t + 1 < T && (blockIdx.x || t != 3))")
    ]
    kernel = Emulated(tmp_path, case, Cut(8, 2, 1), silent, LOOKS=50)
    out, _ = kernel.call(*drawn(case, 0), 0, 0)
    assert kernel.faults.tolist()[0] == 1
    assert out[:4].isfinite().all()
    assert out[-1].isnan().all()


@compiler
def test_a_state_of_two_or_more_is_told(tmp_path):
    case = case_of("gru", 32, 1)
    kernel = Emulated(tmp_path, case, Cut(8, 1, 1))
    weights, from_x, h, c = drawn(case, 0)
    kernel.call(weights, from_x, h * 1.9, c, 0)
    assert kernel.faults.tolist() == [0, 0]
    kernel.call(weights, from_x, h * 50, c, 0)
    assert kernel.faults.tolist() == [0, 1]


def test_in_every_order_each_block_has_the_words_of_the_state_it_waits_for():
    assert exchange.faults(2, (3, 1, 4, 2, 6)) == set()
    assert exchange.faults(3, (3, 4)) == set()
    assert exchange.faults(3, (6,)) == set()


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ({"slot": lambda _number: 0, "bit": lambda number: number}, "stuck"),
        ({"slot": lambda _number: 0}, "another's word"),
        ({"bit": lambda _number: 0}, "another's word"),
        ({"bit": lambda number: number & 1}, "another's word"),
        ({"early": True}, "count"),
    ],
)
def test_an_error_planted_in_the_exchange_is_seen_in_some_order(planted, fault):
    assert fault in exchange.faults(2, (4, 3), **planted)


def test_a_value_below_two_leaves_the_bit_alone_in_either_dtype():
    bits = torch.arange(1 << 16).to(torch.int32).to(torch.int16)
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(bits.view(dtype).double().abs() < 2, (bits & 0x4000) == 0)


@pytest.mark.parametrize(("words", "reason"), NO_SEQUENCE_ON_CHIP)
def test_what_the_implementation_cannot_compute_is_a_reason(words, reason):
    good = case_of("lstm", 256, 1)
    assert reason in cuda_persistent.SUPPORTS.unavailable(replace(good, **words))


def test_what_is_absent_or_too_old_is_a_reason(monkeypatch):
    properties = SimpleNamespace(multi_processor_count=132, regs_per_multiprocessor=65536)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _device: properties)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(nvrtc, "find_spec", lambda _name: None)
    good = case_of("lstm", 256, 1)
    assert "cuda.bindings is not installed" in cuda_persistent.SUPPORTS.unavailable(good)
    monkeypatch.setattr(nvrtc, "find_spec", lambda name: name)
    assert cuda_persistent.SUPPORTS.unavailable(good) is None
    large = cuda_persistent.SUPPORTS.unavailable(replace(good, hidden=4096))
    assert "U does not fit in registers" in large
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 0))
    assert "8.0 or newer is needed" in cuda_persistent.SUPPORTS.unavailable(good)


def test_bindings_without_their_library_have_no_version(monkeypatch):
    def missing():
        raise RuntimeError("Failed to dlopen libnvrtc.so.13")

    monkeypatch.setattr(nvrtc, "absent", lambda: None)
    monkeypatch.setattr(nvrtc, "_bindings", lambda _part: SimpleNamespace(nvrtcVersion=missing))
    assert nvrtc.version() == "no NVRTC"


def test_another_module_called_cuda_is_no_compiler(tmp_path, monkeypatch):
    (tmp_path / "cuda.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "cuda"]:
        monkeypatch.delitem(sys.modules, name)
    assert "cuda.bindings is not installed" in nvrtc.absent()


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (case_of("lstm", 4096, 1), "does not fit in registers: it takes about 1"),
        (case_of("lstm", 1536, 16), "does not fit in registers"),
        (case_of("lstm", 1024, 17), "16 sequences at most, not 17"),
        (case_of("lstm", 100, 1), "multiples of 8, not 100"),
    ],
)
def test_what_does_not_fit_is_a_reason(case, reason):
    assert reason in in_registers.too_large(case, H200_PROCESSORS)


@pytest.mark.parametrize(("best", "steps", "chosen"), [(340, 256, 350), (0, 5000, 0), (700, 31, 0)])
def test_a_step_waits_as_long_as_calls_of_that_wait_take_least(monkeypatch, best, steps, chosen):
    now, asked = [0.0], set()

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = now[0]

        def synchronize(self):
            pass

        def elapsed_time(self, end):
            return end.at - self.at

    def bound(case, _how, _given, _memory, wait):
        asked.add(case.steps)
        return lambda: now.__setitem__(0, now[0] + 1000 + abs(wait - best))

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(in_registers, "bound", bound)
    case = case_of("lstm", 1024, 1, steps=steps)
    assert in_registers.best_wait(case, Cut(8, 8, 4), None, None) == chosen
    assert asked <= {256}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("hidden", [8, 40, 768, 1024, 1528, 2048])
@pytest.mark.parametrize("processors", [1, 108, 132, 148])
def test_there_are_never_more_blocks_than_processors(cell, hidden, processors):
    how = in_registers.cut(case_of(cell, hidden, 1), processors)
    assert how.units % 2 == 0
    assert how.blocks(hidden) * how.units >= hidden
    assert how.blocks(hidden) <= processors


COMPILED = (
    case_of("lstm", 1024, 1),
    case_of("lstm", 1024, 16),
    case_of("lstm", 1536, 8),
    case_of("gru", 1024, 8),
    case_of("gru", 1536, 1),
    case_of("rnn", 2048, 16),
    case_of("lstm", 40, 3),
)


def machine_code(case, capability, folder):
    """Registers of a thread, bytes of its stack, and the instructions of the kernel without their addresses."""
    triton = pytest.importorskip("triton", reason="its tools read machine code")
    how = in_registers.cut(case, H200_PROCESSORS)
    cubin = folder / "kernel.cubin"
    cubin.write_bytes(
        nvrtc.compiled(in_registers.SOURCE, capability, in_registers.defines(case, how))
    )
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"

    def said(*command):
        return subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    usage = said(tools / "cuobjdump", "-res-usage", cubin)
    registers, stack, local = (
        int(re.search(rf"{word}:(\d+)", usage)[1]) for word in ("REG", "STACK", "LOCAL")
    )
    code = re.sub(r"/\*.*?\*/", "", said(tools / "nvdisasm", "-c", cubin))
    return registers, stack + local, code


@pytest.mark.slow
@pytest.mark.skipif(nvrtc.absent() is not None, reason=str(nvrtc.absent()))
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("capability", [(8, 0), (9, 0), (10, 0)])
@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.id)
def test_compiled_ahead_u_stays_in_registers(tmp_path, case, capability, dtype):
    case = replace(case, dtype=dtype, activations=dtype)
    assert in_registers.too_large(case, H200_PROCESSORS) is None
    how = in_registers.cut(case, H200_PROCESSORS)
    registers, spilled, code = machine_code(case, capability, tmp_path)
    assert spilled == 0
    assert registers <= in_registers.MOST_REGISTERS
    pieces = -(-case.hidden // (in_registers.PIECE * how.warps))
    columns = -(-case.batch // 8)
    assert code.count("HMMA.16816.F32") == how.tiles(case) * 2 * pieces * columns
    # looked at once, and again where it had not come
    looks = re.findall(r"LDG\.E\.(64|128)\.STRONG\.GPU", code)
    one = case.batch == 1
    assert looks == ["64" if one else "128"] * 2 * (-(-pieces // 4) if one else pieces * columns)
    assert len(re.findall(r"STG\.E\.STRONG\.GPU", code)) >= 1
    assert len(re.findall(r"BAR\.SYNC", code)) == 2  # before the first step, and one of each step
    assert not re.findall(r"MEMBAR|ATOM|RED\.|CCTL|LDL|STL|ERRBAR", code)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    ("hidden", "batch"), [(40, 1), (1024, 1), (304, 5), (1024, 8), (768, 16), (1536, 2)]
)
def test_on_a_card_every_step_of_calls_in_a_row_agrees_with_the_reference(
    card, cell, hidden, batch, dtype
):
    case = case_of(cell, hidden, batch, dtype, steps=48)
    implementation = cuda_persistent
    if reason := implementation.SUPPORTS.unavailable(case):
        pytest.skip(reason)
    how = in_registers.cut(case, torch.cuda.get_device_properties(0).multi_processor_count)
    given = [drawn(case, seed, card) for seed in range(3)]
    memory = in_registers.kept(case, how, torch.device(card))
    weights = cells.Weights(*(tensor.clone() for tensor in given[0][0]))
    from_x, h, c = (tensor.clone() for tensor in given[0][1:])
    out, c_new = h.new_empty(case.steps, batch, hidden), torch.empty_like(h)
    arguments = in_registers.Arguments(weights, from_x, h, c, out, c_new)
    call = in_registers.bound(case, how, arguments, memory, wait=100)
    answers = []
    for number in range(6):  # none waits for the one before
        for mine, other in zip(
            (*weights[1:], from_x, h, c),
            (*given[number % 3][0][1:], *given[number % 3][1:]),
            strict=True,
        ):
            mine.copy_(other)
        check.poison((out, c_new))
        call()
        answers.append((out.clone(), c_new.clone()))
    torch.cuda.synchronize()
    assert memory.faults.tolist() == [0, 0]
    for number, answer in enumerate(answers):
        assert worst(case, *given[number % 3], *answer) <= check.tolerance(case), number
        assert torch.equal(answer[0], answers[number % 3][0])


@pytest.mark.gpu
def test_on_a_card_the_implementation_answers_as_the_reference_in_a_graph_too(card):
    from kernels.gpu import graphs
    from kernels.reference.inputs import Arena, set_bytes

    case = case_of("lstm", 256, 2, steps=5)
    if reason := cuda_persistent.SUPPORTS.unavailable(case):
        pytest.skip(reason)
    layout = cuda_persistent.layout(case)
    sets = Arena(2 * set_bytes(layout, case.dtype), card, 0).sets(layout, case.dtype, 2)
    inputs = draw(case, torch.Generator(device=card).manual_seed(0))
    with torch.inference_mode():
        call, answer = graphs.captured(cuda_persistent.prepare(case, sets, inputs)(1, 2))
        for _ in range(3):
            check.poison(answer)
            call()
            expected = cells.reference(case, inputs[2], cuda_persistent.canonical(case, sets[1]))
            assert check.error(case, answer, expected) <= check.tolerance(case)
