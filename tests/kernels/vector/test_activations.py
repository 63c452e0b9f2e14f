"""Activations in the order of the products, against numpy; what a copy of 16 becomes on other machines."""

from __future__ import annotations

import numpy as np
import pytest
from numba import types

from kernels.vector import activations
from kernels.vector.limbs import BLOCK, LIMBS, in_limbs
from kernels.vector.llvm import LINE_BYTES
from kernels.vector.products import DEPTH, GROUP_BYTES, TURNS
from tests.kernels.emitted import assembled, emitted, literals
from tests.kernels.memory import Guarded, untouched

COPIED = [
    ("float32", "float32", np.float32),
    ("bfloat16", "float32", np.float32),
    ("bfloat16", "bfloat16", np.uint16),
    ("bfloat16 pairs", "bfloat16", np.uint16),
    ("int8", "float32", np.float32),
]


def in_blocks(given, kind, sizes):
    """What `arrange` is to make of activations (B, count): [pass][block][sequence of the pass][neighbours]."""
    per_block = DEPTH[kind] * TURNS
    if given.dtype == np.uint16 and kind != "bfloat16 pairs":
        given = (given.astype(np.uint32) << 16).view(np.float32)
    count = given.shape[1]
    wanted = np.zeros((len(given), -(-count // per_block), per_block), given.dtype)
    wanted.reshape(len(given), -1)[:, :count] = given
    passes = np.split(wanted, np.cumsum(sizes)[:-1])
    return np.concatenate([one.transpose(1, 0, 2).reshape(-1) for one in passes])


@pytest.mark.parametrize(("kind", "given_as", "dtype"), COPIED)
@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200])
@pytest.mark.parametrize("sizes", [(1,), (3,), (2, 1), (4, 4, 3, 3)])
def test_every_pass_has_its_sequences_side_by_side(kind, given_as, dtype, count, sizes):
    random = np.random.default_rng(count)
    given = random.integers(0, 1 << 16, (sum(sizes), count)).astype(dtype)
    right = in_blocks(given, kind, sizes)
    target = Guarded(right.nbytes)
    source = Guarded.of(given)
    per_block, block_bytes = DEPTH[kind] * TURNS, GROUP_BYTES[kind]
    bytes_each = -(-count // per_block) * block_bytes
    full = sizes.count(sizes[0])
    activations.arrange(
        activations.order_of(kind, given_as), source.address, target.address, bytes_each, np.uintp(0), count,
        sizes[0], full, len(sizes) - full, given.itemsize, per_block, block_bytes,
    )  # fmt: skip
    filled = in_blocks(np.ones((len(given), -(-count // 16) * 16), dtype), kind, sizes) != 0
    found = target.as_(right.dtype, len(right))
    assert found[filled].tobytes() == right[filled].tobytes()
    assert untouched(found[~filled])
    assert target.guards_hold()


@pytest.mark.parametrize("count", [1, 64, 65, 150])
@pytest.mark.parametrize("sizes", [(1,), (2, 1), (4, 4, 3, 3)])
def test_limbs_of_every_pass_are_those_of_its_sequences(count, sizes):
    """Beside what `in_limbs` makes of each sequence alone."""
    batch, blocks = sum(sizes), -(-count // BLOCK)
    given = np.random.default_rng(count).uniform(-1, 1, (batch, count)).astype(np.float32)
    given *= np.arange(1, batch + 1, dtype=np.float32)[:, None]
    block_bytes, source = LIMBS * BLOCK, Guarded.of(given)
    target, records = Guarded(batch * blocks * block_bytes), Guarded(batch * LINE_BYTES)
    full = sizes.count(sizes[0])
    activations.arrange(
        activations.order_of("int8 limbs", "float32"), source.address, target.address, blocks * block_bytes,
        records.address, count, sizes[0], full, len(sizes) - full, 4, BLOCK, block_bytes,
    )  # fmt: skip
    found = np.split(
        target.as_(np.int8, batch * blocks, block_bytes), blocks * np.cumsum(sizes)[:-1]
    )
    rows = [
        row
        for one, size in zip(found, sizes, strict=True)
        for row in one.reshape(blocks, size, -1).swapaxes(0, 1)
    ]
    for b, row in enumerate(rows):
        alone, record = Guarded(blocks * block_bytes), Guarded(LINE_BYTES)
        one = Guarded.of(given[b])
        in_limbs(one.address, count, alone.address, np.uintp(block_bytes), record.address)
        assert np.array_equal(row.reshape(-1), alone.as_(np.int8, blocks * block_bytes))
        assert np.array_equal(records.as_(np.uint8, batch, LINE_BYTES)[b], record.bytes)
    assert target.guards_hold()
    assert records.guards_hold()


@pytest.mark.parametrize(("given", "wanted"), [(4, 4), (2, 2), (2, 4)])
@pytest.mark.parametrize(
    ("triple", "cpu"), [("aarch64-unknown-linux-gnu", "neoverse-n1"), ("x86_64", "haswell")]
)
def test_a_copy_compiles_for_other_processors(given, wanted, triple, cpu):
    arguments = types.uintp, types.uintp, types.uintp, *literals(given, wanted)
    assert assembled(emitted(activations.copied, *arguments), triple, cpu)
