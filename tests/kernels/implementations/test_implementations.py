"""Every file in kernels/implementations computes the step it says it computes."""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict
from functools import partial

import pytest
import torch

from kernels import implementations
from kernels.case import CELLS, GATES, Case, Unavailable
from kernels.contract import READS, reads_of
from kernels.reference import cells, check, gradients
from kernels.reference.inputs import INPUT_SETS, Arena, draw, set_bytes
from tests.kernels import declared
from tests.kernels.declared import COMPILED, EVERY_COMPILE
from tests.kernels.large_arena import LargeArena

SHAPES_EACH = 20
BATCHES = (1, 9)
"""Few, for a step that is compiled takes seconds for each."""
PACKED = "numba_fused", "numba_sequence"


@pytest.fixture(scope="module")
def arena():
    return LargeArena(1 << 20, "cpu", seed=5)


def first(name, **words):
    """The first case with these words that it computes; skipped with the reason where this machine cannot."""
    implementation = implementations.load(name)
    case = next(declared.of(name, **words))
    if reason := implementation.unavailable(case):
        pytest.skip(reason)
    return implementation, case


def random_shapes(name, seed):
    if name == COMPILED and not EVERY_COMPILE:
        yield 8, 6, 1
        return
    chance = random.Random(seed)
    batches = BATCHES
    if name in PACKED:  # compiled for each batch; its own tests have more
        batches = (chance.choice(BATCHES),)
    yield 1, 1, batches[0]
    for _ in range(SHAPES_EACH - 1):
        yield chance.randint(1, 40), chance.randint(1, 40), chance.choice(batches)


SLOW = "" if EVERY_COMPILE else COMPILED


@declared.each(
    "cell", "part", "dtype", "activations", but=SLOW, device="cpu", phase="step", steps=1
)
def test_it_agrees_with_the_reference_at_twenty_random_shapes(
    arena, name, cell, part, dtype, activations
):
    implementation = implementations.load(name)
    for H, I, B in random_shapes(name, f"{name}{cell}{part}{dtype}"):  # noqa: E741 - the method's own letters
        case = Case(cell, H, I, B, part=part, dtype=dtype, activations=activations)
        if reason := implementation.unavailable(case):
            pytest.skip(reason)
        sets = arena.sets(implementation.layout(case), dtype, 2)
        inputs = draw(case, torch.Generator().manual_seed(H))
        with torch.inference_mode():
            bind = implementation.prepare(case, sets, inputs)
            answer = bind(1, 2)()
        assert all(t.dtype == inputs[2].h.dtype for t in answer)
        weights = implementation.canonical(case, sets[1])
        worst = check.error(case, answer, cells.reference(case, inputs[2], weights))
        allowed = check.tolerance(case, implementation.rounds_to)
        assert worst <= allowed, f"H={H} I={I} B={B}"


@declared.each("cell", "dtype", device="cpu", phase="train")
def test_its_gradients_agree_with_the_reference(arena, name, cell, dtype):
    implementation = implementations.load(name)
    for H, I, B in random_shapes(name, f"{name}{cell}{dtype}"):  # noqa: E741 - the method's own letters
        case = Case(cell, H, I, B, phase="train", dtype=dtype, activations=dtype)
        if reason := implementation.unavailable(case):
            pytest.skip(reason)
        sets = arena.sets(implementation.layout(case), dtype, 2)
        inputs = draw(case, torch.Generator().manual_seed(H))
        before = [t.clone() for t in (*sets[1], *inputs[2])]
        answer = implementation.prepare(case, sets, inputs)(1, 2)()
        assert all(t.dtype == inputs[2].h.dtype for t in answer)
        canonical = partial(implementation.canonical, case)
        right, scales = check.expected(
            case, inputs[2], canonical(sets[1]), partial(gradients.in_layout, canonical, sets[1])
        )
        assert check.error(case, answer, right, scales) <= check.tolerance(case), case.id
        after = (*sets[1], *inputs[2])
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), case.id


@declared.each("cell", part="cell", dtype="float32")
def test_its_canonical_weights_are_those_of_its_layout_each_once(name, cell):
    """Weights numbered 1 to n come back as 1 to n; what else the convention wants is zero."""
    implementation = implementations.load(name)
    H, I = 16, 5  # noqa: E741 - the method's own letters; 16 fills the vectors of those that pack
    case = Case(cell, H, I, 1)
    layout = implementation.layout(case)
    numbers = iter(range(1, 10_000))
    tensors = [
        torch.tensor([float(next(numbers)) for _ in range(torch.Size(s).numel())]).view(s)
        for s in layout
    ]
    given = torch.cat([t.flatten() for t in tensors])
    weights = implementation.canonical(case, tensors)
    G = GATES[cell]
    assert [tuple(t.shape) for t in weights] == [(G * H, I), (G * H, H), (G * H,), (G * H,)]
    found = torch.cat([t.flatten() for t in weights])
    assert torch.equal(found[found != 0].sort().values, given)
    assert (weights.W != 0).all()
    assert (weights.U != 0).all()


@pytest.mark.parametrize("cell", CELLS)
def test_the_gates_of_torch_gates_are_the_rows_of_pytorchs_stacked_weights(cell):
    torch_gates = implementations.load("torch_gates")
    H, I = 3, 2  # noqa: E741 - the method's own letters
    case = Case(cell, H, I, 1)
    tensors = [torch.rand(shape) for shape in torch_gates.layout(case)]
    weights = torch_gates.canonical(case, tensors)
    for gate in range({"rnn": 1, "lstm": 4, "gru": 2}[cell]):
        rows = slice(gate * H, (gate + 1) * H)
        assert torch.equal(torch.hstack([weights.W[rows], weights.U[rows]]), tensors[gate])
    if cell == "gru":
        assert torch.equal(weights.W[2 * H :], tensors[2])
        assert torch.equal(weights.U[2 * H :], tensors[3])
        assert torch.equal(weights.b_u[2 * H :], tensors[7])


@declared.each(device="cpu")
def test_it_computes_with_the_weights_and_inputs_it_is_bound_to(name):
    implementation, case = first(name, cell="lstm", part="cell", device="cpu", phase="step")
    layout = implementation.layout(case)
    sets = Arena(3 * set_bytes(layout, case.dtype), "cpu", 0).sets(layout, case.dtype, 3)
    inputs = draw(case, torch.Generator().manual_seed(0))
    allowed = check.tolerance(case, implementation.rounds_to)
    with torch.inference_mode():
        bind = implementation.prepare(case, sets, inputs)
        for w, i in itertools.product(range(3), range(INPUT_SETS)):
            answer = bind(w, i)()
            weights = implementation.canonical(case, sets[w])
            assert check.error(case, answer, cells.reference(case, inputs[i], weights)) <= allowed


@declared.each("cell", "part", device="cpu", phase="step")
def test_it_leaves_weights_and_inputs_as_they_were(name, cell, part):
    implementation, case = first(name, cell=cell, part=part, device="cpu", phase="step")
    layout = implementation.layout(case)
    sets = Arena(set_bytes(layout, case.dtype), "cpu", 0).sets(layout, case.dtype, 1)
    inputs = draw(case, torch.Generator().manual_seed(0))
    before = [t.clone() for t in (*sets[0], *inputs[0])]
    with torch.inference_mode():
        implementation.prepare(case, sets, inputs)(0, 0)()
    after = (*sets[0], *inputs[0])
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)), case.id


@declared.each()
def test_it_declares_a_whole_step_of_every_cell(name):
    assert {case.cell for case in declared.of(name, part="cell")} == set(CELLS)


@declared.each()
def test_what_it_does_not_declare_is_refused_with_a_reason_that_names_a_word_of_the_case(name):
    implementation = implementations.load(name)
    supported = set(declared.of(name)) | set(declared.of(name, residency="streamed"))
    refused = [case for case in declared.CASES if case not in supported]
    assert refused
    for case in refused:
        reason = implementation.unavailable(case)
        words = {str(value) for value in asdict(case).values()}
        assert words & set(reason.replace(":", "").split()), case.id
        assert "\n" not in reason
        assert len(reason) <= 150


@declared.each()
def test_what_it_declares_it_computes_or_says_what_is_lacking_here(name):
    implementation = implementations.load(name)
    reasons = {implementation.unavailable(case) for case in declared.of(name)}
    assert all(reason is None or "\n" not in reason for reason in reasons)


@declared.each()
def test_it_says_what_it_is(name):
    implementation = implementations.load(name)
    assert implementation.label
    assert implementation.version()
    for own_bytes in (None, 1 << 20):
        reads = reads_of(implementation, next(declared.of(name)), own_bytes)
        assert reads.keys() == {"W", "U"}
        assert set(reads.values()) <= set(READS)


def test_no_two_have_one_label():
    labels = []
    for name in implementations.names():
        try:
            labels.append(implementations.load(name).label)
        except Unavailable:
            continue
    assert len(set(labels)) == len(labels) > 2


def test_an_unknown_implementation_is_unavailable_and_the_known_ones_are_named():
    with pytest.raises(
        Unavailable, match=r"'nobody' is unknown: use one of .*torch_cell"
    ) as caught:
        implementations.load("nobody")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["__init__", "../cells", "torch_cell.py", ""])
def test_only_a_files_own_name_is_an_implementation(name):
    with pytest.raises(Unavailable):
        implementations.load(name)


def fails(error):
    def load(_name):
        raise error

    return load


def test_an_implementation_whose_library_is_absent_is_unavailable(monkeypatch):
    error = ModuleNotFoundError("No module named 'onnxruntime'")
    monkeypatch.setattr(implementations, "import_module", fails(error))
    with pytest.raises(
        Unavailable, match="torch_cell cannot be loaded: No module named 'onnxruntime'"
    ):
        implementations.load("torch_cell")


@pytest.mark.parametrize(
    "error", [SyntaxError("invalid syntax"), OSError("libcuda.so.1: not found")]
)
def test_an_implementation_that_breaks_on_import_is_unavailable(monkeypatch, error):
    monkeypatch.setattr(implementations, "import_module", fails(error))
    with pytest.raises(Unavailable):
        implementations.load("torch_cell")


def test_compiled_steps_of_float16_have_each_their_own_weights(arena):
    """Autotuned, PyTorch 2.13's all have those of the first."""
    implementation = implementations.load(COMPILED)
    case = Case("lstm", 24, 17, 3, part="linear", dtype="float16", activations="float16")
    if reason := implementation.unavailable(case):
        pytest.skip(reason)
    sets = arena.sets(implementation.layout(case), case.dtype, 2)
    inputs = draw(case, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        bind = implementation.prepare(case, sets, inputs)
        for w in range(2):
            answer = bind(w, 1)()
            right = cells.reference(case, inputs[1], implementation.canonical(case, sets[w]))
            assert check.error(case, answer, right) <= check.tolerance(case)
