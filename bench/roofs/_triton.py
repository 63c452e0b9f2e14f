"""Memory probes of a GPU in Triton: one kernel, which is told when compiled what it does with each word.

It bypasses the first-level cache, so that a small working set shows the second level and a large one the device's
memory. A launch makes all its passes itself, because a small block is read in less than a launch takes. One compiled
kernel serves any number of passes, so that nothing is compiled while they are doubled until they last long enough.
Each program walks the block in strides of all programs' tiles. Not run on a card yet.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kernels.case import Unavailable

try:
    import triton
    import triton.language as tl
except ImportError as missing:
    raise Unavailable(
        f"a GPU's memory probes need Triton, and a step without its roof is no result: {missing}"
    ) from missing

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


def probe(
    kind: str,
) -> tuple[str, str, tuple[Variant, ...], Callable[..., int], Callable[..., Any]]:
    """KIND, UNIT, VARIANTS, `bytes_per_pass` and `prepare` of a kind's module: those below but for the kind."""
    return kind, "byte/s", VARIANTS, partial(bytes_per_pass, kind), partial(prepare, kind)


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
    words = memory.view(torch.float32) if kind in ("write", "triad") else memory
    told: dict[str, Any] = {"KIND": kind, "TILE": variant.tile, "num_warps": variant.warps}

    def run(passes: int) -> None:
        walk[(programs,)](words, sums, each, passes, SCALE, **told, **OPTIONS)

    return run, sums


@triton.jit(do_not_specialize=["passes"])
def walk(words, sums, count, passes, scale, KIND: tl.constexpr, TILE: tl.constexpr):
    """All passes of one program over its tiles of streams that lie `count` words apart; as KIND's module says."""
    found = tl.zeros((TILE,), tl.int32)
    first = tl.program_id(0).to(tl.int64) * TILE
    for number in range(passes):
        for start in range(first, count, tl.num_programs(0) * TILE):
            at = words + start + tl.arange(0, TILE)
            if KIND == "read":
                found += tl.load(at, cache_modifier=".cg")
            elif KIND == "write":
                value = tl.zeros((TILE,), tl.float32) + number + 0.5
                tl.store(at, value, cache_modifier=".cg")
            elif KIND == "copy":
                tl.store(at + count, tl.load(at, cache_modifier=".cg"), cache_modifier=".cg")
            else:
                b = tl.load(at + count, cache_modifier=".cg")
                c = tl.load(at + 2 * count, cache_modifier=".cg")
                tl.store(at, b + scale * c, cache_modifier=".cg")
    if KIND == "read":
        tl.store(sums + tl.program_id(0), tl.sum(found, axis=0))
