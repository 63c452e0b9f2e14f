"""The compiled step of `numba_fused`: threads share blocks of packed weights; sums and gates stay with the thread.

How a case is cut is no part of it: a plan holds numbers, and addresses of compiled tiles. What it is compiled for
reaches the functions as literals. They are functions of this module, not closures: numba does not find a closure over a
compiled function in its cache again. Only whole steps and tiles are kept there, each in its own file: two processes
that add variants of one function at once may take one number for both.
"""

from collections.abc import Callable
from functools import cache
from sys import intern
from typing import NamedTuple

import numba
import numpy as np
from numba import carray, prange, uintp

from kernels.case import GATES
from kernels.vector.activations import arrange, order_of
from kernels.vector.gates import gates
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.parallel import for_all_threads, pointer, take
from kernels.vector.products import DEPTH, GROUP_BYTES, TURNS, limbs
from kernels.vector.tiles import run

OWN, SHARES = 3, 4
"""Shares of the blocks that are a thread's own. Who is done takes from the rest: cores are not alike, or in use."""


class Skeleton(NamedTuple):
    """What a step is compiled for; how it is cut, its plan says."""

    cell: str
    kind: str
    activations: str


class Plan(NamedTuple):
    """How a step is cut, as the compiled step reads it: numbers and addresses of tiles.

    streams     blocks read at once
    vectors     gates of a block that a tile multiplies; the others follow in further parts
    most        sequences of the first `full` passes; the `less` others have one sequence less
    chunk       turns after which all parts and passes have gone over the same weights
    ahead       bytes that are prefetched ahead, where tiles do
    sections    that each of the first `fetching` tiles of a chunk prefetches; the others prefetch one less

    The rest are addresses of tiles:

    many              of `streams` blocks, for passes of `most` sequences
    many_less         of one sequence less
    many_fewer        of `most` sequences, that prefetch one section less
    many_less_fewer   both
    one, one_less     of the blocks that are left where `streams` does not divide them; they prefetch nothing
    """

    streams: int
    vectors: int
    most: int
    full: int
    less: int
    chunk: int
    ahead: int
    sections: int
    fetching: int
    many: int
    many_less: int
    many_fewer: int
    many_less_fewer: int
    one: int
    one_less: int


FIELDS, OF_MANY, OF_ONE = len(Plan._fields), Plan._fields.index("many"), Plan._fields.index("one")


@cache
def compiled(skeleton: Skeleton) -> Callable[..., None]:
    """The step: takes addresses of weights, scales, biases, x, h, state, h', c', sizes, and the address of its plan."""
    # interned: numba finds them in its cache by their pickle, in which one word twice is not two equal words
    cell, kind, activations = (intern(word) for word in skeleton)
    G, depth = GATES[cell], DEPTH[kind]
    per_sum = limbs(kind)
    bias_bytes = LINE_BYTES // 2 if kind.startswith("bfloat16") else LINE_BYTES
    element = 2 if activations == "bfloat16" else 4
    order = order_of(kind, activations)
    group = GROUP_BYTES[kind]

    @for_all_threads(*skeleton)
    def step(
        weights, scales, biases, x, h, state, new_h, new_c, B, I, H, threads, in_place,
        plan, work, sums_bytes, x_bytes, h_bytes, work_bytes,
    ):  # fmt: skip
        counter = uintp(work)
        carray(pointer(counter, np.int64), (1,))[0] = 0
        for thread in prange(threads):
            _share(
                thread, threads, counter, uintp(weights), uintp(scales), uintp(biases), uintp(x), uintp(h),
                uintp(state), uintp(new_h), uintp(new_c), B, I, H, in_place, uintp(plan),
                counter + uintp(LINE_BYTES + thread * work_bytes), sums_bytes, x_bytes, h_bytes,
                cell, kind, activations, G, depth, per_sum, element, bias_bytes, order, group,
            )  # fmt: skip

    return step


@numba.njit(nogil=True)
def _share(
    thread, threads, counter, weights, scales, biases, x, h, state, new_h, new_c, B, I, H,
    in_place, plan, work, sums_bytes, x_bytes, h_bytes,
    cell, kind, activations, G, depth, per_sum, element, bias_bytes, order, group,
):  # fmt: skip
    """One thread's blocks."""
    cut = carray(pointer(plan, np.int64), (FIELDS,))
    streams, most, full, less = cut[0], cut[2], cut[3], cut[4]
    x_at, h_at = work + uintp(2 * sums_bytes), work + uintp(2 * sums_bytes + B * x_bytes)
    steps = h_at + uintp(B * h_bytes)
    if in_place:
        x_at, h_at = x, h
    else:
        per_turns = depth * TURNS
        arrange(order, x, x_at, x_bytes, steps, I, most, full, less, element, per_turns, group)
        beside = steps + uintp(B * LINE_BYTES)
        arrange(order, h, h_at, h_bytes, beside, H, most, full, less, element, per_turns, group)
    blocks = (H + LANES - 1) // LANES
    each = blocks * OWN // SHARES // (threads * streams)
    for block in range(thread * each * streams, thread * each * streams + each):
        _blocks_at(streams, block, each, weights, scales, biases, x_at, h_at, state, new_h, new_c,
                   B, I, H, x_bytes, h_bytes, work, sums_bytes, steps, cut,
                   cell, kind, activations, G, depth, per_sum, element, bias_bytes, group)  # fmt: skip
    block = (threads * each + take(counter, 1)) * streams
    while block < blocks:
        at_once = streams if block + streams <= blocks else 1
        for one in range(block, min(block + streams, blocks), at_once):
            _blocks_at(at_once, one, 1, weights, scales, biases, x_at, h_at, state, new_h, new_c,
                       B, I, H, x_bytes, h_bytes, work, sums_bytes, steps, cut,
                       cell, kind, activations, G, depth, per_sum, element, bias_bytes, group)  # fmt: skip
        block = (threads * each + take(counter, 1)) * streams


@numba.njit(nogil=True)
def _blocks_at(
    S, first, each, weights, scales, biases, x, h, state, new_h, new_c, B, I, H, x_bytes, h_bytes,
    sums, sums_bytes, steps, cut, cell, kind, activations, G, depth, per_sum, element, bias_bytes, group,
):  # fmt: skip
    """New state of `S` blocks, `each` apart, the first being `first`."""
    N, most, full, less = cut[1], cut[2], cut[3], cut[4]
    chunk, ahead, sections, fetching = cut[5], cut[6], cut[7], cut[8]
    side_by_side = cut[0] == S
    row, per_sequence = G * LINE_BYTES, per_sum * G * LINE_BYTES
    turns_x, turns_h = (I + depth - 1) // depth, (H + depth - 1) // depth
    block = (turns_x + turns_h) * row
    sums_h = sums + uintp(sums_bytes)
    carray(pointer(sums, np.int32), (S * B * per_sequence // 4,))[:] = 0
    carray(pointer(sums_h, np.int32), (S * B * per_sequence // 4,))[:] = 0
    for half in range(2):
        turns = turns_h if half else turns_x
        at = weights + uintp(first * block + half * turns_x * row)
        given, bytes_each = (h, h_bytes) if half else (x, x_bytes)
        into = sums_h if half else sums
        for done in range(0, turns, chunk):
            count = min(chunk, turns - done)
            call = 0
            for part in range(0, G, N):
                sequence = 0
                for turn in range(full + less):
                    size = most if turn < full else most - 1
                    shorter = 1 if turn >= full else 0
                    tile = OF_ONE + shorter
                    if side_by_side:
                        tile = OF_MANY + shorter + (2 if call >= fetching else 0)
                    run(
                        uintp(cut[tile]),
                        at + uintp(done * row), uintp(part * LINE_BYTES), uintp(each * block),
                        given + uintp(sequence * bytes_each + size * (done // TURNS) * group),
                        uintp(count),
                        into + uintp(sequence * per_sequence + part * LINE_BYTES), uintp(B * per_sequence),
                        uintp(ahead), uintp(call * sections - max(0, call - fetching)),
                    )  # fmt: skip
                    sequence += size
                    call += 1
    for s in range(S):
        one = uintp(first + s * each)
        units = uintp(min(LANES, H - int(one) * LANES))
        for b in range(B):
            got = uintp((s * B + b) * per_sequence)
            unit = (uintp(b * H) + one * uintp(LANES)) * uintp(element)
            record = uintp(b * LINE_BYTES)
            gates(
                sums + got, sums_h + got, steps + record, steps + uintp(B * LINE_BYTES) + record,
                biases + one * uintp(2 * G * bias_bytes), scales + one * uintp(2 * G * LINE_BYTES),
                state + unit, new_h + unit, new_c + unit, units, cell, kind, activations,
            )  # fmt: skip
