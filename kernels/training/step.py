"""The compiled training step of `numba_fused`: forward, backward, and the threads' parts of dx and dh added up.

Three stages, each begun when all threads are through with the one before, for the rest of a sequence lies between a
step's two passes: all weights are read forward before the first is read again.

    forward    a thread takes blocks of 16 units, all their gates; sums become gates, which are kept, and new state
    backward   takes blocks again; gradients of a block's gate sums, then line by line those of its weights, stored
               once, and what its rows give to dx and dh, of which every thread has its own part
    gather     the parts of dx and dh are added up

What it is compiled for reaches the functions as literals, and these are functions of this module: `kernels.vector.step`
tells why.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-decorators=False

from collections.abc import Callable
from functools import cache
from sys import intern
from typing import NamedTuple

import numpy as np
from numba import carray, njit, prange, uintp

from kernels.case import GATE_SUMS, GATES
from kernels.training.backward import back
from kernels.training.derivatives import derive, keep, of_bias
from kernels.training.forward import dots, totals
from kernels.training.lines import gather
from kernels.vector.activations import side_by_side
from kernels.vector.llvm import LANES, LINE_BYTES
from kernels.vector.parallel import for_all_threads, pointer, take
from kernels.vector.step import OWN, SHARES

CHUNK_BYTES = 16 << 10
"""Of a tile's weights, which several passes of sequences share: half of the smallest first level that cores have."""
AHEAD_BYTES = 8192
"""Prefetched ahead into the second level, where no other pass over the same weights has the time for it."""
ROW = LANES * LINE_BYTES
"""Bytes of 16 rows' sums of a sequence, 16 partial ones each."""


class Stores(NamedTuple):
    """How the backward pass goes through memory: what it stores past the caches, and reads ahead."""

    around: bool
    """gradients past the caches"""
    ahead: int
    """bytes of weights prefetched ahead; 0: none"""

    @property
    def name(self) -> str:
        """As a profile states it."""
        return f"{'past' if self.around else 'into'} the caches, {self.ahead} ahead"


class Shape(NamedTuple):
    """What a training step is compiled for."""

    cell: str
    rows: int
    """of a tile"""
    sequences: int
    """whose sums with a tile's rows are in registers at once"""


class Scratch(NamedTuple):
    """Bytes of a step's own memory: what all threads share, then every thread's own."""

    kept: int
    of_thread: int

    @property
    def size(self) -> int:
        """Without the threads' own."""
        return 2 * LINE_BYTES + self.kept


def scratch(cell: str, batch: int, inputs: int, hidden: int) -> Scratch:
    """The memory that a step needs: counters and kept values; a thread's activations, their gradients, sums and d."""
    blocks = -(-hidden // LANES)
    lines = -(-inputs // LANES) + blocks
    kept = blocks * batch * GATE_SUMS[cell] * LINE_BYTES
    return Scratch(kept, batch * (2 * lines * LINE_BYTES + 2 * ROW + GATE_SUMS[cell] * LINE_BYTES))


@cache
def compiled(shape: Shape) -> Callable[..., None]:
    """The training step of this shape: takes addresses of weights, gradients, activations and state, and sizes."""
    cell = intern(shape.cell)
    R, most = shape[1:]
    G, S = GATES[cell], GATE_SUMS[cell]

    @for_all_threads("training", *shape)
    def step(
        weights, biases, x, h, state, d_new_h, d_new_c, new_h, new_c, dx, dh, dc, d_weights, d_biases,
        B, I, H, threads, around, ahead, work, kept_bytes, work_bytes,
    ):  # fmt: skip
        counters = uintp(work)
        _none_taken(counters)
        _none_taken(counters + uintp(LINE_BYTES))
        kept = counters + uintp(2 * LINE_BYTES)
        for stage in range(3):
            for thread in prange(threads):
                own = kept + uintp(kept_bytes + thread * work_bytes)
                if stage == 0:
                    _forward(
                        thread, threads, counters, uintp(weights), uintp(biases), uintp(x), uintp(h), uintp(state),
                        uintp(new_h), uintp(new_c), B, I, H, kept, own, cell, G, S, R, most,
                    )  # fmt: skip
                elif stage == 1:
                    _backward(
                        thread, threads, counters + uintp(LINE_BYTES), uintp(weights), uintp(state), uintp(d_new_h),
                        uintp(d_new_c), uintp(new_c), uintp(dc), uintp(d_weights), uintp(d_biases), B, I, H,
                        kept, own, around, uintp(ahead), cell, G, S, R,
                    )  # fmt: skip
                else:
                    first = kept + uintp(kept_bytes)
                    _gather(
                        thread, threads, uintp(dx), uintp(dh), B, I, H, first, uintp(work_bytes),
                    )  # fmt: skip

    return step


@njit(nogil=True)
def _none_taken(counter):
    carray(pointer(counter, np.int64), (1,))[0] = 0


@njit(nogil=True)
def _taken(number, thread, threads, counter, H):
    """The block that a thread computes as its `number`-th: its own ones, then whichever of the rest is next."""
    each = _lines(H) * OWN // SHARES // threads
    return thread * each + number if number < each else threads * each + take(counter, 1)


@njit(nogil=True)
def _lines(size):
    return (size + LANES - 1) // LANES


@njit(nogil=True)
def _forward(
    thread, threads, counter, weights, biases, x, h, state, new_h, new_c, B, I, H, kept, own, cell, G, S, R, most,
):  # fmt: skip
    """One thread's blocks: gates, kept in `kept`, and new state. Leaves the activations in lines at `own`."""
    h_at = own + uintp(_lines(I) * B * LINE_BYTES)
    side_by_side(x, I, own, B, LANES, LINE_BYTES, 4, 4)
    side_by_side(h, H, h_at, B, LANES, LINE_BYTES, 4, 4)
    number, block = 0, _taken(0, thread, threads, counter, H)
    while block < _lines(H):
        _block_forward(
            block, weights, biases, own, h_at, state, new_h, new_c, B, I, H, kept, cell, G, S, R, most,
        )  # fmt: skip
        number += 1
        block = _taken(number, thread, threads, counter, H)


@njit(nogil=True)
def _block_forward(
    block, weights, biases, x, h, state, new_h, new_c, B, I, H, kept, cell, G, S, R, most,
):  # fmt: skip
    lines_x, lines_h = _lines(I), _lines(H)
    tile = uintp((lines_x + lines_h) * R * LINE_BYTES)
    at = weights + uintp(block * G * (LANES // R)) * tile
    sums = h + uintp((lines_h + lines_x + lines_h) * B * LINE_BYTES)
    places = kept + uintp(block * B * S * LINE_BYTES)
    for gate in range(G):
        apart = gate == S - 2 and S > G  # GRU's n
        sums_h = sums + uintp(B * ROW) if apart else sums
        for part in range(LANES // R):
            row = uintp(part * R * LINE_BYTES)
            _products(at, x, lines_x, sums + row, B, R, most)
            _products(at + uintp(lines_x * R * LINE_BYTES), h, lines_h, sums_h + row, B, R, most)
            at += tile
        for b in range(B):
            place = places + uintp((b * S + gate) * LINE_BYTES)
            totals(sums + uintp(b * ROW), place)
            if apart:
                totals(sums_h + uintp(b * ROW), place + uintp(LINE_BYTES))
    units = uintp(min(LANES, H - block * LANES))
    for b in range(B):
        unit = uintp((b * H + block * LANES) * 4)
        keep(
            places + uintp(b * S * LINE_BYTES), biases + uintp(block * 2 * G * LINE_BYTES),
            state + unit, new_h + unit, new_c + unit, units, cell,
        )  # fmt: skip


@njit(nogil=True)
def _products(weights, x, lines, sums, B, R, most):
    """Add W x of a tile to the sums of all sequences, in passes of a few over lines that the first level holds."""
    passes = (B + most - 1) // most
    size = (B + passes - 1) // passes
    larger = B - passes * (size - 1)
    chunk = lines if passes == 1 else CHUNK_BYTES // (R * LINE_BYTES)
    for first in range(0, lines, chunk):
        count = min(chunk, lines - first)
        at = weights + uintp(first * R * LINE_BYTES)
        beyond = at + uintp(AHEAD_BYTES if passes == 1 else count * R * LINE_BYTES)
        fetched = uintp(count * max(1, R // (2 if passes < 4 else 4)) * LINE_BYTES)
        b = 0
        for turn in range(passes):
            given = x + uintp((first * B + b) * LINE_BYTES)
            target = sums + uintp(b * ROW)
            n = size if turn < larger else size - 1
            _dots(at, given, uintp(B * LINE_BYTES), uintp(count), target, beyond, n, passes, R)
            beyond += fetched
            b += n


@njit(nogil=True)
def _dots(weights, x, apart, lines, sums, ahead, n, passes, R):
    """`dots` of a number of sequences that is known only now."""
    if n == 1:
        dots(weights, x, apart, lines, sums, ahead, R, 1, 1)
    elif n == 2:
        if passes == 1:
            dots(weights, x, apart, lines, sums, ahead, R, 2, 1)
        elif passes < 4:
            dots(weights, x, apart, lines, sums, ahead, R, 2, 2)
        else:
            dots(weights, x, apart, lines, sums, ahead, R, 2, 4)
    elif passes == 1:
        dots(weights, x, apart, lines, sums, ahead, R, 3, 1)
    elif passes < 4:
        dots(weights, x, apart, lines, sums, ahead, R, 3, 2)
    else:
        dots(weights, x, apart, lines, sums, ahead, R, 3, 4)


@njit(nogil=True)
def _backward(
    thread, threads, counter, weights, state, d_new_h, d_new_c, new_c, dc, d_weights, d_biases, B, I, H,
    kept, own, around, ahead, cell, G, S, R,
):  # fmt: skip
    """One thread's blocks: gradients of their weights, biases and c; its part of dx and dh behind the activations."""
    lines = _lines(I) + _lines(H)
    parts = own + uintp(lines * B * LINE_BYTES)
    carray(pointer(parts, np.float32), (lines * B * LANES,))[:] = 0
    number, block = 0, _taken(0, thread, threads, counter, H)
    while block < _lines(H):
        _block_backward(
            block, weights, state, d_new_h, d_new_c, new_c, dc, d_weights, d_biases, B, I, H,
            kept, own, parts, around, ahead, cell, G, S, R,
        )  # fmt: skip
        number += 1
        block = _taken(number, thread, threads, counter, H)


@njit(nogil=True)
def _block_backward(
    block, weights, state, d_new_h, d_new_c, new_c, dc, d_weights, d_biases, B, I, H,
    kept, x, parts, around, ahead, cell, G, S, R,
):  # fmt: skip
    lines_x, lines_h = _lines(I), _lines(H)
    to_h = uintp(lines_x * B * LINE_BYTES)
    place = uintp(B * LINE_BYTES)
    d = parts + uintp((lines_x + lines_h) * B * LINE_BYTES + 2 * B * ROW)
    units = uintp(min(LANES, H - block * LANES))
    for b in range(B):
        unit = uintp((b * H + block * LANES) * 4)
        # GRU: lines of h are blocks of units
        beside = parts + to_h + uintp((block * B + b) * LINE_BYTES) if S > G else dc + unit
        derive(
            kept + uintp((block * B + b) * S * LINE_BYTES), state + unit, new_c + unit, d_new_h + unit,
            d_new_c + unit, d + uintp(b * LINE_BYTES), place, beside, units, cell,
        )  # fmt: skip
    tile = uintp((lines_x + lines_h) * R * LINE_BYTES)
    to_u = uintp(lines_x * R * LINE_BYTES)
    first = uintp(block * G * (LANES // R)) * tile
    for gate in range(G):
        of_w = d + uintp(gate) * place
        of_u = of_w + place if gate == S - 2 and S > G else of_w
        bias = d_biases + uintp((block * 2 * G + gate) * LINE_BYTES)
        of_bias(of_w, uintp(B), bias)
        of_bias(of_u, uintp(B), bias + uintp(G * LINE_BYTES))
        for part in range(LANES // R):
            at, to, row = weights + first, d_weights + first, uintp(part * R * 4)
            _back(at, to, x, parts, of_w + row, uintp(lines_x), uintp(B), ahead, R, around)
            _back(
                at + to_u, to + to_u, x + to_h, parts + to_h, of_u + row, uintp(lines_h), uintp(B), ahead, R, around,
            )  # fmt: skip
            first += tile


@njit(nogil=True)
def _back(weights, gradients, x, dx, d, lines, batch, ahead, R, around):
    """`back` past the caches or into them, as is known only now."""
    if around:
        back(weights, gradients, x, dx, d, lines, batch, ahead, R, 1)
    else:
        back(weights, gradients, x, dx, d, lines, batch, ahead, R, 0)


@njit(nogil=True)
def _gather(thread, threads, dx, dh, B, I, H, first, apart):
    """One thread's lines of dx and dh, from all threads' parts."""
    lines_x, lines_h = _lines(I), _lines(H)
    lines = lines_x + lines_h
    parts = first + uintp(lines * B * LINE_BYTES)
    for line in range(lines * thread // threads, lines * (thread + 1) // threads):
        target, size, number = (dx, I, line) if line < lines_x else (dh, H, line - lines_x)
        units = uintp(min(LANES, size - number * LANES))
        for b in range(B):
            gather(
                parts + uintp((line * B + b) * LINE_BYTES), apart, uintp(threads),
                target + uintp((b * size + number * LANES) * 4), units,
            )  # fmt: skip
