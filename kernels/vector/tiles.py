"""Tiles: products of a few lines of weights with a few sequences, each compiled as a C function of its own.

A step calls them by their addresses, so that one compiled step serves every way of cutting a case, and a tile takes a
tenth of a second to compile where a step takes some seconds.
"""

from functools import cache
from sys import intern
from typing import Any, NamedTuple

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.vector.llvm import I64
from kernels.vector.parallel import named
from kernels.vector.products import products

SIGNATURE = types.void(*(types.uintp,) * 9)
"""Addresses and lengths, in the order of `products`."""


class Tile(NamedTuple):
    """What a tile is compiled for; see `products`."""

    kind: str
    vectors: int
    batch: int
    streams: int
    gates: int
    prefetched: int
    sections: int


@cache
def compiled(tile: Tile) -> Any:
    """The tile, with its `address`; the next process finds it in numba's cache."""
    kind = intern(tile.kind)
    N, B, S, G, lines, sections = tile[1:]

    def multiply(weights, part, apart, inputs, turns, sums, sums_apart, ahead, section):
        products(
            weights, part, apart, inputs, turns, sums, sums_apart, ahead, section,
            kind, N, B, S, G, lines, sections,
        )  # fmt: skip

    return numba.cfunc(SIGNATURE, nopython=True, cache=True)(named(multiply, *tile))


@intrinsic
def run(
    _typing: Any, address: Any, weights: Any, part: Any, apart: Any, inputs: Any, turns: Any, sums: Any,
    sums_apart: Any, ahead: Any, section: Any,
) -> Any:  # fmt: skip
    """Call the tile at this address."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        at, *given = arguments
        function = ir.FunctionType(ir.VoidType(), [I64] * len(given))
        builder.call(builder.inttoptr(at, function.as_pointer()), given)

    return types.void(*(types.uintp,) * (1 + len(SIGNATURE.args))), generate
