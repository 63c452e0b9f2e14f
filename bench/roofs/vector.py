# ruff: noqa: ARG001 - numba reads the arguments off the signatures
"""Vector loads and stores for the probes: numba intrinsics that emit LLVM vectors.

A summing loop in Python, numpy or plain numba gives half the truth: one running sum waits for its own last addition,
and the vectoriser decides how much is in flight. So each pass walks `streams` segments of the memory side by side, with
`unroll` vectors of `width` floats of each in flight and an accumulator for every one of them. A width of 16 floats is
split by LLVM on machines with narrower registers. Everything is known when compiling, so no pass has a branch but its
loop; variants differ in these four numbers alone, and the best of them counts.

Pointers are integers (uintp); the caller keeps the memory alive and aligned to 64 bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

FLOAT_BYTES = 4
LINE_BYTES = 64
MEMORY_ORDER = 0  # llvm.prefetch: for reading
KEEP_IN_CACHES = 3
DATA_CACHE = 1

_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()


def chunk_bytes(streams: int, unroll: int, width: int) -> int:
    """Bytes one turn of the loop moves over all streams: memory is walked in multiples of it."""
    return streams * unroll * width * FLOAT_BYTES


@intrinsic(prefer_literal=True)
def sum_segments(
    _typing: Any,
    address: Any,
    segment: Any,
    turns: Any,
    streams: Any,
    unroll: Any,
    width: Any,
    ahead: Any,
) -> Any:
    """Sum of `streams` segments, `segment` bytes apart: `turns` x unroll x width floats of each. Returns float32.

    Reads every byte once, adds every float once. `ahead` bytes are prefetched (0: none).
    """
    signature = types.float32(types.uintp, types.uintp, types.uintp, streams, unroll, width, ahead)
    S, U, V, distance = (t.literal_value for t in (streams, unroll, width, ahead))
    vector = ir.VectorType(_F32, V)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, apart, count = arguments[:3]

        def body(base: Any, sums: list[Any]) -> list[Any]:
            new = []
            for s in range(S):
                start = builder.add(base, builder.mul(apart, ir.Constant(_I64, s)))
                for u in range(U):
                    at = builder.add(start, ir.Constant(_I64, u * V * FLOAT_BYTES))
                    if distance and u * V * FLOAT_BYTES % LINE_BYTES == 0:
                        _prefetch(builder, builder.add(at, ir.Constant(_I64, distance)))
                    loaded = builder.load(builder.inttoptr(at, vector.as_pointer()))
                    loaded.align = V * FLOAT_BYTES
                    new.append(builder.fadd(sums[s * U + u], loaded))
            return new

        zero = ir.Constant(vector, [0.0] * V)
        totals = _loop(builder, first, count, U * V * FLOAT_BYTES, body, [zero] * (S * U))
        while len(totals) > 1:
            pairs = zip(totals[::2], totals[1::2], strict=True)
            totals = [builder.fadd(a, b) for a, b in pairs]
        result = ir.Constant(_F32, 0.0)
        for lane in range(V):
            result = builder.fadd(
                result, builder.extract_element(totals[0], ir.Constant(_I32, lane))
            )
        return result

    return signature, generate


@intrinsic(prefer_literal=True)
def fill(
    _typing: Any, address: Any, turns: Any, value: Any, unroll: Any, width: Any, around: Any
) -> Any:
    """Store `turns` x unroll x width floats of `value`; with `around` 1 past the caches (non-temporal)."""
    signature = types.void(types.uintp, types.uintp, types.float32, unroll, width, around)
    U, V, nontemporal = (t.literal_value for t in (unroll, width, around))
    vector = ir.VectorType(_F32, V)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, count, number = arguments[:3]
        filled = _splat(builder, vector, number, V)

        def body(base: Any, _state: list[Any]) -> list[Any]:
            for u in range(U):
                at = builder.add(base, ir.Constant(_I64, u * V * FLOAT_BYTES))
                _store(builder, filled, builder.inttoptr(at, vector.as_pointer()), V, nontemporal)
            return []

        _loop(builder, first, count, U * V * FLOAT_BYTES, body, [])

    return signature, generate


@intrinsic(prefer_literal=True)
def scale_add(
    _typing: Any,
    to: Any,
    a: Any,
    b: Any,
    factor: Any,
    turns: Any,
    unroll: Any,
    width: Any,
    around: Any,
    operands: Any,
) -> Any:
    """Store a (operands 1: copy) or a + factor * b (operands 2: triad) for `turns` x unroll x width floats."""
    signature = types.void(
        types.uintp,
        types.uintp,
        types.uintp,
        types.float32,
        types.uintp,
        unroll,
        width,
        around,
        operands,
    )
    U, V, nontemporal, reads = (t.literal_value for t in (unroll, width, around, operands))
    vector = ir.VectorType(_F32, V)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        target, first, second, number, count = arguments[:5]
        factors = _splat(builder, vector, number, V)

        def at(start: Any, offset: Any, u: int) -> Any:
            place = builder.add(builder.add(start, offset), ir.Constant(_I64, u * V * FLOAT_BYTES))
            return builder.inttoptr(place, vector.as_pointer())

        def body(offset: Any, _state: list[Any]) -> list[Any]:
            for u in range(U):
                value = builder.load(at(first, offset, u))
                value.align = V * FLOAT_BYTES
                if reads > 1:
                    other = builder.load(at(second, offset, u))
                    other.align = V * FLOAT_BYTES
                    value = builder.fadd(value, builder.fmul(factors, other))
                _store(builder, value, at(target, offset, u), V, nontemporal)
            return []

        _loop(builder, ir.Constant(_I64, 0), count, U * V * FLOAT_BYTES, body, [])

    return signature, generate


def _loop(
    builder: Any,
    first: Any,
    turns: Any,
    step_bytes: int,
    body: Callable[[Any, list[Any]], list[Any]],
    start: list[Any],
) -> list[Any]:
    """`turns` turns (at least one) over addresses first, first + step_bytes, ...; carries the values of `start`."""
    before = builder.block
    turn, done = builder.append_basic_block("turn"), builder.append_basic_block("done")
    builder.branch(turn)
    builder.position_at_end(turn)
    number = builder.phi(_I64)
    number.add_incoming(ir.Constant(_I64, 0), before)
    carried = [builder.phi(value.type) for value in start]
    for phi, value in zip(carried, start, strict=True):
        phi.add_incoming(value, before)
    new = body(builder.add(first, builder.mul(number, ir.Constant(_I64, step_bytes))), carried)
    after = builder.add(number, ir.Constant(_I64, 1))
    number.add_incoming(after, turn)
    for phi, value in zip(carried, new, strict=True):
        phi.add_incoming(value, turn)
    builder.cbranch(builder.icmp_unsigned("<", after, turns), turn, done)
    builder.position_at_end(done)
    return new


def _splat(builder: Any, vector: Any, number: Any, width: int) -> Any:
    empty = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(empty, number, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(_I32, width), [0] * width))


def _store(builder: Any, value: Any, pointer: Any, width: int, nontemporal: int) -> None:
    store = builder.store(value, pointer)
    store.align = width * FLOAT_BYTES
    if nontemporal:
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(_I32, 1)]))


def _prefetch(builder: Any, address: Any) -> None:
    pointer = _I8.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
    function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
    hints = [ir.Constant(_I32, hint) for hint in (MEMORY_ORDER, KEEP_IN_CACHES, DATA_CACHE)]
    builder.call(function, [builder.inttoptr(address, pointer), *hints])
