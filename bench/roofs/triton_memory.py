"""Memory roofs of a GPU, in Triton: read, write, copy and triad. They bypass the first-level cache, so that a small
working set shows the second level and a large one the device's memory. Not run on a card yet.

    read    every 4-byte word is loaded once per pass and added up, modulo 2**32. Bytes: the block's
    write   every word is stored once per pass. Bytes: the block's
    copy    the first half of a block is copied to the second. Bytes: both halves
    triad   of three thirds a, b, c: a = b + s c. Bytes: all three. FLOPs: 2 per 12 bytes

A launch makes all its passes itself, because a small block is read in less than a launch takes. One compiled kernel
serves any number of passes, so that nothing is compiled while they are doubled until they last long enough. Sums do not
depend on their order, so an answer is right or wrong. Each program walks the block in strides of all programs' tiles.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

KINDS = ("read", "write", "copy", "triad")
UNIT = "byte/s"
STREAMS = {"read": 1, "write": 1, "copy": 2, "triad": 3}
"""Blocks that a kind walks side by side."""
SCALE = 0.5
"""Of triad: its products are exact."""


OPTIONS = {"enable_fp_fusion": True}
"""Of the compiler; versions of Triton differ in what they do where none is given."""


class Variant(NamedTuple):
    """Words of a program's tile, programs for each processor, warps of a program."""

    tile: int
    programs: int
    warps: int

    @property
    def name(self) -> str:
        """As a profile states it."""
        return f"{self.tile}x{self.programs}x{self.warps}"


VARIANTS = (
    Variant(1024, 8, 4),
    Variant(2048, 8, 4),
    Variant(4096, 4, 4),
    Variant(4096, 4, 8),
    Variant(8192, 2, 8),
)


def words_each(kind: str, variant: Variant, size_bytes: int) -> int:
    """Words of each stream of a block: whole tiles."""
    return size_bytes // (4 * STREAMS[kind]) // variant.tile * variant.tile


def bytes_per_pass(kind: str, variant: Variant, size_bytes: int) -> int:
    """Bytes a pass over a block of `size_bytes` loads and stores; 0 for too small a block."""
    return 4 * STREAMS[kind] * words_each(kind, variant, size_bytes)


def prepare(
    kind: str, variant: Variant, memory: Tensor, processors: int
) -> tuple[Callable[[int], None], Tensor]:
    """A function of the number of passes over `memory` (int32), in one launch, and where read's sums are left.

    The sums, one a program, are those of all passes. Other kinds than read overwrite memory. Raises ValueError for too
    small a block.
    """
    each = words_each(kind, variant, memory.numel() * 4)
    if not each:
        raise ValueError(
            f"{memory.numel() * 4} bytes are too few for the {kind} probe's variant {variant.name}"
        )
    programs = min(variant.programs * processors, each // variant.tile)
    sums = torch.zeros(programs, dtype=torch.int32, device=memory.device)
    options: dict[str, Any] = {"TILE": variant.tile, "num_warps": variant.warps, **OPTIONS}
    if kind == "triad":
        options["scale"] = SCALE
    floats = memory.view(torch.float32)
    ways: dict[str, tuple[Any, ...]] = {
        "read": (read, memory, sums),
        "write": (write, floats),
        "copy": (copy, memory),
        "triad": (triad, floats),
    }
    kernel, *blocks = ways[kind]

    def run(passes: int) -> None:
        kernel[(programs,)](*blocks, each, passes, **options)

    return run, sums


def total(sums: Tensor) -> int:
    """Read's answer: the sum of all words of all passes, as a signed number of 32 bits."""
    return (int(sums.sum(dtype=torch.int64)) + 2**31) % 2**32 - 2**31


@triton.jit(do_not_specialize=["passes"])
def read(words, sums, count, passes, TILE: tl.constexpr):
    """Each program's sum of the words it walks."""
    found = tl.zeros((TILE,), tl.int32)
    first = tl.program_id(0).to(tl.int64) * TILE
    for _ in range(passes):
        for start in range(first, count, tl.num_programs(0) * TILE):
            found += tl.load(words + start + tl.arange(0, TILE), cache_modifier=".cg")
    tl.store(sums + tl.program_id(0), tl.sum(found, axis=0))


@triton.jit(do_not_specialize=["passes"])
def write(words, count, passes, TILE: tl.constexpr):
    """The number of the pass and a half, everywhere."""
    first = tl.program_id(0).to(tl.int64) * TILE
    for number in range(passes):
        value = tl.zeros((TILE,), tl.float32) + number + 0.5
        for start in range(first, count, tl.num_programs(0) * TILE):
            tl.store(words + start + tl.arange(0, TILE), value, cache_modifier=".cg")


@triton.jit(do_not_specialize=["passes"])
def copy(words, count, passes, TILE: tl.constexpr):
    """The first half to the second."""
    first = tl.program_id(0).to(tl.int64) * TILE
    for _ in range(passes):
        for start in range(first, count, tl.num_programs(0) * TILE):
            at = words + start + tl.arange(0, TILE)
            tl.store(at + count, tl.load(at, cache_modifier=".cg"), cache_modifier=".cg")


@triton.jit(do_not_specialize=["passes"])
def triad(words, count, passes, scale, TILE: tl.constexpr):
    """The first third from the other two."""
    first = tl.program_id(0).to(tl.int64) * TILE
    for _ in range(passes):
        for start in range(first, count, tl.num_programs(0) * TILE):
            at = words + start + tl.arange(0, TILE)
            b = tl.load(at + count, cache_modifier=".cg")
            c = tl.load(at + 2 * count, cache_modifier=".cg")
            tl.store(at, b + scale * c, cache_modifier=".cg")
