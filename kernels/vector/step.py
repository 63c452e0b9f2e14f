"""The compiled step of `numba_fused`: threads share blocks of packed weights; sums and gates stay with the thread.

What a step is compiled for reaches the functions as literals. They are functions of this module, not closures: numba
does not find a closure over a compiled function in its cache again. Only whole steps are kept there, each in its own
file: two processes that add variants of one function at once may take one number for both.
"""

from collections.abc import Callable
from functools import cache
from sys import intern
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import carray, prange, uintp

from kernels.case import GATES
from kernels.vector.gates import gates
from kernels.vector.limbs import in_limbs
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.parallel import for_all_threads, named, pointer, take
from kernels.vector.products import DEPTH, limbs, products

OWN, SHARES = 7, 8
"""Shares of the blocks that are a thread's own; who is done takes from the rest, for memory serves no two alike."""


class Shape(NamedTuple):
    """How a step is cut: what it is compiled for."""

    cell: str
    kind: str
    activations: str
    vectors: int
    """of rows side by side: the gates of a block, or a part of them"""
    sequences: int
    """per pass over the weights"""
    streams: int
    """blocks read at once"""
    ahead: int
    """bytes prefetched ahead"""


@cache
def compiled(shape: Shape) -> Callable[..., None]:
    """The step of this shape: takes addresses of weights, scales, biases, x, h, state, h', c', and sizes."""
    # interned: numba finds them in its cache by their pickle, in which one word twice is not two equal words
    cell, kind, activations = (intern(word) for word in shape[:3])
    N, most, streams, ahead = shape[3:]
    G, depth = GATES[cell], DEPTH[kind]
    per_sum = limbs(kind)
    bias_bytes = LINE_BYTES // 2 if kind.startswith("bfloat16") else LINE_BYTES
    element = 2 if activations == "bfloat16" else 4
    widened = kind == activations == "bfloat16"
    order = _WIDENED if widened else _ORDERS[kind]

    @for_all_threads(*shape)
    def step(
        weights, scales, biases, x, h, state, new_h, new_c, B, I, H, threads, in_place,
        work, sums_bytes, x_bytes, h_bytes, work_bytes,
    ):  # fmt: skip
        counter = uintp(work)
        carray(pointer(counter, np.int64), (1,))[0] = 0
        for thread in prange(threads):
            _share(
                thread, threads, counter, uintp(weights), uintp(scales), uintp(biases), uintp(x), uintp(h),
                uintp(state), uintp(new_h), uintp(new_c), B, I, H, in_place,
                counter + uintp(LINE_BYTES + thread * work_bytes), sums_bytes, x_bytes, h_bytes,
                cell, kind, activations, G, N, most, streams, ahead, depth, per_sum, element, bias_bytes, order,
            )  # fmt: skip

    return step


@numba.njit(nogil=True)
def _share(
    thread, threads, counter, weights, scales, biases, x, h, state, new_h, new_c, B, I, H,
    in_place, work, sums_bytes, x_bytes, h_bytes,
    cell, kind, activations, G, N, most, streams, ahead, depth, per_sum, element, bias_bytes, order,
):  # fmt: skip
    """One thread's blocks."""
    passes = (B + most - 1) // most
    x_at, h_at = work + uintp(2 * sums_bytes), work + uintp(2 * sums_bytes + passes * x_bytes)
    steps = h_at + uintp(passes * h_bytes)
    if in_place:
        x_at, h_at = x, h
    else:
        _arrange(order, x, x_at, x_bytes, steps, B, I, most, element)
        beside = steps + uintp(B * LINE_BYTES)
        _arrange(order, h, h_at, h_bytes, beside, B, H, most, element)
    blocks = (H + LANES - 1) // LANES
    each = blocks * OWN // SHARES // (threads * streams)
    for block in range(thread * each * streams, thread * each * streams + each):
        _blocks_at(streams, block, each, weights, scales, biases, x_at, h_at, state, new_h, new_c,
                   B, I, H, x_bytes, h_bytes, work, steps,
                   cell, kind, activations, G, N, most, ahead, depth, per_sum, element, bias_bytes)  # fmt: skip
    block = threads * each * streams + take(counter, 1)
    while block < blocks:
        _blocks_at(1, block, 0, weights, scales, biases, x_at, h_at, state, new_h, new_c,
                   B, I, H, x_bytes, h_bytes, work, steps,
                   cell, kind, activations, G, N, most, ahead, depth, per_sum, element, bias_bytes)  # fmt: skip
        block = threads * each * streams + take(counter, 1)


@numba.njit(nogil=True)
def _blocks_at(
    S, first, each, weights, scales, biases, x, h, state, new_h, new_c, B, I, H, x_bytes, h_bytes, sums, steps,
    cell, kind, activations, G, N, most, ahead, depth, per_sum, element, bias_bytes,
):  # fmt: skip
    """New state of `S` blocks, `each` apart, the first being `first`."""
    turns_x, turns_h = (I + depth - 1) // depth, (H + depth - 1) // depth
    part = uintp((turns_x + turns_h) * N * LINE_BYTES)
    block = part * uintp(G // N)
    sums_h = sums + uintp(S * B * per_sum * G * LINE_BYTES)
    for p in range(G // N):
        at = weights + uintp(first) * block + uintp(p) * part
        for turn in range((B + most - 1) // most):
            first_of_turn = uintp(min(turn * most, B - most))
            there = uintp(p * N * LINE_BYTES) + first_of_turn * uintp(per_sum * G * LINE_BYTES)
            products(
                at, uintp(each) * block, x + uintp(turn * x_bytes), uintp(turns_x),
                sums + there, kind, N, most, S, G, ahead,
            )  # fmt: skip
            products(
                at + uintp(turns_x * N * LINE_BYTES), uintp(each) * block,
                h + uintp(turn * h_bytes), uintp(turns_h),
                sums_h + there, kind, N, most, S, G, ahead,
            )  # fmt: skip
    for s in range(S):
        one = uintp(first + s * each)
        units = uintp(min(LANES, H - int(one) * LANES))
        for b in range(B):
            got = uintp((s * B + b) * per_sum * G * LINE_BYTES)
            unit = (uintp(b * H) + one * uintp(LANES)) * uintp(element)
            record = uintp(b * LINE_BYTES)
            gates(
                sums + got, sums_h + got, steps + record, steps + uintp(B * LINE_BYTES) + record,
                biases + one * uintp(2 * G * bias_bytes), scales + one * uintp(2 * G * LINE_BYTES),
                state + unit, new_h + unit, new_c + unit, units, cell, kind, activations,
            )  # fmt: skip


def _copying(given_as: Any, wanted_as: Any, depth: int, shift: int) -> Callable[..., None]:
    """Compile what brings one sequence's activations into groups [turns][sequences] of `depth` neighbours."""

    def copy(source, count, target, b, most):
        given = carray(pointer(source, given_as), (count,))
        wanted = carray(pointer(target, wanted_as), ((count + depth - 1) // depth, most, depth))
        for k in range(count):
            wanted[k // depth, b, k % depth] = wanted_as(given[k]) << shift

    variant = (np.dtype(given_as), np.dtype(wanted_as), depth, shift)
    return numba.njit(nogil=True)(named(copy, *variant))  # type: ignore[no-any-return] # numba publishes no types


_copy_1 = _copying(np.uint32, np.uint32, 1, 0)
_copy_2 = _copying(np.uint32, np.uint32, 2, 0)
_copy_4 = _copying(np.uint32, np.uint32, 4, 0)
_copy_pairs = _copying(np.uint16, np.uint16, 2, 0)
_widen_2 = _copying(np.uint16, np.uint32, 2, 16)
_ORDERS = {"float32": 0, "bfloat16": 1, "int8": 2, "bfloat16 pairs": 3, "int8 limbs": 4}
_WIDENED = 5
"""The order in which a kind of product reads its activations: a number, so that one function serves all."""


@numba.njit(nogil=True)
def _arrange(order, source, target, pass_bytes, records, B, count, most, element):
    """Bring activations (B, count) into the order in which the products read them, pass by pass.

    The zeros that fill up the last group are there from the start.
    """
    for turn in range((B + most - 1) // most):
        to = target + uintp(turn * pass_bytes)
        for b in range(most):
            one = min(turn * most, B - most) + b
            given = source + uintp(one * count * element)
            if order == 0:
                _copy_1(given, count, to, b, most)
            elif order == 1:
                _copy_2(given, count, to, b, most)
            elif order == 2:
                _copy_4(given, count, to, b, most)
            elif order == 3:
                _copy_pairs(given, count, to, b, most)
            elif order == 4:
                in_limbs(given, count, to, b, most, records + uintp(one * LINE_BYTES))
            else:
                _widen_2(given, count, to, b, most)
