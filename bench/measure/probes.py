"""What a step is timed beside: the read probe over its own memory, those that store, the matrix product, the floor."""

from dataclasses import dataclass, field, replace
from typing import Any

import torch

from bench import roofs
from bench.device.device import Walk
from bench.measure import rotation
from bench.measure.context import Context
from bench.timing import rounds
from kernels import roofline_model
from kernels.case import Case, Unavailable
from kernels.contract import Implementation
from kernels.reference.inputs import ALIGNMENT, Arena, draw

VARIANT_TURNS = 4
"""How often each variant of a memory probe has its turn when the best for a working set is sought."""

HOPELESS = 0.9
"""Of the best rate so far: what is slower has no further turn."""

PROBE_SECONDS = 0.002
"""Least length of a sample that only tells which variant is fastest, or about how long a pass takes."""

FLOOR_SIZE = 8
FLOOR_SECONDS = 0.003
"""Least length of a sample of the floor, where it is not sampled in every round."""


@dataclass(frozen=True)
class Probe:
    """Something that a step is timed beside, and how many bytes or FLOPs a call of it is.

    `block` is the memory that it walks, whose address alone the contender knows: here it is kept.
    """

    contender: rounds.Contender
    amount: int
    block: Arena | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ReadProbe(Probe):
    """The read probe over the sets of weights a step rotates through, or the nearest to them that it can walk."""

    walk: Walk
    seconds_per_pass: float


def read_probe(context: Context, walk: Walk) -> ReadProbe:
    """The probe that walks its block's first `sets` blocks of `one_set` bytes, and its time alone.

    It reads each block `times` times in a row, as often as the step goes through one set. Where a set is too small for
    it, it walks as `nearest` says.
    """
    walked = nearest(context, walk)
    block = context.memory(walked.one_set * walked.sets, packed=walked.packed)
    variant = best_variant(context, walked)
    run, size = context.device.probe("read", variant, block, walked)
    contender = rounds.Contender(run)
    alone = context.best(contender, 2, PROBE_SECONDS)
    return ReadProbe(contender, size, walked, alone, block=block)


def nearest(context: Context, walk: Walk) -> Walk:
    """The walk itself, or where its sets are too small for the probe, the nearest that is none too small.

    That of the most threads that can share such a set; and where one thread cannot, the smallest set that it can walk,
    doubling, and as many of them as the same memory holds.
    """
    device, found = context.device, walk
    variants = roofs.load(device.name, "read").VARIANTS
    while not any(device.bytes_per_pass("read", variant, found) for variant in variants):
        if found.threads > 1:
            found = found._replace(threads=found.threads - 1)
        else:
            larger = 2 * found.one_set or ALIGNMENT
            found = found._replace(one_set=larger, sets=max(1, found.sets // 2))
    return found


def best_variant(context: Context, walk: Walk) -> Any:
    """The variant of the read probe that is fastest over this memory; tried once for walks that are alike, in turns.

    Raises Unavailable where the sets are larger than the arena. None may be too small: see `nearest`.
    """
    need = walk.one_set * walk.sets
    block = context.memory(need, packed=walk.packed)
    if need > block.size_bytes:
        raise Unavailable(
            f"{walk.sets} sets of {walk.one_set} bytes are more than the arena's {context.arena.size_bytes}"
        )
    known, kind = context.cache.variants, alike(walk)
    if kind not in known:
        known[kind] = _fastest(context, "read", block, walk)
    return known[kind]


def alike(walk: Walk) -> Walk:
    """What walks have in common for which one variant is the fastest: sizes of a set and of all, to a power of two."""
    whole = (walk.one_set * walk.sets).bit_length()
    return walk._replace(one_set=walk.one_set.bit_length(), sets=whole)


def _fastest(context: Context, kind: str, block: Arena, walk: Walk) -> Any:
    """The variant of the most bytes a second by the best of its short samples, taken in turns; None where none can.

    What its first turns leave behind HOPELESS times the best has no more.
    """
    device, rates = context.device, dict[Any, float]()
    for turn in range(VARIANT_TURNS):
        least = HOPELESS * max(rates.values(), default=0.0) if turn else 0.0
        for variant in roofs.load(device.name, kind).VARIANTS:
            if turn and rates.get(variant, 0.0) < least:
                continue
            run, size = device.probe(kind, variant, block, walk)
            if size:
                rate = size / context.best(rounds.Contender(run), 1, PROBE_SECONDS)
                rates[variant] = max(rate, rates.get(variant, 0.0))
    return max(rates, key=lambda variant: rates[variant], default=None)


def store_probes(
    context: Context, bytes_moved: dict[str, int], walk: Walk
) -> tuple[Probe | None, Probe | None]:
    """The write and the triad probe to pair with, where more than `WRITTEN_SHARE` of all bytes are written.

    They overwrite blocks of their own, by the variants that are fastest there: as large as what a step writes, and as
    what it walks and writes in all, up to where streamed weights end. None where less is written, and where that is too
    small a block to be shared out.
    """
    written = bytes_moved["written"]
    if written <= roofline_model.WRITTEN_SHARE * (bytes_moved["read"] + written):
        return None, None
    writing = _storing(context, "write", written, walk)
    touched = min(walk.one_set * walk.sets + written, max(context.span_bytes, written))
    return writing, _storing(context, "triad", touched, walk) if writing else None


def _storing(context: Context, kind: str, size: int, walk: Walk) -> Probe | None:
    device, blocks, known = context.device, context.cache.stored, context.cache.store_variants
    if kind not in blocks or blocks[kind].size_bytes < size:
        blocks.pop(kind, None)  # before another one is allocated
        blocks[kind] = Arena(size, device.name, context.seed)
    block, over = blocks[kind], Walk(size, 1, walk.threads)
    if (kind, over) not in known:
        known[kind, over] = _fastest(context, kind, block, over)
    if known[kind, over] is None:
        return None
    run, moved = device.probe(kind, known[kind, over], block, over)
    return Probe(rounds.Contender(run), moved, block=block)


def arithmetic_probe(context: Context, case: Case, flops: float, t_bytes: float) -> Probe | None:
    """The matrix product to pair with, where arithmetic takes more than half the `t_bytes` seconds."""
    found = [
        (*context.arithmetic[dtype, case.threads], dtype)
        for dtype in roofline_model.arithmetic(case.dtype, case.activations)
        if (dtype, case.threads) in context.arithmetic
    ]
    if not found:
        return None
    flop_per_s, variant, dtype = max(found, key=lambda roof: roof[0])
    if flops / flop_per_s <= t_bytes / 2:
        return None
    matmul = context.device.matmul
    contender = rounds.Contender(matmul.prepare(variant, dtype))
    return Probe(contender, matmul.flops(variant, dtype, case.threads))


def floor(
    context: Context, case: Case, name: str, implementation: Implementation
) -> rounds.Contender | None:
    """The same call with next to no work, H = I = 8, B = 1; built once per kind of call.

    None where the implementation cannot compute that: a library may have no kernel for so small a step.
    """
    small = replace(case, hidden=FLOOR_SIZE, input=FLOOR_SIZE, batch=1, residency="resident")
    floors, kind = context.cache.floors, (name, small)
    if kind not in floors:
        floors[kind] = _floor(context, small, implementation)
    return floors[kind]


def _floor(
    context: Context, small: Case, implementation: Implementation
) -> rounds.Contender | None:
    try:
        if implementation.unavailable(small):
            return None
        sets = context.arena.sets(implementation.layout(small), small.dtype, 1)
        inputs = draw(small, torch.Generator(device=small.device).manual_seed(context.seed))
        steps = rotation.prepare(context, implementation, small, sets, inputs)
        return rounds.Contender(rotation.in_turn([call for _, _, call in steps]))
    except Exception:  # noqa: BLE001 - of whatever a library lacks for it; a device that is lost, the point tells
        return None
