"""Products as LLVM vectors, against numpy in float64 and in whole numbers."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest
from numba import types

from kernels.vector import limbs, llvm, products
from kernels.vector.llvm import LANES
from kernels.vector.products import DEPTH
from tests.kernels import marks
from tests.kernels.emitted import assembled, emitted, literals
from tests.kernels.memory import Guarded

PORTABLE = sorted(DEPTH.keys() - products.NEEDS.keys())
TILES = [
    # vectors, sequences, streams, gates, lines prefetched, sections prefetched, turns
    (1, 1, 1, 1, 0, 0, 1),
    (4, 1, 2, 4, 0, 1, 7),
    (2, 3, 1, 4, 2, 0, 37),
    (1, 9, 1, 3, 1, 0, 16),
    (3, 2, 3, 3, 2, 0, 17),
    (3, 8, 1, 3, 0, 2, 33),
]


@pytest.fixture(params=DEPTH)
def kind(request):
    if not products.runs(request.param):
        pytest.skip(f"this processor has no {products.NEEDS[request.param]}")
    return request.param


@cache
def compiled_products(kind, N, B, S, G, prefetched, sections):
    @numba.njit
    def run(weights, part, apart, inputs, turns, sums, sums_apart, ahead, section):
        products.products(
            weights, part, apart, inputs, turns, sums, sums_apart, ahead, section,
            kind, N, B, S, G, prefetched, sections,
        )  # fmt: skip

    return run


def arranged(given):
    """[turns][batch][limbs][depth] as products want it; what stands behind the last turn is not counted."""
    turns, filling = len(given), -len(given) % products.TURNS
    shape = (-1, products.TURNS, *given.shape[1:])
    whole = np.concatenate([given, np.full((filling, *given.shape[1:]), 77, given.dtype)])
    assert turns
    return np.ascontiguousarray(np.moveaxis(whole.reshape(shape), 1, 3))


def bfloat16(numbers):
    """The upper halves of these floats, and the numbers that they are."""
    halves = (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return halves, (halves.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def drawn(kind, chance, weights_shape, inputs_shape):
    """Weights and inputs as the kind keeps them, and the numbers they stand for."""
    numbers = chance.uniform(-1, 1, weights_shape).astype(np.float32)
    given = chance.uniform(-1, 1, inputs_shape).astype(np.float32)
    if kind.startswith("int8"):
        weights = chance.integers(-128, 128, weights_shape).astype(np.int8)
        if kind == "int8 limbs":
            given = chance.integers(-128, 128, inputs_shape).astype(np.int8)
            return weights, weights.astype(np.int64) + 128, given, given.astype(np.int64)
        return weights, weights.astype(np.float64), given, given.astype(np.float64)
    if kind.startswith("bfloat16"):
        pair = bfloat16(numbers)
        if kind == "bfloat16 pairs":
            return *pair, *bfloat16(given)
        return *pair, given, given.astype(np.float64)
    return numbers, numbers.astype(np.float64), given, given.astype(np.float64)


@pytest.mark.parametrize(("N", "B", "S", "G", "prefetched", "sections", "turns"), TILES)
def test_products_are_added_to_what_is_there_and_nothing_else_is_stored(
    kind, N, B, S, G, prefetched, sections, turns
):
    chance = np.random.default_rng(turns)
    limbs_each, depth, unused = (2 if kind == "int8 limbs" else 1), DEPTH[kind], 64
    weights, w, inputs, x = drawn(
        kind, chance, (S, turns, G * LANES, depth), (turns, B, limbs_each, depth)
    )
    tile_bytes = weights[0].nbytes
    packed = Guarded(S * (tile_bytes + unused))
    for s in range(S):
        start = s * (tile_bytes + unused)
        packed.bytes[start : start + tile_bytes] = weights[s].reshape(-1).view(np.uint8)
    dtype = np.int32 if kind == "int8 limbs" else np.float32
    before = chance.integers(-9, 9, (S, B * limbs_each + 1, G, LANES)).astype(dtype)
    given, sums = Guarded.of(arranged(inputs)), Guarded.of(before)
    run = compiled_products(kind, N, B, S, G, prefetched, sections)
    apart = np.uintp(tile_bytes + unused), np.uintp(before[0].nbytes)
    behind = np.uintp((G - N) * llvm.LINE_BYTES)
    run(
        packed.address,
        behind,
        apart[0],
        given.address,
        np.uintp(turns),
        sums.address + behind,
        apart[1],
        np.uintp(8192),
        np.uintp(0),
    )
    exact = np.einsum("stnk,tbdk->sbdn", w, x).reshape(S, B * limbs_each, G, LANES)[:, :, G - N :]
    found = sums.as_(dtype, *before.shape)
    mine, already = found[:, :-1, G - N :], before[:, :-1, G - N :]
    if kind == "int8 limbs":
        assert np.array_equal(mine, exact + already)
    else:
        size = np.einsum("stnk,tbdk->sbdn", abs(w), abs(x)).reshape(S, B, G, LANES)[:, :, G - N :]
        worst = 2.0**-23 * (turns * depth + 1) * (size + abs(already))
        assert (abs(mine - exact - already) <= worst).all()
    assert np.array_equal(found[:, -1], before[:, -1])
    assert np.array_equal(found[:, :, : G - N], before[:, :, : G - N])
    assert sums.guards_hold()


def test_sums_of_limbs_are_exact_up_to_as_many_terms_as_are_allowed():
    """Largest weights with largest limbs: the sums wrap round, and less 128 times the limbs they are right again."""
    kind, turns = "int8 limbs", limbs.MOST_TERMS // 4
    if not products.runs(kind):
        pytest.skip(f"this processor has no {products.NEEDS[kind]}")
    weights = Guarded.of(np.full((turns, LANES, 4), -128, np.int8))
    limbs_each = Guarded.of(arranged(np.tile(np.int8([[-128] * 4, [127] * 4]), (turns, 1, 1, 1))))
    sums, none = Guarded.of(np.zeros((2, LANES), np.int32)), np.uintp(0)
    compiled_products(kind, 1, 1, 1, 1, 0, 0)(
        weights.address,
        none,
        none,
        limbs_each.address,
        np.uintp(turns),
        sums.address,
        none,
        none,
        none,
    )
    excess = 4 * turns * 128 * np.int64([-128, 127])
    found = sums.as_(np.int32, 2, LANES) - excess.astype(np.int32)[:, None]
    right = 4 * turns * -128 * np.int64([-128, 127])
    assert np.array_equal(found, np.tile(right[:, None], LANES))


@pytest.mark.parametrize(("S", "G", "shares"), [(1, 4, [2, 1, 1]), (2, 3, [4, 2]), (4, 1, [1] * 4)])
def test_sections_are_every_line_of_the_rows_ahead_once_and_none_else(monkeypatch, S, G, shares):
    """With marks in memory in the place of prefetches; 20 rows, and those that lie 24 rows ahead."""
    turns, ahead, row = 20, 24, G * llvm.LINE_BYTES
    monkeypatch.setattr(llvm, "prefetch", marks.behind())
    weights = Guarded(S * 3 * ahead * row)
    weights.bytes[:] = 0
    given = Guarded.of(np.zeros((2, products.TURNS), np.float32))
    sums = Guarded.of(np.zeros((S, 1, G, LANES), np.float32))
    sizes = 3 * ahead * row, given.address, turns, sums.address, row, ahead * row
    section = 0
    for share in shares:
        run = compiled_products.__wrapped__("float32", G, 1, S, G, 0, share)
        run(*(np.uintp(one) for one in (weights.address, 0, *sizes, section)))
        section += share
    asked = weights.as_(np.uint8, S, 3 * ahead * G, llvm.LINE_BYTES)[:, :, 0]
    assert (asked[:, ahead * G : (ahead + turns) * G] == 1).all()
    assert weights.as_(np.uint8, S * 3 * ahead * row).sum() == S * turns * G


@pytest.mark.parametrize("kind", PORTABLE)
def test_products_that_run_everywhere_compile_for_arm(kind):
    words = emitted(products.products, *(types.uintp,) * 9, *literals(kind, 4, 1, 1, 4, 4, 0))
    assert "x86" not in words
    assembly = assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
    assert "fmla\tv" in assembly
    assert "prfm\tpldl2keep" in assembly
