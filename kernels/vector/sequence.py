"""The compiled sequence of `numba_sequence`: T steps in one parallel region, each thread with the same blocks of U.

A block is 16 units with all their gates. First every thread multiplies all inputs of all steps with W's rows of its
blocks, in passes of some rows over each block, which the second level holds from pass to pass. Then it goes through its
blocks of U once a step, and a barrier parts the steps. Blocks are shared out once: a core reads the same part of U at
every step, and has it in its own cache where it fits. The new h of a step is what the call returns of it, at an address
of its own, so that nobody can overwrite what another still reads, and one barrier a step is enough.

As in `step.py`, what a sequence is compiled for reaches the functions as literals.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-decorators=False

from collections.abc import Callable
from functools import cache
from sys import intern
from typing import NamedTuple

import numba
import numpy as np
from numba import carray, prange, uintp

from kernels.case import GATES
from kernels.vector.activations import arrange, order_of
from kernels.vector.barrier import cleared, enrolled, together
from kernels.vector.gates import gates
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.parallel import for_all_threads, pointer
from kernels.vector.products import DEPTH, GROUP_BYTES, TURNS, limbs
from kernels.vector.step import Skeleton
from kernels.vector.tiles import run


class Plan(NamedTuple):
    """How a sequence is cut, as its compiled function reads it: numbers, and addresses of tiles of all gates.

    Passes over a block of W of `rows` of all inputs, `rows_full` of them and `rows_less` with one row less, by a tile
    for each; after `chunk` turns of k the next pass. Likewise passes over a block of U of `most` sequences; there
    `streams` blocks are read at once, and by tiles for one block those that are left.
    """

    rows: int
    rows_full: int
    rows_less: int
    chunk: int
    rows_tile: int
    rows_tile_less: int
    streams: int
    most: int
    full: int
    less: int
    many: int
    many_less: int
    one: int
    one_less: int


class Places(NamedTuple):
    """Addresses and sizes that a call is given, beside weights, inputs and outputs.

    barrier   memory of the region's barriers, cleared before every call
    plan      the numbers of a Plan
    rows      [T*B][rows_bytes] all inputs as the kind of product wants them, pass by pass
    units     a line for each row of all inputs: what limbs' units are worth
    sums      [blocks][T*B][limbs][gates][16] products of W with all inputs
    own       a thread's own memory, own_bytes of it: sums of U, then h as the kind wants it, then lines as `units`
    """

    barrier: int
    plan: int
    rows: int
    units: int
    sums: int
    own: int
    rows_bytes: int
    h_bytes: int
    sums_bytes: int
    own_bytes: int


@cache
def compiled(skeleton: Skeleton) -> Callable[..., None]:
    """The sequence: takes addresses of weights, inputs and outputs, sizes, and the places' fields."""
    # interned: numba finds them in its cache by their pickle, in which one word twice is not two equal words
    cell, kind, activations = (intern(word) for word in skeleton)
    G, depth, per_sum, group = GATES[cell], DEPTH[kind], limbs(kind), GROUP_BYTES[kind]
    bias_bytes = LINE_BYTES // 2 if kind.startswith("bfloat16") else LINE_BYTES
    element = 2 if activations == "bfloat16" else 4
    has_c = cell == "lstm"
    order = order_of(kind, activations)

    @for_all_threads(*skeleton)
    def sequence(
        U, W, scales, biases, x, h, c, new_h, new_c, T, B, I, H, threads, in_place,
        barrier, plan, rows_at, units_at, sums_at, own_at, rows_bytes, h_bytes, sums_bytes, own_bytes,
    ):  # fmt: skip
        cleared(uintp(barrier))
        for thread in prange(threads):
            me, members = enrolled(uintp(barrier), threads)
            if me < members:
                number = thread if members == threads else me
                own = uintp(own_at) + uintp(number * own_bytes)
                _project(
                    number, members, uintp(barrier), uintp(plan), uintp(W), uintp(x), T * B, I, H,
                    uintp(rows_at), uintp(units_at), uintp(sums_at), rows_bytes,
                    G, depth, per_sum, element, order, group,
                )  # fmt: skip
                _steps(
                    number, members, uintp(barrier), uintp(plan), uintp(U), uintp(scales), uintp(biases),
                    uintp(h), uintp(c), uintp(new_h), uintp(new_c), T, B, H, in_place,
                    uintp(units_at), uintp(sums_at), own, h_bytes, sums_bytes, has_c,
                    cell, kind, activations, G, depth, per_sum, element, bias_bytes, order, group,
                )  # fmt: skip

    return sequence


@numba.njit(nogil=True)
def _read(plan):
    """The Plan whose numbers lie at this address."""
    n = carray(pointer(plan, np.int64), (14,))
    return Plan(
        n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13],
    )  # fmt: skip


@numba.njit(nogil=True)
def _project(
    number, members, barrier, plan, W, x, R, I, H, rows_at, units_at, sums_at, rows_bytes,
    G, depth, per_sum, element, order, group,
):  # fmt: skip
    """Products of a thread's blocks of W with all `R` inputs, which all threads bring into order before."""
    cut = _read(plan)
    most, full, passes, chunk = cut.rows, cut.rows_full, cut.rows_full + cut.rows_less, cut.chunk
    for one in range(number, passes, members):
        first, size = one * most - max(0, one - full), most if one < full else most - 1
        arrange(
            order, x + uintp(first * I * element), rows_at + uintp(first * rows_bytes), rows_bytes,
            units_at + uintp(first * LINE_BYTES), I, size, 1, 0, element, depth * TURNS, group,
        )  # fmt: skip
    together(barrier, members, 1)
    turns = (I + depth - 1) // depth
    line, row_bytes = G * LINE_BYTES, per_sum * G * LINE_BYTES
    blocks = (H + LANES - 1) // LANES
    for block in range(number * blocks // members, (number + 1) * blocks // members):
        at = W + uintp(block * turns * line)
        sums = sums_at + uintp(block * R * row_bytes)
        carray(pointer(sums, np.int32), (R * row_bytes // 4,))[:] = 0
        for done in range(0, turns, chunk):
            first = 0
            for one in range(passes):
                size = most if one < full else most - 1
                run(
                    uintp(cut.rows_tile if one < full else cut.rows_tile_less),
                    at + uintp(done * line), uintp(0), uintp(0),
                    rows_at + uintp(first * rows_bytes + size * (done // TURNS) * group),
                    uintp(min(chunk, turns - done)), sums + uintp(first * row_bytes), uintp(0), uintp(0), uintp(0),
                )  # fmt: skip
                first += size


@numba.njit(nogil=True)
def _steps(
    number, members, barrier, plan, U, scales, biases, h, c, new_h, new_c, T, B, H, in_place,
    units_at, sums_at, own, h_bytes, sums_bytes, has_c,
    cell, kind, activations, G, depth, per_sum, element, bias_bytes, order, group,
):  # fmt: skip
    """All steps of a thread's blocks."""
    cut = _read(plan)
    streams = cut.streams
    blocks = (H + LANES - 1) // LANES
    first, end = number * blocks // members, (number + 1) * blocks // members
    units = own + uintp(sums_bytes + B * h_bytes)
    before, state = h, c
    for t in range(T):
        h_at = before
        if not in_place:
            h_at = own + uintp(sums_bytes)
            arrange(
                order, before, h_at, h_bytes, units, H, cut.most, cut.full, cut.less, element, depth * TURNS, group,
            )  # fmt: skip
        after = new_h + uintp(t * B * H * element)
        state = (c if t == 0 else new_c) if has_c else before
        groups = (end - first) // streams
        alone = end - first - groups * streams
        for turn in range(groups + alone):
            # there and back: what a core read last is the likeliest to be in its cache
            one = groups + alone - 1 - turn if t % 2 else turn
            at_once = streams if one < groups else 1
            block = first + min(one, groups) * streams + max(0, one - groups)
            _blocks_at(
                at_once, block, t, T, B, H, cut, U, scales, biases, h_at, h_bytes, units, units_at,
                sums_at, own, state, after, new_c,
                cell, kind, activations, G, depth, per_sum, element, bias_bytes,
            )  # fmt: skip
        before = after
        if t + 1 < T:
            together(barrier, members, t + 2)


@numba.njit(nogil=True)
def _blocks_at(
    S, first, t, T, B, H, cut, U, scales, biases, h_at, h_bytes, units_h, units_x, sums_x, sums,
    state, after, new_c, cell, kind, activations, G, depth, per_sum, element, bias_bytes,
):  # fmt: skip
    """Step t of `S` blocks from the first one on."""
    most, full = cut.most, cut.full
    tile, tile_less = (cut.many, cut.many_less) if cut.streams == S else (cut.one, cut.one_less)
    turns, row_bytes = (H + depth - 1) // depth, per_sum * G * LINE_BYTES
    block_bytes = turns * G * LINE_BYTES
    carray(pointer(sums, np.int32), (S * B * row_bytes // 4,))[:] = 0
    sequence = 0
    for one in range(full + cut.less):
        run(
            uintp(tile if one < full else tile_less), U + uintp(first * block_bytes), uintp(0), uintp(block_bytes),
            h_at + uintp(sequence * h_bytes), uintp(turns), sums + uintp(sequence * row_bytes),
            uintp(B * row_bytes), uintp(0), uintp(0),
        )  # fmt: skip
        sequence += most if one < full else most - 1
    for s in range(S):
        block = first + s
        count = uintp(min(LANES, H - block * LANES))
        for b in range(B):
            unit = uintp((b * H + block * LANES) * element)
            row = t * B + b
            gates(
                sums_x + uintp((block * T * B + row) * row_bytes),
                sums + uintp((s * B + b) * row_bytes),
                units_x + uintp(row * LINE_BYTES), units_h + uintp(b * LINE_BYTES),
                biases + uintp(block * 2 * G * bias_bytes), scales + uintp(block * 2 * G * LINE_BYTES),
                state + unit, after + unit, new_c + unit, count, cell, kind, activations,
            )  # fmt: skip
