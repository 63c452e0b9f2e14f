"""How a step is cut: every sequence and gate once, sums that stay in registers, on processors that are not here too."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from numba import types

from kernels.case import GATES
from kernels.vector import cuts, products
from kernels.vector.products import DEPTH
from tests.kernels.emitted import assembled, emitted, literals

BATCHES = (*range(1, 17), 20, 24, 32, 48, 64, 96, 128, 256)
X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
PROCESSORS = [
    # triple, processor, its vector registers and how many 16 floats take, what stores or loads a vector on the stack
    (X86, "znver4", (32, 1), r"zmm\d+, -?\d*\(%rsp\)|\d*\(%rsp\), %zmm"),
    (X86, "znver5", (32, 1), r"zmm\d+, -?\d*\(%rsp\)|\d*\(%rsp\), %zmm"),
    (X86, "sapphirerapids", (32, 1), r"zmm\d+, -?\d*\(%rsp\)|\d*\(%rsp\), %zmm"),
    (X86, "haswell", (16, 2), r"ymm\d+, -?\d*\(%rsp\)|\d*\(%rsp\), %ymm"),
    (ARM, "neoverse-n1", (32, 4), r"(?:str|stp|ldr|ldp)\tq\d+,[^\n]*\[(?:sp|x29)"),
]


def pieces(cut, batch, gates):
    """How often each gate of each sequence is multiplied with a row of weights."""
    met = Counter()
    for part in range(0, gates, cut.vectors):
        first = 0
        for size in cuts.passes(batch, cut.sequences):
            met.update(
                (b, part + n) for b in range(first, first + size) for n in range(cut.vectors)
            )
            first += size
    return met


@pytest.mark.parametrize("gates", GATES.values())
@pytest.mark.parametrize("kind", DEPTH)
def test_every_gate_of_every_sequence_is_multiplied_once(gates, kind):
    for batch in BATCHES:
        for cut in cuts.cuts(gates, kind, batch, 64, 2):
            met = pieces(cut, batch, gates)
            assert set(met.values()) == {1}
            assert len(met) == batch * gates
            sizes = cuts.passes(batch, cut.sequences)
            assert sizes[0] == cut.sequences
            assert set(sizes) <= {cut.sequences, cut.sequences - 1}
            assert cuts.sized(sizes) == (
                sizes[0],
                sizes.count(sizes[0]),
                len(sizes) - sizes.count(sizes[0]),
            )


@pytest.mark.parametrize("gates", GATES.values())
def test_there_are_up_to_six_cuts_and_no_two_are_called_alike(gates):
    for batch in BATCHES:
        found = cuts.cuts(gates, "float32", batch, 64, 2)
        assert 2 <= len(found) <= 6
        assert len({cut.name for cut in found}) == len(found)


def test_weights_that_are_met_again_go_in_chunks_of_the_first_cache():
    """As many as the smallest first cache holds twice, or four times that; each prefetches the one behind it.

    Weights that are met once go in chunks for the sake of what is prefetched alone.
    """
    for gates in GATES.values():
        for batch in BATCHES:
            for cut in cuts.cuts(gates, "float32", batch, 64, 2):
                again = len(cuts.passes(batch, cut.sequences)) * gates > cut.vectors
                assert not again or cut.chunk
                assert again or not cut.chunk or cut.ahead
                held = cut.streams * cut.chunk * gates * 64
                assert held <= 64 << 10
                assert cut.chunk % products.TURNS == 0
                assert not cut.chunk or cut.ahead in (0, held // cut.streams)
            found = cuts.cuts(gates, "float32", batch, 64, 2)
            assert found[0].streams * found[0].chunk * gates * 64 <= 16 << 10


def test_blocks_are_read_side_by_side_where_every_thread_has_enough_of_them():
    assert max(cut.streams for cut in cuts.cuts(1, "float32", 1, 64, 2)) > 1
    assert {cut.streams for cut in cuts.cuts(1, "float32", 1, 3, 2)} == {1}


@pytest.mark.parametrize(
    ("lines", "columns", "held"), [(4, 6, True), (4, 7, False), (1, 29, True), (1, 31, False)]
)
def test_32_registers_hold_the_sums_and_what_waits_for_them(monkeypatch, lines, columns, held):
    """24 sums, 4 lines, an activation: 29. 28 and 4 and one are 33; 29, a line and an activation 31."""
    monkeypatch.setattr(cuts, "registers", lambda: (32, 1))
    assert cuts.fits("float32", lines, columns) == held


@pytest.mark.slow
@pytest.mark.parametrize(("triple", "processor", "registers", "spilled"), PROCESSORS)
@pytest.mark.parametrize("gates", GATES.values())
def test_no_sum_leaves_the_registers(monkeypatch, triple, processor, registers, spilled, gates):
    """Of every tile that is tried: a spilled sum is stored and loaded at every row, at a half of the speed or less."""
    monkeypatch.setattr(cuts, "registers", lambda: registers)
    wide = registers == (32, 1)
    kinds = [kind for kind in DEPTH if wide or kind not in products.NEEDS]
    tiles = {
        (kind, cut.vectors, cut.sequences, cut.streams, gates, *prefetched(cut, batch, gates))
        for kind in kinds
        for batch in BATCHES
        for cut in cuts.cuts(gates, kind, batch, 64, 2)
    }
    for tile in sorted(tiles):
        words = emitted(products.products, *(types.uintp,) * 9, *literals(*tile))
        inner = loops(assembled(words, triple, processor))
        assert not re.findall(spilled, inner), (processor, tile)


def prefetched(cut, batch, gates):
    """Lines of each row and sections that the first tile of a chunk prefetches."""
    if not cut.ahead or not cut.chunk:
        return cut.vectors * (cut.ahead > 0), 0
    tiles = gates // cut.vectors * len(cuts.passes(batch, cut.sequences))
    return 0, -(-cut.streams * gates // tiles)


def loops(assembly):
    """What stands in loops: from a label to a jump back to it."""
    lines = assembly.split("\n")
    places = {
        line.split(":")[0]: n for n, line in enumerate(lines) if re.match(r"\.LBB\d+_\d+:", line)
    }
    kept = set()
    for n, line in enumerate(lines):
        target = re.search(r"\.LBB\d+_\d+$", line.strip())
        if target and places.get(target[0], n) < n:
            kept.update(range(places[target[0]], n))
    assert kept
    return "\n".join(lines[n] for n in sorted(kept))
