"""Compiled probes and steps that are kept on disk have a name each: of two by one name, the wrong one may be called."""

from __future__ import annotations

import re

import numba
import pytest

from bench.roofs import _shared, _vector, matmul
from kernels.case import CELLS, Case
from kernels.implementations import numba_fused
from kernels.vector import cuts, products, step, tiles


@pytest.fixture
def kept(monkeypatch):
    """Names under which functions are kept from here on; nothing is compiled."""
    names = []

    def njit(**options):
        def note(function):
            if options.get("cache"):
                names.append(function.__qualname__)
            return function

        return note

    monkeypatch.setattr(numba, "njit", njit)
    return names


def test_every_kind_of_step_is_kept_under_a_name_of_its_own(kept):
    dtypes = ("float32", "float32"), ("bfloat16", "float32"), ("bfloat16", "bfloat16")
    kinds = {
        numba_fused.skeleton(Case(cell, 37, 13, 1, dtype=dtype, activations=activations))
        for cell in CELLS
        for dtype, activations in (*dtypes, ("int8", "float32"))
    }
    for kind in kinds:
        step.compiled.__wrapped__(kind)
    assert len(kept) == len(kinds) == 12
    assert len(set(kept)) == len(kept)
    assert all(re.fullmatch(r"step_\w+", name) for name in kept)


def test_every_tile_is_kept_under_a_name_of_its_own(monkeypatch):
    names = []
    monkeypatch.setattr(
        numba,
        "cfunc",
        lambda *_signature, **_options: lambda one: names.append(one.__qualname__),
    )
    some = {
        tiles.Tile(kind, cut.vectors, cut.sequences, cut.streams, G, lines, sections)
        for kind in products.DEPTH
        for G in (1, 3, 4)
        for batch in (1, 2, 3, 4, 17, 35)
        for cut in cuts.cuts(G, kind, batch, 64, 2)
        for lines, sections in ((0, 0), (1, 0), (0, 1))
    }
    for tile in some:
        tiles.compiled.__wrapped__(tile)
    assert len(set(names)) == len(names) == len(some) > 100


def test_every_kind_of_probe_is_kept_under_a_name_of_its_own(kept):
    for kind in _vector.VARIANTS:
        _shared.compiled.__wrapped__(kind)
    tiles = [(matmul.Tile(vectors, batch), kind) for vectors in (1, 4) for batch in (2, 6)
             for kind in matmul.DTYPES.values()]  # fmt: skip
    for tile, kind in tiles:
        matmul._compile.__wrapped__(tile, kind)
    assert len(kept) == len(_vector.VARIANTS) + len(tiles)
    assert len(set(kept)) == len(kept)
