"""LLVM vectors of 16 lanes for step kernels: products of packed weights with a few sequences.

numba's vectoriser neither keeps a tile of sums in registers nor picks the instructions that dot products of narrow
weights have. So both are emitted as LLVM vectors, straight through numba intrinsics; LLVM splits 16 lanes on machines
with narrower registers (AVX2, Arm). Everything but addresses and lengths is known when compiling.

Packed weights: elements k of 16 rows (gates of 16 units) side by side, `DEPTH` neighbours in k together:

    float32    [K][rows]         one multiply-add per 16 weights
    bfloat16   [K/2][rows][2]    widened by a shift or a mask, then the same; or, with bfloat16 activations where the
                                 machine has them (AVX512_BF16), dot products of pairs
    int8       [K/4][rows][4]    widened and converted; or dot products of fours with activations in digits of 8 bits
                                 where the machine has them (AVX512_VNNI)

Pointers are integers (uintp); the caller keeps the memory alive and every weight row aligned to its vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import config
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic

LANES = 16
LINE_BYTES = 64
DEPTH = {"float32": 1, "bfloat16": 2, "bfloat16 pairs": 2, "int8": 4, "int8 digits": 4}
"""How many neighbours in k lie together, by kind of product."""
NEEDS = {"bfloat16 pairs": "avx512bf16", "int8 digits": "avx512vnni"}
"""Instructions that a kind of product is made of; the others run everywhere."""
DIGITS = 2
"""8-bit digits of an activation where weights are int8, each -128 to 127."""
LARGEST_DIGITS = 127 * 256
"""What the largest activation of a sequence becomes: the others are off by half a unit, 2**-16 of it."""
MOST_DIGIT_TERMS = 1 << 16
"""Terms that a sum of digits may have: each is at most 2**14, and their sum must fit 32 bits."""

_I8, _I16, _I32, _I64, _F32 = (*(ir.IntType(bits) for bits in (8, 16, 32, 64)), ir.FloatType())
_FLOATS, _INTS, _HALVES = (ir.VectorType(kind, LANES) for kind in (_F32, _I32, _I16))
_BYTES = ir.VectorType(_I8, LANES)


def runs(kind: str) -> bool:
    """Whether this machine, as numba compiles for it, has what this kind of product needs."""
    features = config.CPU_FEATURES
    if features is None:
        features = get_host_cpu_features()
    return kind not in NEEDS or f"+{NEEDS[kind]}" in features.split(",")


def registers() -> int:
    """Sums of 16 lanes that fit into registers beside what feeds them."""
    features = config.CPU_FEATURES if config.CPU_FEATURES is not None else get_host_cpu_features()
    return 24 if "+avx512f" in features.split(",") else 6


@intrinsic(prefer_literal=True)
def split(_typing: Any, floats: Any, count: Any, per_unit: Any, target: Any, apart: Any) -> Any:
    """`count` floats (1 to 16), times `per_unit`, as DIGITS signed 8-bit digits; zeros follow up to the 16th.

    Groups of 4 neighbours go to target, target + apart, ...: the high digits of the four, then the low ones. Groups of
    nothing but filling are not written. Returns the sums of the high and of the low digits. What is not a number
    counts as 0.
    """
    signature = types.UniTuple(types.int64, DIGITS)(
        types.uintp, types.int64, types.float32, types.uintp, types.uintp
    )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at, length, factor, to, distance = arguments
        given = masked_load(builder, at, _FLOATS, length)
        scaled = builder.fmul(given, splat(builder, factor))
        even = call(builder, f"llvm.rint.v{LANES}f32", _FLOATS, [scaled])
        whole = call(builder, f"llvm.fptosi.sat.v{LANES}i32.v{LANES}f32", _INTS, [even])
        high = builder.ashr(builder.add(whole, ints(128)), ints(8))
        low = builder.sub(whole, builder.shl(high, ints(8)))
        fours = ir.VectorType(_I32, LANES // 4)
        sums = []
        for digit, lanes in enumerate((high, low)):
            packed = builder.bitcast(builder.trunc(lanes, _BYTES), fours)
            for group in range(LANES // 4):
                place = builder.add(to, builder.mul(distance, _i64(group)))
                four = builder.extract_element(packed, ir.Constant(_I32, group))
                with builder.if_then(builder.icmp_signed(">", length, _i64(4 * group))):
                    _store(builder, four, builder.add(place, _i64(4 * digit)), 4)
            total = call(builder, f"llvm.vector.reduce.add.v{LANES}i32", _I32, [lanes])
            sums.append(builder.sext(total, _I64))
        return context.make_tuple(builder, signature.return_type, sums)

    return signature, generate


@intrinsic(prefer_literal=True)
def products(
    _typing: Any,
    weights: Any,
    apart: Any,
    inputs: Any,
    turns: Any,
    sums: Any,
    kind: Any,
    vectors: Any,
    batch: Any,
    streams: Any,
    gates: Any,
    ahead: Any,
) -> Any:
    """Store sums[s][b][v] = W_s x_b for `streams` tiles of weights, `batch` sequences and `vectors` vectors of rows.

    weights  address of the first tile; the others follow `apart` bytes from one another
    inputs   address of the activations as the kind wants them: [turns][batch][digits] groups of DEPTH neighbours
    turns    length in k over the kind's DEPTH, at least 1
    sums     address of [streams][batch][gates][16] float32, or of [streams][batch][digits][gates][16] int32
    ahead    bytes prefetched ahead of every line of weights; 0 for none
    """
    literals = (kind, vectors, batch, streams, gates, ahead)
    signature = types.void(*(types.uintp,) * 5, *literals)
    name, N, B, S, G, distance = (t.literal_value for t in literals)
    emit = _KINDS[name]

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, spread, x, count, target = arguments[:5]
        tiles = [first]
        tiles += [builder.add(first, builder.mul(spread, _i64(s))) for s in range(1, S)]
        columns, row = B * emit.digits, N * emit.bytes_per_vector
        column = emit.bytes_per_input

        def turn(number: Any, sums: list[Any]) -> list[Any]:
            offset = builder.mul(number, _i64(row))
            group = builder.add(x, builder.mul(number, _i64(columns * column)))
            given = [
                emit.inputs(builder, builder.add(group, _i64(b * column))) for b in range(columns)
            ]
            new = list(sums)
            for s in range(S):
                start = builder.add(tiles[s], offset)
                for n in range(N):
                    at = builder.add(start, _i64(n * emit.bytes_per_vector))
                    loaded = emit.weights(builder, at)
                    for b in range(columns):
                        i = (s * columns + b) * N + n
                        new[i] = emit.add(builder, new[i], loaded, given[b])
            if distance:  # last: no load moves past it, into the instruction that uses it
                for tile in tiles:
                    start = builder.add(tile, offset)
                    for line in range(0, row, LINE_BYTES):
                        _prefetch(builder, builder.add(start, _i64(line + distance)))
            return new

        zero = ir.Constant(emit.sums, [0] * LANES)
        totals = _loop(builder, count, turn, [zero] * (S * columns * N))
        for i, total in enumerate(totals):
            place = i // N * G + i % N
            _store(builder, total, builder.add(target, _i64(place * LINE_BYTES)), LINE_BYTES)

    return signature, generate


class _Float32:
    """One multiply-add per vector of weights and sequence."""

    sums, digits, bytes_per_vector, bytes_per_input = _FLOATS, 1, 64, 4

    @staticmethod
    def inputs(builder: Any, at: Any) -> list[Any]:
        return [splat(builder, load(builder, at, _F32, 4))]

    @staticmethod
    def weights(builder: Any, at: Any) -> list[Any]:
        return [load(builder, at, _FLOATS, 64)]

    @staticmethod
    def add(builder: Any, total: Any, weights: list[Any], given: list[Any]) -> Any:
        for w, x in zip(weights, given, strict=True):
            product = builder.fmul(w, x, flags=("contract",))
            total = builder.fadd(total, product, flags=("contract",))
        return total


class _Bfloat16(_Float32):
    """A vector holds two neighbours in k of 16 rows: the even ones shifted up, the odd ones masked."""

    bytes_per_input = 8

    @staticmethod
    def inputs(builder: Any, at: Any) -> list[Any]:
        return [
            splat(builder, load(builder, builder.add(at, _i64(k * 4)), _F32, 4)) for k in range(2)
        ]

    @staticmethod
    def weights(builder: Any, at: Any) -> list[Any]:
        both = load(builder, at, _INTS, 64)
        low = builder.shl(both, ints(16))
        high = builder.and_(both, ints(-65536))
        return [builder.bitcast(half, _FLOATS) for half in (low, high)]


class _Int8(_Float32):
    """A vector holds four neighbours in k of 16 rows: each byte is moved to the top, down again, and converted."""

    bytes_per_input = 16

    @staticmethod
    def inputs(builder: Any, at: Any) -> list[Any]:
        return [
            splat(builder, load(builder, builder.add(at, _i64(k * 4)), _F32, 4)) for k in range(4)
        ]

    @staticmethod
    def weights(builder: Any, at: Any) -> list[Any]:
        four = load(builder, at, _INTS, 64)
        moved = [builder.shl(four, ints(24 - 8 * k)) if k < 3 else four for k in range(4)]
        return [builder.sitofp(builder.ashr(one, ints(24)), _FLOATS) for one in moved]


class _Bfloat16Pairs:
    """Dot products of pairs: bfloat16 weights with bfloat16 activations into float32."""

    sums, digits, bytes_per_vector, bytes_per_input = _FLOATS, 1, 64, 4

    @staticmethod
    def inputs(builder: Any, at: Any) -> Any:
        return splat(builder, load(builder, at, _I32, 4))

    @staticmethod
    def weights(builder: Any, at: Any) -> Any:
        return load(builder, at, _INTS, 64)

    @staticmethod
    def add(builder: Any, total: Any, weights: Any, given: Any) -> Any:
        pairs = ir.VectorType(_Bf16(), 2 * LANES)
        w, x = builder.bitcast(weights, pairs), builder.bitcast(given, pairs)
        return call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", _FLOATS, [total, w, x])


class _Bf16(ir.Type):  # type: ignore[misc] # llvmlite publishes no types
    """bfloat16, which llvmlite has no word for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bf16)

    def __hash__(self) -> int:
        return hash(_Bf16)


class _Int8Digits:
    """Dot products of fours: weights + 128 as unsigned bytes with signed 8-bit digits of the activations."""

    sums, digits, bytes_per_vector, bytes_per_input = _INTS, DIGITS, 64, 4

    inputs = _Bfloat16Pairs.inputs

    @staticmethod
    def weights(builder: Any, at: Any) -> Any:
        return builder.xor(load(builder, at, _INTS, 64), ints(-0x7F7F7F80))

    @staticmethod
    def add(builder: Any, total: Any, weights: Any, given: Any) -> Any:
        return call(builder, "llvm.x86.avx512.vpdpbusd.512", _INTS, [total, weights, given])


_KINDS: dict[str, Any] = {
    "float32": _Float32,
    "bfloat16": _Bfloat16,
    "bfloat16 pairs": _Bfloat16Pairs,
    "int8": _Int8,
    "int8 digits": _Int8Digits,
}


def _i64(number: int) -> Any:
    return ir.Constant(_I64, number)


def ints(number: int) -> Any:
    return ir.Constant(_INTS, [number] * LANES)


def load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def mask(builder: Any, count: Any) -> Any:
    """The first `count` lanes."""
    lanes = ir.Constant(_INTS, list(range(LANES)))
    return builder.icmp_signed("<", lanes, splat(builder, builder.trunc(count, _I32)))


def masked_load(builder: Any, address: Any, kind: Any, count: Any) -> Any:
    """The first `count` lanes of a vector of this kind, the others 0; reads no byte behind them."""
    pointer = builder.inttoptr(address, kind.as_pointer())
    size = ir.Constant(_I32, 2 if kind.element == _I16 else 4)
    name = f"llvm.masked.load.v{LANES}{kind.element.intrinsic_name}.p0"
    empty = ir.Constant(kind, [0] * LANES)
    return call(builder, name, kind, [pointer, size, mask(builder, count), empty])


def masked_store(builder: Any, value: Any, address: Any, count: Any) -> None:
    """Store the first `count` lanes, and no byte behind them."""
    pointer = builder.inttoptr(address, value.type.as_pointer())
    size = ir.Constant(_I32, 2 if value.type.element == _I16 else 4)
    name = f"llvm.masked.store.v{LANES}{value.type.element.intrinsic_name}.p0"
    call(builder, name, ir.VoidType(), [value, pointer, size, mask(builder, count)])


def _store(builder: Any, value: Any, address: Any, align: int) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = align


def splat(builder: Any, number: Any) -> Any:
    vector = ir.VectorType(number.type, LANES)
    empty = ir.Constant(vector, ir.Undefined)
    one = builder.insert_element(empty, number, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, empty, ints(0))


def call(builder: Any, name: str, returns: Any, arguments: list[Any]) -> Any:
    kind = ir.FunctionType(returns, [argument.type for argument in arguments])
    known = builder.module.globals.get(name)
    return builder.call(known or ir.Function(builder.module, kind, name), arguments)


def _prefetch(builder: Any, address: Any) -> None:
    pointer = _I8.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
    function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
    hints = [
        ir.Constant(_I32, hint) for hint in (0, 2, 1)
    ]  # for reading, into the second level, data
    builder.call(function, [builder.inttoptr(address, pointer), *hints])


def _loop(
    builder: Any, turns: Any, body: Callable[[Any, list[Any]], list[Any]], start: list[Any]
) -> list[Any]:
    """`turns` turns (at least one), numbered from 0; carries the values of `start`."""
    before = builder.block
    turn, done = builder.append_basic_block("turn"), builder.append_basic_block("done")
    builder.branch(turn)
    builder.position_at_end(turn)
    number = builder.phi(_I64)
    number.add_incoming(_i64(0), before)
    carried = [builder.phi(value.type) for value in start]
    for phi, value in zip(carried, start, strict=True):
        phi.add_incoming(value, before)
    new = body(number, carried)
    after = builder.add(number, _i64(1))
    number.add_incoming(after, turn)
    for phi, value in zip(carried, new, strict=True):
        phi.add_incoming(value, turn)
    builder.cbranch(builder.icmp_unsigned("<", after, turns), turn, done)
    builder.position_at_end(done)
    return new
