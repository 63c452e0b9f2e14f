"""The gates as LLVM vectors, against the equations in float64."""

from __future__ import annotations

import re
from functools import cache

import numba
import numpy as np
import pytest
import torch
from numba import types, uintp

from kernels.case import GATES
from kernels.reference.cells import Weights, pointwise
from kernels.vector import gates
from kernels.vector.llvm import LANES
from tests.kernels.emitted import assembled, emitted, literals
from tests.kernels.memory import Guarded, untouched

TANH_ERROR, SIGMOID_ERROR = 3e-7, 1.7e-7
"""As the docstring has them."""
LEAST = 2.0**-149
KINDS = [
    ("float32", "float32"),
    ("bfloat16", "float32"),
    ("bfloat16", "bfloat16"),
    ("bfloat16 pairs", "bfloat16"),
    ("int8", "float32"),
    ("int8 limbs", "float32"),
]
TORCH = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@cache
def compiled(cell, kind="float32", activations="float32"):
    """Gates of `tiles` times 16 units, whose biases and scales are the same; `apart` bytes between two tiles' state."""
    G = GATES[cell]
    per_sum = 2 if kind == "int8 limbs" else 1

    @numba.njit
    def run(tiles, sums_x, sums_h, steps_x, steps_h, biases, scales, state, h, c, apart, count):
        for tile in range(tiles):
            sums, unit = uintp(tile * per_sum * G * 64), uintp(tile * apart)
            gates.gates(
                sums_x + sums, sums_h + sums, steps_x, steps_h, biases, scales,
                state + unit, h + unit, c + unit, uintp(count), cell, kind, activations,
            )  # fmt: skip

    return run


def whole_tiles(cell, sums, state, activations="float32"):
    """New h and c of many tiles from W's sums (gates, n) in float32; all else is -0, which adds nothing."""
    G, n = sums.shape
    tiles = n // LANES
    by_tile = sums.reshape(G, tiles, LANES).transpose(1, 0, 2).astype(np.float32)
    nothing = Guarded.of(np.full((max(tiles, 2), G, LANES), -0.0, np.float32))
    sums_x, given = Guarded.of(by_tile), Guarded.of(state)
    h, c = Guarded(state.nbytes), Guarded(state.nbytes)
    compiled(cell, "float32", activations)(
        tiles, sums_x.address, nothing.address, uintp(0), uintp(0), nothing.address, uintp(0),
        given.address, h.address, c.address, LANES * state.itemsize, LANES,
    )  # fmt: skip
    assert h.guards_hold()
    assert c.guards_hold()
    return h.as_(state.dtype, n), c.as_(state.dtype, n)


def tanh(x):
    return whole_tiles("rnn", x[None], np.zeros(len(x), np.float32))[0]


def sigmoid(x):
    """The forget gate's, of a c of 1, while the candidate is 0."""
    zero = np.zeros_like(x)
    return whole_tiles("lstm", np.stack([zero, x, zero, zero]), np.ones(len(x), np.float32))[1]


def grid():
    """From -20 to 20, and every float around where the worst errors are."""
    worst = (
        np.float32([3.75, 5.12, 7.995, 8.0]).view(np.int32)[:, None] + np.arange(1 << 15)
    ).view(np.float32)
    return np.concatenate([np.linspace(-20, 20, 1 << 21, dtype=np.float32), worst.ravel()])


def test_tanh_is_as_exact_as_the_docstring_says():
    x = grid()
    exact = np.tanh(x.astype(np.float64))
    found = tanh(x)
    assert abs(found - exact).max() < TANH_ERROR
    assert (abs(found - exact) <= TANH_ERROR * abs(exact)).all()
    assert abs(found).max() == 1


def test_sigmoid_is_as_exact_as_the_docstring_says():
    x = grid()
    found = sigmoid(x)
    assert abs(found - 1 / (1 + np.exp(-x.astype(np.float64)))).max() < SIGMOID_ERROR
    assert found.min() == 0
    assert found.max() == 1


def test_the_docstring_has_the_errors_that_these_tests_hold():
    words = " ".join(gates.__doc__.split())
    found = re.search(
        r"tanh is off by less than (\S+), also of its own value, and sigmoid by less than (\S+)\. ",
        words,
    )
    assert [float(number) for number in found.groups()] == [TANH_ERROR, SIGMOID_ERROR]


SMALL = (0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-40, 1.2e-38)
EDGES = np.float32([np.inf, -np.inf, np.nan, *SMALL, 3.4e38, -3.4e38, 100, -100, 8.5, -8.5])


def test_tanh_of_the_largest_the_smallest_and_no_number():
    found = tanh(EDGES)
    exact = np.tanh(EDGES.astype(np.float64))
    assert np.isnan(found).tolist() == np.isnan(EDGES).tolist()
    big = abs(EDGES) > 8
    assert np.array_equal(found[big], np.sign(EDGES[big]))
    small = abs(EDGES) < 1
    assert (abs(found - exact)[small] <= 103 * LEAST).all()
    assert np.array_equal(np.signbit(found[small]), np.signbit(EDGES[small]))


def test_sigmoid_of_the_largest_the_smallest_and_no_number():
    found = sigmoid(EDGES)
    assert np.isnan(found).tolist() == np.isnan(EDGES).tolist()
    low, high = EDGES < -20, EDGES > 20
    assert (found[low] == 0).all()
    assert (found[high] == 1).all()
    assert (found[abs(EDGES) < 1] == 0.5).all()


def test_bfloat16_is_rounded_to_nearest_ties_to_even_for_every_c():
    """c + 1, which is c' where all gates are 1: ties and their neighbours among them, infinities and no numbers."""
    halves = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    c = (halves.astype(np.uint32) << 16).view(np.float32)
    _h, new = whole_tiles("lstm", np.full((4, len(c)), 100.0), halves, "bfloat16")
    one_more = torch.from_numpy(c) + 1
    right = one_more.to(torch.bfloat16)
    found = torch.from_numpy(new.view(np.int16).copy()).view(torch.bfloat16)
    assert torch.equal(found.isnan(), right.isnan())
    number = ~right.isnan()
    assert torch.equal(found[number], right[number])
    ties = one_more[one_more.isfinite()].view(torch.int32) & 0xFFFF == 0x8000
    assert ties.sum() > 100


def drawn(cell, kind, chance):
    """One tile's sums as `gates` reads them, scales, biases, and the exact W x and U h (G, 16) that these stand for."""
    G = GATES[cell]
    scales = chance.uniform(0.01, 0.02, (2, G, LANES)).astype(np.float32)
    biases = torch.from_numpy(chance.uniform(-1, 1, (2, G, LANES)).astype(np.float32))
    biases = biases.to(TORCH["bfloat16" if kind.startswith("bfloat16") else "float32"])
    records = np.zeros((2, 16), np.float32)
    if kind == "int8 limbs":
        worth, excess = np.float32([2e-5, 3e-5]), chance.integers(-(2**20), 2**20, (2, 2))
        exact = chance.integers(
            [[[[-20_000]], [[-500_000]]]], [[[[20_000]], [[500_000]]]], (2, 2, G, LANES)
        )
        sums = (exact + excess[:, :, None, None]).astype(np.int32)
        records[:, 0] = worth
        records.view(np.int32)[:, 1:3] = excess
        products = (exact[:, 0] * 256 + exact[:, 1]) * worth.astype(np.float64)[:, None, None]
    else:
        size = 200.0 if kind == "int8" else 2.0
        sums = chance.uniform(-size, size, (2, G, LANES)).astype(np.float32)
        products = sums.astype(np.float64)
    if kind.startswith("int8"):
        products = products * scales / 127
    return sums, records, scales, biases, products


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize(("kind", "activations"), KINDS)
def test_gates_are_those_of_the_equations_and_store_count_units_alone(cell, kind, activations):
    chance = np.random.default_rng(7)
    half = activations == "bfloat16"
    for count in range(1, LANES + 1):
        sums, records, scales, biases, products = drawn(cell, kind, chance)
        state = torch.from_numpy(chance.uniform(-1, 1, (1, count)).astype(np.float32))
        state = state.to(TORCH[activations])
        memory = [Guarded.of(a) for a in (sums[0], sums[1], *records, scales)]
        sums_x, sums_h, steps_x, steps_h, scaling = (m.address for m in memory)
        bias = Guarded.of(
            biases.view(torch.int16 if biases.element_size() == 2 else torch.int32).numpy()
        )
        given = Guarded.of(state.view(torch.int16 if half else torch.int32).numpy())
        h, c = Guarded(64), Guarded(64)
        compiled(cell, kind, activations)(
            1, sums_x, sums_h, steps_x, steps_h, bias.address, scaling,
            given.address, h.address, c.address, 0, count,
        )  # fmt: skip
        right = reference(cell, products, biases.double(), state.double(), count)
        for memory, exact in zip((h, c), right, strict=False):
            words = memory.as_(np.int16 if half else np.int32, -1)
            found = torch.from_numpy(words[:count].copy()).view(TORCH[activations]).double()
            allowed = 2.0**-8 if half else 1e-6
            assert ((found - exact).abs() <= allowed * exact.abs().clamp(min=1)).all(), count
            assert untouched(words[count:])
            assert memory.guards_hold()
        assert len(right) == 2 or untouched(c.bytes)


def reference(cell, products, biases, state, count):
    """`kernels.reference.cells.pointwise` in float64; each output (count,)."""
    w, u = (torch.from_numpy(part[:, :count].copy()) for part in products)
    sums = torch.cat([w[:2] + u[:2], w[2:], u[2:]]) if cell == "gru" else w + u
    b_w, b_u = (part[:, :count].reshape(-1) for part in biases)
    weights = Weights(torch.empty(0), torch.empty(0), b_w, b_u)
    return [new[0] for new in pointwise(cell, sums.reshape(1, -1), state, state, weights)]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    ("kind", "activations"), [("float32", "float32"), ("bfloat16", "bfloat16"), ("int8", "float32")]
)
def test_gates_compile_for_arm(cell, kind, activations):
    words = emitted(gates.gates, *(types.uintp,) * 10, *literals(cell, kind, activations))
    assert "x86" not in words
    assert "fmla\tv" in assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
