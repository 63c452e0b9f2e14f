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
from numba import prange, uintp

from kernels.case import GATES
from kernels.vector.barrier import cleared, enrolled, together
from kernels.vector.gates import gates
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.parallel import for_all_threads
from kernels.vector.products import DEPTH, limbs, products
from kernels.vector.step import _ORDERS, _WIDENED, _arrange


class Shape(NamedTuple):
    """How a sequence is cut: what it is compiled for."""

    cell: str
    kind: str
    activations: str
    rows: int
    """of all inputs of all steps, per pass over a block of W"""
    sequences: int
    """per pass over a block of U"""
    streams: int
    """blocks of U read at once"""


class Places(NamedTuple):
    """Addresses and sizes that a call is given, beside weights, inputs and outputs.

    barrier   memory of the region's barriers, cleared before every call
    rows      [passes][rows_bytes] all inputs as the kind of product wants them
    units     a line for each row of all inputs: what limbs' units are worth
    sums      [blocks][T*B][limbs][gates][16] products of W with all inputs
    own       a thread's own memory, own_bytes of it: sums of U, then h as the kind wants it, then lines as `units`
    """

    barrier: int
    rows: int
    units: int
    sums: int
    own: int
    rows_bytes: int
    h_bytes: int
    sums_bytes: int
    own_bytes: int


@cache
def compiled(shape: Shape) -> Callable[..., None]:
    """The sequence of this shape: takes addresses of weights, inputs and outputs, sizes, and the places' fields."""
    # interned: numba finds them in its cache by their pickle, in which one word twice is not two equal words
    cell, kind, activations = (intern(word) for word in shape[:3])
    rows, most, streams = shape[3:]
    G, depth, per_sum = GATES[cell], DEPTH[kind], limbs(kind)
    bias_bytes = LINE_BYTES // 2 if kind.startswith("bfloat16") else LINE_BYTES
    element = 2 if activations == "bfloat16" else 4
    has_c = cell == "lstm"
    order = _WIDENED if kind == activations == "bfloat16" else _ORDERS[kind]

    @for_all_threads(*shape)
    def sequence(
        U, W, scales, biases, x, h, c, new_h, new_c, T, B, I, H, threads, in_place,
        barrier, rows_at, units_at, sums_at, own_at, rows_bytes, h_bytes, sums_bytes, own_bytes,
    ):  # fmt: skip
        cleared(uintp(barrier))
        for thread in prange(threads):
            me, members = enrolled(uintp(barrier), threads)
            if me < members:
                number = thread if members == threads else me
                own = uintp(own_at) + uintp(number * own_bytes)
                _project(
                    number, members, uintp(barrier), uintp(W), uintp(x), T * B, I, H,
                    uintp(rows_at), uintp(units_at), uintp(sums_at), rows_bytes,
                    kind, G, rows, depth, per_sum, element, order,
                )  # fmt: skip
                _steps(
                    number, members, uintp(barrier), uintp(U), uintp(scales), uintp(biases),
                    uintp(h), uintp(c), uintp(new_h), uintp(new_c), T, B, H, in_place,
                    uintp(units_at), uintp(sums_at), own, h_bytes, sums_bytes, has_c,
                    cell, kind, activations, G, most, streams, depth, per_sum, element, bias_bytes, order,
                )  # fmt: skip

    return sequence


@numba.njit(nogil=True)
def _project(
    number, members, barrier, W, x, R, I, H, rows_at, units_at, sums_at, rows_bytes,
    kind, G, rows, depth, per_sum, element, order,
):  # fmt: skip
    """Products of a thread's blocks of W with all `R` inputs, which all threads bring into order before."""
    passes, turns = (R + rows - 1) // rows, (I + depth - 1) // depth
    for one in range(number, passes, members):
        first = min(one * rows, R - rows)
        _arrange(
            order, x + uintp(first * I * element), rows_at + uintp(one * rows_bytes), rows_bytes,
            units_at + uintp(first * LINE_BYTES), rows, I, rows, element,
        )  # fmt: skip
    together(barrier, members, 1)
    block_bytes, row_bytes = turns * G * LINE_BYTES, per_sum * G * LINE_BYTES
    blocks = (H + LANES - 1) // LANES
    for block in range(number * blocks // members, (number + 1) * blocks // members):
        sums = sums_at + uintp(block * R * row_bytes)
        for one in range(passes):
            first = min(one * rows, R - rows)
            products(
                W + uintp(block * block_bytes), uintp(0), rows_at + uintp(one * rows_bytes),
                uintp(turns), sums + uintp(first * row_bytes), kind, G, rows, 1, G, 0,
            )  # fmt: skip


@numba.njit(nogil=True)
def _steps(
    number, members, barrier, U, scales, biases, h, c, new_h, new_c, T, B, H, in_place,
    units_at, sums_at, own, h_bytes, sums_bytes, has_c,
    cell, kind, activations, G, most, streams, depth, per_sum, element, bias_bytes, order,
):  # fmt: skip
    """All steps of a thread's blocks."""
    blocks = (H + LANES - 1) // LANES
    first, end = number * blocks // members, (number + 1) * blocks // members
    passes = (B + most - 1) // most
    units = own + uintp(sums_bytes + passes * h_bytes)
    before, state = h, c
    for t in range(T):
        h_at = before
        if not in_place:
            h_at = own + uintp(sums_bytes)
            _arrange(order, before, h_at, h_bytes, units, B, H, most, element)
        after = new_h + uintp(t * B * H * element)
        state = (c if t == 0 else new_c) if has_c else before
        block = first
        while block + streams <= end:
            _blocks_at(
                streams, block, t, T, B, H, U, scales, biases, h_at, h_bytes, units, units_at, sums_at, own,
                state, after, new_c, cell, kind, activations, G, most, depth, per_sum, element, bias_bytes,
            )  # fmt: skip
            block += streams
        while block < end:
            _blocks_at(
                1, block, t, T, B, H, U, scales, biases, h_at, h_bytes, units, units_at, sums_at, own,
                state, after, new_c, cell, kind, activations, G, most, depth, per_sum, element, bias_bytes,
            )  # fmt: skip
            block += 1
        before = after
        if t + 1 < T:
            together(barrier, members, t + 2)


@numba.njit(nogil=True)
def _blocks_at(
    S, first, t, T, B, H, U, scales, biases, h_at, h_bytes, units_h, units_x, sums_x, sums,
    state, after, new_c, cell, kind, activations, G, most, depth, per_sum, element, bias_bytes,
):  # fmt: skip
    """Step t of `S` blocks from the first one on."""
    turns, row_bytes = (H + depth - 1) // depth, per_sum * G * LINE_BYTES
    block_bytes = turns * G * LINE_BYTES
    for one in range((B + most - 1) // most):
        there = min(one * most, B - most) * row_bytes
        products(
            U + uintp(first * block_bytes), uintp(block_bytes), h_at + uintp(one * h_bytes),
            uintp(turns), sums + uintp(there), kind, G, most, S, G, 0,
        )  # fmt: skip
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
