"""Memory probes of a GPU in Triton: one kernel, which is told when compiled what it does with each word.

It bypasses the first-level cache, so that a small working set shows the second level and a large one the device's
memory. A launch makes all its passes itself, because a small block is read in less than a launch takes. One compiled
kernel serves any number of passes, so that nothing is compiled while they are doubled until they last long enough. A
program that lives on reads the same groups in every pass, so that a set which does not fit the second level is never
found there: where programs took each other's groups in turn, those that ran ahead left them in the cache for the
others, and an H200 seemed to read 256 MiB at 8.8 TB/s. There are as many programs as make their shares equal.

A processor must have 30 KB in flight, bandwidth times latency. So a program that lives on copies its groups to shared
memory some stages ahead; where it loaded to registers, the compiler took three loads at a time, whatever stood in the
source. An H200 gave 4.64 TB/s to groups of 16 KB in four stages, over 4 GiB, and 4.55 to groups that were loaded ahead
to registers. There are variants, too, with a program for every group of every pass: programs that live on fall behind
one another. There an H200's memory was written at 4.35 TB/s, by PyTorch's kernels, which do not, at 4.67, and an H100's
second level was read at 7.80 where programs of a group each, in C++, read at 8.21. But sets that nearly fill a second
level are found there again only by programs that live on.
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
EACH = 0
"""In place of a number of programs: one for every group of every pass."""


class Variant(NamedTuple):
    """Tiles of a group, words of a tile, programs for each processor, warps of a program, stages of its loads."""

    tiles: int
    words: int
    programs: int
    warps: int
    stages: int = 1

    @property
    def name(self) -> str:
        """As a profile states it."""
        programs = "each" if self.programs == EACH else self.programs
        stages = f"x{self.stages}" if self.stages > 1 else ""
        return f"{self.tiles}x{self.words}x{programs}x{self.warps}{stages}"

    @property
    def group(self) -> int:
        """Words of a group: of what a program takes at once."""
        return self.tiles * self.words


VARIANTS = (
    Variant(1, 2048, EACH, 4),
    Variant(1, 8192, EACH, 16),
    Variant(1, 16384, EACH, 8),
    Variant(1, 1024, 8, 4, 4),
    Variant(1, 8192, 1, 8, 6),
)
WRITING = (
    Variant(1, 1024, EACH, 4),
    Variant(2, 1024, EACH, 4),
    Variant(1, 4096, EACH, 8),
    Variant(1, 1024, 12, 4),
    Variant(4, 2048, 4, 8),
)
OF_KIND = {"read": VARIANTS, "write": WRITING, "copy": WRITING, "triad": WRITING}
"""Variants by kind."""


def probe(
    kind: str,
) -> tuple[str, str, tuple[Variant, ...], Callable[..., int], Callable[..., Any]]:
    """KIND, UNIT, VARIANTS, `bytes_per_pass` and `prepare` of a kind's module: those below but for the kind."""
    return kind, "byte/s", OF_KIND[kind], partial(bytes_per_pass, kind), partial(prepare, kind)


def words_each(kind: str, variant: Variant, size_bytes: int) -> int:
    """Words of each stream of a block: whole groups."""
    return size_bytes // (4 * STREAMS[kind]) // variant.group * variant.group


def bytes_per_pass(kind: str, variant: Variant, size_bytes: int) -> int:
    """Bytes a pass over a block of `size_bytes` loads and stores; 0 for too small a block."""
    return 4 * STREAMS[kind] * words_each(kind, variant, size_bytes)


def prepare(
    kind: str, variant: Variant, memory: Tensor, processors: int
) -> tuple[Callable[[int], None], Tensor]:
    """A function of the number of passes over `memory` (int32), in one launch, and where read's sums are left.

    There is a sum for each program, of all passes of the last launch; with a program for every group of every pass, one
    for each group, of all passes of all launches. Other kinds than read overwrite memory. Raises ValueError for too
    small a block.
    """
    once = variant.programs == EACH
    each = words_each(kind, variant, memory.numel() * 4)
    if not each:
        raise ValueError(
            f"{memory.numel() * 4} bytes are too few for the {kind} probe's variant {variant.name}"
        )
    groups = each // variant.group
    most = max(1, min(variant.programs * processors, groups))
    programs = -(-groups // -(-groups // most))
    sums = torch.zeros(groups if once else programs, dtype=torch.int32, device=memory.device)
    words = memory.view(torch.float32) if kind in ("write", "triad") else memory
    told: dict[str, Any] = {"KIND": kind, "TILES": variant.tiles, "WORDS": variant.words}
    told |= {"ONCE": once, "STAGES": variant.stages}

    def run(passes: int) -> None:
        walk[(passes * groups if once else programs,)](
            words, sums, groups, passes, SCALE, **told, num_warps=variant.warps, **OPTIONS
        )

    return run, sums


@triton.jit(do_not_specialize=["groups", "passes"])
def walk(
    words,
    sums,
    groups,
    passes,
    scale,
    KIND: tl.constexpr,
    TILES: tl.constexpr,
    WORDS: tl.constexpr,
    ONCE: tl.constexpr,
    STAGES: tl.constexpr,
):
    """All passes of one program, over every so many groups of streams that hold `groups` each; as KIND's module says.

    There are no more programs than groups, or with ONCE as many as all passes have. `write` leaves the number of passes
    plus `scale`.
    """
    group, programs = tl.program_id(0), tl.num_programs(0)
    count = groups.to(tl.int64) * (TILES * WORDS)
    turns = passes.to(tl.int64) * ((groups - group + programs - 1) // programs)
    at = words + tl.arange(0, WORDS)
    if ONCE:
        first = at + (group % groups).to(tl.int64) * (TILES * WORDS)
        if KIND == "read":
            found = tl.zeros((WORDS,), tl.int32)
            for tile in tl.static_range(TILES):
                found += tl.load(first + tile * WORDS, cache_modifier=".cg")
            tl.atomic_add(sums + group % groups, tl.sum(found, axis=0), sem="relaxed")
        else:
            move(first, count, passes, scale, KIND, TILES, WORDS)
    elif KIND == "read":
        found = tl.zeros((WORDS,), tl.int32)
        for _ in tl.range(0, turns, num_stages=STAGES):
            first = at + group.to(tl.int64) * (TILES * WORDS)
            for tile in tl.static_range(TILES):
                found += tl.load(first + tile * WORDS, cache_modifier=".cg")
            group = following(group, programs, groups)
        tl.store(sums + tl.program_id(0), tl.sum(found, axis=0))
    else:
        for _ in range(turns):
            first = at + group.to(tl.int64) * (TILES * WORDS)
            move(first, count, passes, scale, KIND, TILES, WORDS)
            group = following(group, programs, groups)


@triton.jit
def move(first, count, passes, scale, KIND: tl.constexpr, TILES: tl.constexpr, WORDS: tl.constexpr):
    """A group of what writes."""
    if KIND == "write":
        value = tl.zeros((WORDS,), tl.float32) + passes + scale
        for tile in tl.static_range(TILES):
            tl.store(first + tile * WORDS, value, cache_modifier=".cg")
    elif KIND == "copy":
        held = tiles(first, TILES, WORDS)
        for tile in tl.static_range(TILES):
            tl.store(first + count + tile * WORDS, held[tile], cache_modifier=".cg")
    else:
        b = tiles(first + count, TILES, WORDS)
        c = tiles(first + 2 * count, TILES, WORDS)
        for tile in tl.static_range(TILES):
            tl.store(first + tile * WORDS, b[tile] + scale * c[tile], cache_modifier=".cg")


@triton.jit
def tiles(first, TILES: tl.constexpr, WORDS: tl.constexpr):
    """A group's tiles, loaded past the first-level cache."""
    found = ()
    for tile in tl.static_range(TILES):
        found = found + (tl.load(first + tile * WORDS, cache_modifier=".cg"),)
    return found


@triton.jit
def following(group, programs, groups):
    """The group that a program takes after this one, from its first one again."""
    group += programs
    return tl.where(group >= groups, tl.program_id(0), group)
