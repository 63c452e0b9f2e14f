"""The compiled step of `numba_fused`: threads share blocks of packed weights; sums and gates stay with the thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import carray, prange, types, uintp
from numba.extending import intrinsic

from kernels.cells import GATES
from kernels.vector_gates import gates
from kernels.vectors import DEPTH, DIGITS, LANES, LARGEST_DIGITS, LINE_BYTES, products, split

if TYPE_CHECKING:
    from collections.abc import Callable

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


_COMPILED: dict[Shape, Callable[..., None]] = {}


def compiled(shape: Shape) -> Callable[..., None]:
    """The step of this shape: takes addresses of weights, scales, biases, x, h, state, h', c', and sizes."""
    if shape not in _COMPILED:
        _COMPILED[shape] = _compile(shape)
    return _COMPILED[shape]


def _compile(shape: Shape) -> Callable[..., None]:
    cell, kind, activations, N, most, streams, ahead = shape
    G, depth = GATES[cell], DEPTH[kind]
    digits = DIGITS if kind == "int8 digits" else 1
    bias_bytes = LINE_BYTES // 2 if kind.startswith("bfloat16") else LINE_BYTES
    element = 2 if activations == "bfloat16" else 4
    line = 2 * G * LINE_BYTES  # scales of a block
    arrange = _arranging(shape)

    @numba.njit(nogil=True, cache=True)
    def blocks_at(
        S, first, each, weights, scales, biases, x, h, state, new_h, new_c,
        B, I, H, x_bytes, h_bytes, sums, steps,
    ):  # fmt: skip
        """New state of `S` blocks, `each` apart, the first being `first`."""
        turns_x, turns_h = (I + depth - 1) // depth, (H + depth - 1) // depth
        part = uintp((turns_x + turns_h) * N * LINE_BYTES)
        block = part * uintp(G // N)
        sums_h = sums + uintp(S * B * digits * G * LINE_BYTES)
        for p in range(G // N):
            at = weights + uintp(first) * block + uintp(p) * part
            for turn in range((B + most - 1) // most):
                first_of_turn = uintp(min(turn * most, B - most))
                there = uintp(p * N * LINE_BYTES) + first_of_turn * uintp(digits * G * LINE_BYTES)
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
                got = uintp((s * B + b) * digits * G * LINE_BYTES)
                unit = (uintp(b * H) + one * uintp(LANES)) * uintp(element)
                record = uintp(b * LINE_BYTES)
                gates(
                    sums + got, sums_h + got, steps + record, steps + uintp(B * LINE_BYTES) + record,
                    biases + one * uintp(2 * G * bias_bytes), scales + one * uintp(line),
                    state + unit, new_h + unit, new_c + unit, units, cell, kind, activations,
                )  # fmt: skip

    @numba.njit(nogil=True, cache=True)
    def share(
        thread, threads, counter, weights, scales, biases, x, h, state, new_h, new_c, B, I, H,
        in_place, work, sums_bytes, x_bytes, h_bytes,
    ):  # fmt: skip
        """One thread's blocks."""
        passes = (B + most - 1) // most
        x_at, h_at = work + uintp(2 * sums_bytes), work + uintp(2 * sums_bytes + passes * x_bytes)
        steps = h_at + uintp(passes * h_bytes)
        if in_place:
            x_at, h_at = x, h
        else:
            for turn in range(passes):
                for b in range(most):
                    one = min(turn * most, B - most) + b
                    record = steps + uintp(one * LINE_BYTES)
                    arrange(
                        x + uintp(one * I * element), I, x_at + uintp(turn * x_bytes), b, record
                    )
                    arrange(
                        h + uintp(one * H * element), H, h_at + uintp(turn * h_bytes), b,
                        record + uintp(B * LINE_BYTES),
                    )  # fmt: skip
        blocks = (H + LANES - 1) // LANES
        each = blocks * OWN // SHARES // (threads * streams)
        for block in range(thread * each * streams, thread * each * streams + each):
            blocks_at(streams, block, each, weights, scales, biases, x_at, h_at,
                      state, new_h, new_c, B, I, H, x_bytes, h_bytes, work, steps)  # fmt: skip
        block = threads * each * streams + _take(counter)
        while block < blocks:
            blocks_at(1, block, 0, weights, scales, biases, x_at, h_at,
                      state, new_h, new_c, B, I, H, x_bytes, h_bytes, work, steps)  # fmt: skip
            block = threads * each * streams + _take(counter)

    @numba.njit(parallel=True, nogil=True, cache=True)
    def step(
        weights, scales, biases, x, h, state, new_h, new_c, B, I, H, threads, in_place,
        work, sums_bytes, x_bytes, h_bytes, work_bytes,
    ):  # fmt: skip
        counter = uintp(work)
        carray(_pointer(counter, np.int64), (1,))[0] = 0
        for thread in prange(threads):
            share(
                thread, threads, counter, uintp(weights), uintp(scales), uintp(biases), uintp(x), uintp(h),
                uintp(state), uintp(new_h), uintp(new_c), B, I, H, in_place,
                counter + uintp(LINE_BYTES + thread * work_bytes), sums_bytes, x_bytes, h_bytes,
            )  # fmt: skip

    return step  # type: ignore[no-any-return] # numba publishes no types


@intrinsic
def _take(_typing: Any, counter: Any) -> Any:
    """Count one up at this address, for all threads at once; returns what it was."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        pointer = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(types.uintp), generate


@intrinsic
def _pointer(_typing: Any, address: Any, kind: Any) -> Any:
    """An address as a pointer to elements of this type."""
    signature = types.CPointer(kind.dtype)(types.uintp, kind)

    def generate(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], _context.get_value_type(signature.return_type))

    return signature, generate


def _arranging(shape: Shape) -> Callable[..., None]:
    """Compile what brings one sequence's activations into the order in which this kind of product reads them.

    Sequence `b` of a pass: groups [turns][sequences][digits] of DEPTH neighbours; zeros fill up the last one.
    """
    kind, halves, batch, depth = (
        shape.kind,
        shape.activations == "bfloat16",
        shape.sequences,
        DEPTH[shape.kind],
    )

    @numba.njit(nogil=True, cache=True)
    def digits(source, count, target, b, record):
        worth = _largest(carray(_pointer(source, np.float32), (count,))) / np.float32(
            LARGEST_DIGITS
        )
        per_unit = np.float32(1) / worth if worth > 0 else np.float32(0)
        apart = uintp(batch * DIGITS * 4)
        at = target + uintp(b * DIGITS * 4)
        high_sum, low_sum = 0, 0
        for k in range(0, count, LANES):
            high, low = split(
                source + uintp(k * 4),
                min(LANES, count - k),
                per_unit,
                at + uintp(k // 4) * apart,
                apart,
            )
            high_sum += high
            low_sum += low
        carray(_pointer(record, np.float32), (1,))[0] = worth
        excess = carray(_pointer(record, np.int32), (3,))
        excess[1], excess[2] = 128 * high_sum, 128 * low_sum

    @numba.njit(nogil=True, cache=True)
    def pairs(source, count, target, b, record):
        given = carray(_pointer(source, np.uint16), (count,))
        wanted = carray(_pointer(target, np.uint16), ((count + 1) // 2, batch, 2))
        for k in range(count):
            wanted[k // 2, b, k % 2] = given[k]

    @numba.njit(nogil=True, cache=True)
    def widened(source, count, target, b, record):
        given = carray(_pointer(source, np.uint16), (count,))
        wanted = carray(_pointer(target, np.uint32), ((count + depth - 1) // depth, batch, depth))
        for k in range(count):
            wanted[k // depth, b, k % depth] = np.uint32(given[k]) << 16

    @numba.njit(nogil=True, cache=True)
    def copied(source, count, target, b, record):
        given = carray(_pointer(source, np.float32), (count,))
        wanted = carray(_pointer(target, np.float32), ((count + depth - 1) // depth, batch, depth))
        for k in range(count):
            wanted[k // depth, b, k % depth] = given[k]

    return {"int8 digits": digits, "bfloat16 pairs": pairs}.get(kind, widened if halves else copied)  # type: ignore[no-any-return]


@numba.njit(nogil=True, cache=True, fastmath=True)
def _largest(floats):
    largest = np.float32(0)
    for k in range(len(floats)):
        largest = max(largest, abs(floats[k]))
    return largest
