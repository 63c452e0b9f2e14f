"""The arithmetic roof: products whose FLOPs are counted right, and tiles as large as the steps' own."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bench.roofs import matmul
from kernels.reference.inputs import Arena
from kernels.vector import cuts, products
from tests.bench.roofs.alone import one_thread


def kept_blocks(patch):
    """Where the memory of tiles prepared from now on is found."""
    blocks = []

    class Kept(matmul.Arena):
        def __init__(self, *given):
            super().__init__(*given)
            blocks.append(self)

    patch.setattr(matmul, "Arena", Kept)
    return blocks


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_flops_of_a_product_are_what_pytorch_counts(dtype):
    variant = matmul.Shape(24, 16, 40)
    run = matmul.prepare(variant, dtype)
    with FlopCounterMode(display=False) as counter:
        run(3)
    assert counter.get_total_flops() == 3 * matmul.flops(variant, dtype, 2)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_the_flops_of_a_tile_are_those_of_its_product_in_pytorch(dtype):
    tile = matmul.tile(dtype)
    weights = matmul.TURNS * tile.vectors * 64
    elements = weights // {"float32": 4, "bfloat16": 2, "int8": 1}[dtype]
    rows = tile.vectors * 16
    with FlopCounterMode(display=False) as counter:
        torch.ones(rows, elements // rows) @ torch.ones(elements // rows, tile.batch)
    assert matmul.flops(tile, dtype, 3) == counter.get_total_flops() * matmul.REPEATS * 3
    assert weights <= 16 << 10  # half of the smallest first cache there is


@pytest.mark.parametrize(("known", "dtype", "tile"), [
    ((32, 1), "float32", (4, 6)), ((32, 1), "bfloat16", (4, 6)), ((32, 1), "int8", (4, 3)),
    ((16, 2), "float32", (1, 6)), ((32, 4), "float32", (1, 6)),
])  # fmt: skip
def test_the_roof_has_as_many_sums_in_registers_as_the_tiles_of_steps(
    monkeypatch, known, dtype, tile
):
    """Of AVX-512, AVX2 and NEON; 24 sums, 4 lines and an activation are 29 registers of 32."""
    monkeypatch.setattr(matmul, "registers", lambda: known)
    monkeypatch.setattr(cuts, "registers", lambda: known)
    assert matmul.tile(dtype) == tile
    for batch in range(1, 65):
        for cut in cuts.cuts(4, matmul.DTYPES[dtype], batch, 64, 2):
            step = cut.streams * cut.vectors, cut.sequences
            assert loads_each(*step, dtype, known[1]) >= loads_each(*tile, dtype, known[1])


def loads_each(lines, sequences, dtype, registers_a_line):
    """Loads for each multiply-add."""
    columns = sequences * products.limbs(matmul.DTYPES[dtype])
    return 1 / (lines * registers_a_line) + 1 / columns


def test_a_tile_adds_products_of_what_lies_in_its_memory(monkeypatch):
    blocks = kept_blocks(monkeypatch)
    tile = matmul.tile("float32")
    with one_thread():
        matmul.prepare(tile, "float32")(1)
    (memory,) = blocks
    rows, weights = tile.vectors * 16, matmul.TURNS * tile.vectors * 16
    before, after = (
        one.sets(((one.size_bytes // 4,),), "float32", 1)[0][0]
        for one in (Arena(memory.size_bytes, "cpu", 0), memory)
    )
    W = after[:weights].view(matmul.TURNS, rows).double()
    x = after[weights : weights + matmul.TURNS * tile.batch].view(-1, tile.batch, 16).double()
    by_turn = x.transpose(1, 2).reshape(matmul.TURNS, tile.batch)
    added, there = (
        one[weights + matmul.TURNS * tile.batch :][: tile.batch * rows].view(-1, rows).double()
        for one in (after, before)
    )
    of_tile = matmul.REPEATS * (W.T @ by_turn).T
    assert torch.allclose(added - there, of_tile, rtol=1e-3, atol=1e-3 * float(of_tile.abs().max()))


def test_threads_share_all_products_of_tiles_out_among_them(monkeypatch):
    """Two threads' products on one thread: the first to come leaves none to the tile of the other."""
    blocks = kept_blocks(monkeypatch)
    monkeypatch.setattr(matmul.numba, "get_num_threads", lambda: 2)
    run = matmul.prepare(matmul.tile("float32"), "float32")
    monkeypatch.undo()
    (memory,) = blocks
    (floats,) = memory.sets(((memory.size_bytes // 4,),), "float32", 1)[0]
    mine, other = floats.view(2, -1)
    before = other.clone()
    with one_thread():
        run(1)
    assert torch.equal(other, before)
    assert not torch.equal(mine[: len(before)], before)


def test_the_products_are_large_enough_that_no_memory_is_in_the_way():
    for variant in matmul.SHAPES:
        moved = 4 * (variant.M * variant.K + variant.K * variant.N + variant.M * variant.N)
        assert matmul.flops(variant, "float32", 1) / moved > 100


def test_the_operands_of_a_product_are_neither_zero_nor_the_same():
    seen = []

    def mm(left, right, out):
        seen.extend([left, right])
        return out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "mm", mm)
        matmul.prepare(matmul.Shape(8, 9, 10), "float32")(1)
    left, right = seen
    assert (left.shape, right.shape) == ((8, 9), (9, 10))
    assert (left != 0).all()
    assert left.std() > 0.3
    assert right.std() > 0.3
