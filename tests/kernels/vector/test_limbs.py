"""Activations in limbs, against numpy in whole numbers."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba import types

from kernels.vector import limbs
from kernels.vector.llvm import LANES
from tests.kernels.emitted import assembled, emitted
from tests.kernels.memory import Guarded, untouched


@numba.njit
def split(floats, count, per_unit, target, apart):
    return limbs.split(floats, count, per_unit, target, apart)


@numba.njit
def largest_bits(floats, count):
    return limbs.largest_bits(floats, count)


def limbs_of(floats, per_unit):
    """Whole numbers that the limbs stand for, both limbs, and their sums: in blocks three times as far apart."""
    apart = 3 * limbs.LIMBS * limbs.BLOCK
    blocks, lanes = -(-len(floats) // limbs.BLOCK), -(-len(floats) // LANES) * LANES
    target = Guarded(blocks * apart)
    source = Guarded.of(np.float32(floats))
    count = np.uintp(len(floats))
    sums = split(source.address, count, np.float32(per_unit), target.address, np.uintp(apart))
    all_blocks = target.as_(np.int8, blocks, 3 * limbs.LIMBS, limbs.BLOCK)
    assert target.guards_hold()
    assert untouched(all_blocks[:, limbs.LIMBS :])
    high, low = (all_blocks[:, limb].reshape(-1) for limb in range(limbs.LIMBS))
    assert untouched(high[lanes:])
    assert untouched(low[lanes:])
    high, low = high[:lanes].astype(np.int64), low[:lanes].astype(np.int64)
    return high * 256 + low, (high, low), sums


@pytest.mark.parametrize("count", [*range(1, LANES + 1), 63, 64, 65, 128, 150, 1000])
def test_limbs_make_up_the_rounded_value_and_the_filling_is_zero(count):
    floats = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    per_unit = np.float32(limbs.LARGEST / abs(floats).max())
    whole, (high, low), sums = limbs_of(floats, per_unit)
    right = np.zeros(len(whole), np.int64)
    right[:count] = np.rint(floats * per_unit)
    assert np.array_equal(whole, right)
    assert sums == (high.sum(), low.sum())


@pytest.mark.parametrize("count", [1, 16, 63, 64, 65, 150])
def test_a_sequence_in_limbs_lies_in_blocks_of_64_neighbours(count):
    """High limbs of 64, then the low ones, and as much again that belongs to another sequence."""
    floats = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    blocks = -(-count // limbs.BLOCK)
    target, record = Guarded.of(np.zeros((blocks, 4, limbs.BLOCK), np.int8)), Guarded(16)
    source = Guarded.of(floats)
    limbs.in_limbs(source.address, count, target.address, np.uintp(4 * limbs.BLOCK), record.address)
    found = target.as_(np.int8, blocks, 4, limbs.BLOCK).astype(np.int64)
    assert not found[:, 2:].any()
    high, low = found[:, 0].reshape(-1), found[:, 1].reshape(-1)
    worth = record.as_(np.float32, 4)[0]
    right = np.rint(floats * (np.float32(limbs.LARGEST) / abs(floats).max()))
    assert np.array_equal((256 * high + low)[:count], right)
    assert not high[count:].any()
    assert not low[count:].any()
    assert worth == abs(floats).max() / np.float32(limbs.LARGEST)
    assert record.as_(np.int32, 4)[1:3].tolist() == [128 * high.sum(), 128 * low.sum()]


def test_limbs_round_to_even_and_reach_the_largest_value_of_either_sign():
    whole, _both, sums = limbs_of([0.5, 1.5, -0.5, -2.5, 1, -1, 0, -0.0], 1)
    assert whole[:8].tolist() == [0, 2, 0, -2, 1, -1, 0, 0]
    whole, (high, low), sums = limbs_of([1, -1, 127.5 / 32512, 128 / 32512], limbs.LARGEST)
    assert whole[:4].tolist() == [limbs.LARGEST, -limbs.LARGEST, 128, 128]
    assert high[:4].tolist() == [127, -127, 1, 1]
    assert low[:4].tolist() == [0, 0, -128, -128]
    assert sums == (2, -256)


def test_zeros_have_zero_limbs():
    whole, _both, sums = limbs_of([0] * 16, 0)
    assert not whole.any()
    assert sums == (0, 0)


def test_what_is_not_finite_has_limbs_all_the_same():
    """Its worth says that it is none (see `limbs.in_limbs`)."""
    whole, _both, sums = limbs_of([np.nan, np.inf, -np.inf, 1], 0)
    assert not whole.any()
    assert sums == (0, 0)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40, 1000])
@pytest.mark.parametrize("value", [2.5, -2.5, np.inf, -np.inf])
def test_the_largest_is_found_wherever_it_is_and_nothing_behind(count, value):
    for place in {0, count // 2, count - 1}:
        floats = np.full(-(-count // LANES) * LANES, 3e38, np.float32)
        floats[:count] = np.random.default_rng(count).uniform(-2, 2, count)
        floats[place] = value
        source = Guarded.of(floats)
        bits = largest_bits(source.address, np.uintp(count))
        assert np.int32(bits).view(np.float32) == abs(np.float32(value))


def test_what_is_no_number_is_above_infinity():
    source = Guarded.of(np.float32([np.inf, np.nan, 1]))
    bits = largest_bits(source.address, np.uintp(3))
    assert np.isnan(np.int32(bits).view(np.float32))


def test_limbs_compile_for_arm():
    words = emitted(limbs.split, *(types.uintp,) * 2, types.float32, *(types.uintp,) * 2)
    assert "x86" not in words
    assert "frintx\tv" in assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
    words = emitted(limbs.largest_bits, types.uintp, types.uintp)
    assert "x86" not in words
    assert assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
