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


def limbs_of(floats, per_unit, apart=24):
    """Whole numbers that the limbs stand for, by group of 4; both sums; and the memory."""
    target = Guarded(4 * apart)
    source = Guarded.of(np.float32(floats))
    sums = split(source.address, len(floats), np.float32(per_unit), target.address, np.uintp(apart))
    groups = target.as_(np.int8, 4, apart)[:, :8].reshape(4, 2, 4).astype(np.int64)
    assert target.guards_hold()
    assert untouched(target.as_(np.uint8, 4, apart)[:, 8:])
    return groups[:, 0] * 256 + groups[:, 1], groups, sums


@pytest.mark.parametrize("count", range(1, LANES + 1))
def test_limbs_make_up_the_rounded_value_and_the_filling_is_zero(count):
    floats = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    per_unit = np.float32(limbs.LARGEST / abs(floats).max())
    whole, groups, sums = limbs_of(floats, per_unit)
    used = -(-count // 4)
    right = np.zeros(4 * used, np.int64)
    right[:count] = np.rint(floats * per_unit)
    assert np.array_equal(whole[:used].reshape(-1), right)
    assert sums == (groups[:used, 0].sum(), groups[:used, 1].sum())
    assert untouched(groups[used:].astype(np.int8))


def test_limbs_round_to_even_and_reach_the_largest_value_of_either_sign():
    whole, groups, sums = limbs_of([0.5, 1.5, -0.5, -2.5, 1, -1, 0, -0.0], 1)
    assert whole[:2].tolist() == [[0, 2, 0, -2], [1, -1, 0, 0]]
    whole, groups, sums = limbs_of([1, -1, 127.5 / 32512, 128 / 32512], limbs.LARGEST)
    assert whole[0].tolist() == [limbs.LARGEST, -limbs.LARGEST, 128, 128]
    assert groups[0].tolist() == [[127, -127, 1, 1], [0, 0, -128, -128]]
    assert sums == (2, -256)


def test_zeros_have_zero_limbs():
    whole, _groups, sums = limbs_of([0] * 16, 0)
    assert not whole.any()
    assert sums == (0, 0)


def test_what_is_not_finite_has_limbs_all_the_same():
    """Its worth says that it is none (see `limbs.in_limbs`)."""
    whole, _groups, sums = limbs_of([np.nan, np.inf, -np.inf, 1], 0)
    assert whole[0].tolist() == [0, 0, 0, 0]
    assert sums == (0, 0)


def test_limbs_compile_for_arm():
    words = emitted(limbs.split, types.uintp, types.int64, types.float32, types.uintp, types.uintp)
    assert "x86" not in words
    assert "frintx\tv" in assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
