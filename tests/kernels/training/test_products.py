"""A tile's products as LLVM vectors, against numpy, in memory with guards; and for Arm."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest
from numba import types, uintp

from kernels.training import backward, forward, lines
from kernels.vector import activations
from kernels.vector.llvm import LANES
from tests.kernels.emitted import assembled, emitted, literals
from tests.kernels.memory import Guarded

ROWS, LINES = 2, 5
AROUND = (0, 1)


@cache
def compiled_back(around):
    @numba.njit
    def run(weights, gradients, x, dx, d, lines, batch):
        backward.back(
            weights, gradients, x, dx, d, uintp(lines), uintp(batch), uintp(0), ROWS, around
        )

    return run


@numba.njit
def run_dots(weights, x, apart, lines, sums):
    forward.dots(weights, x, uintp(apart), uintp(lines), sums, weights, ROWS, 3, 2)


@numba.njit
def run_totals(sums, target):
    forward.totals(sums, target)


@numba.njit
def run_side_by_side(source, count, target, size):
    activations.side_by_side(source, count, target, size, LANES, 64, 4, 4)


@numba.njit
def run_gather(parts, apart, threads, target, count):
    lines.gather(parts, uintp(apart), uintp(threads), target, uintp(count))


def drawn(*shape):
    return np.random.default_rng(shape).uniform(-1, 1, shape).astype(np.float32)


def test_dots_add_the_products_of_a_few_sequences():
    """Of a batch of 4 the first 3; rows from the second on are another tile's."""
    weights, x, before = drawn(LINES, ROWS, LANES), drawn(LINES, 4, LANES), drawn(3, LANES, LANES)
    sums, *given = (Guarded.of(array) for array in (before, weights, x))
    run_dots(given[0].address, given[1].address, 4 * 64, LINES, sums.address)
    found = sums.as_(np.float32, 3, LANES, LANES)
    right = before + 0
    right[:, :ROWS] += np.einsum("lrk,lbk->brk", weights, x[:, :3])
    np.testing.assert_allclose(found, right, atol=1e-6)
    assert np.array_equal(found[:, ROWS:], before[:, ROWS:])
    assert sums.guards_hold()


def test_totals_are_each_rows_and_leave_zeros():
    given = drawn(LANES, LANES)
    sums, target = Guarded.of(given), Guarded(64)
    run_totals(sums.address, target.address)
    np.testing.assert_allclose(target.as_(np.float32, LANES), given.sum(axis=1), atol=1e-6)
    assert not sums.bytes.any()
    assert sums.guards_hold()
    assert target.guards_hold()


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("batch", [1, 4])
def test_back_writes_gradients_and_adds_to_those_of_x(around, batch):
    weights, x, before = (
        drawn(LINES, ROWS, LANES),
        drawn(LINES, batch, LANES),
        drawn(LINES, batch, LANES),
    )
    d = drawn(batch, LANES)
    gradients, dx = Guarded(weights.nbytes), Guarded.of(before)
    given = [Guarded.of(array) for array in (weights, x, d)]
    weights_at, x_at, d_at = (memory.address for memory in given)
    compiled_back(around)(weights_at, gradients.address, x_at, dx.address, d_at, LINES, batch)
    of_weights = np.einsum("br,lbk->lrk", d[:, :ROWS], x)
    of_x = before + np.einsum("br,lrk->lbk", d[:, :ROWS], weights)
    np.testing.assert_allclose(gradients.as_(np.float32, *weights.shape), of_weights, atol=1e-6)
    np.testing.assert_allclose(dx.as_(np.float32, *x.shape), of_x, atol=1e-6)
    assert gradients.guards_hold()
    assert dx.guards_hold()


@pytest.mark.parametrize("count", [1, 15, 16, 17, 32, 33])
def test_arranged_activations_end_in_zeros(count):
    given = drawn(3, count)
    lines = -(-count // LANES)
    target, source = Guarded(lines * 3 * 64), Guarded.of(given)
    run_side_by_side(source.address, count, target.address, 3)
    found = target.as_(np.float32, lines, 3, LANES).swapaxes(0, 1).reshape(3, -1)
    assert np.array_equal(found[:, :count], given)
    assert not found[:, count:].any()
    assert target.guards_hold()


@pytest.mark.parametrize("count", [1, 15, 16])
def test_a_line_is_gathered_from_all_threads(count):
    parts, target = drawn(3, 2, LANES), Guarded(4 * count)
    source = Guarded.of(parts)
    run_gather(source.address, 2 * 64, 3, target.address, count)
    right = parts[:, 0].sum(axis=0)[:count]
    np.testing.assert_allclose(target.as_(np.float32, count), right, atol=1e-6)
    assert target.guards_hold()


def test_they_compile_for_arm():
    for intrinsic, addresses, constants in (
        (forward.dots, 6, (2, 3, 1)),
        (backward.back, 8, (2, 1)),
        (forward.totals, 2, ()),
    ):
        words = emitted(intrinsic, *(types.uintp,) * addresses, *literals(*constants))
        assert "x86" not in words
        assert assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
