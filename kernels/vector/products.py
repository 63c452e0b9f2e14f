"""Products of packed weights with a few sequences' activations, as LLVM vectors: a tile of sums stays in registers.

numba's vectoriser neither keeps a tile of sums in registers nor picks the instructions that dot products of narrow
weights have. So both are emitted as LLVM vectors, straight through a numba intrinsic. Everything but addresses and
lengths is known when compiling.

Packed weights: elements k of 16 rows (gates of 16 units) side by side, `DEPTH` neighbours in k together:

    float32    [K][rows]         one multiply-add per 16 weights
    bfloat16   [K/2][rows][2]    widened by a shift or a mask, then the same; or, with bfloat16 activations where the
                                 machine has them (AVX512_BF16), dot products of pairs
    int8       [K/4][rows][4]    widened and converted; or dot products of fours with activations in limbs of 8 bits
                                 where the machine has them (AVX512_VNNI)

The caller keeps every weight row aligned to its vector.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.limbs import LIMBS
from kernels.vector.llvm import F32, FLOATS, I32, INTS, LANES, LINE_BYTES, i64, ints

DEPTH = {"float32": 1, "bfloat16": 2, "bfloat16 pairs": 2, "int8": 4, "int8 limbs": 4}
"""How many neighbours in k lie together, by kind of product."""
NEEDS = {"bfloat16 pairs": "avx512bf16", "int8 limbs": "avx512vnni"}
"""Instructions that a kind of product is made of; the others run everywhere."""


def runs(kind: str) -> bool:
    """Whether this machine, as numba compiles for it, has what this kind of product needs."""
    return kind not in NEEDS or f"+{NEEDS[kind]}" in llvm.features()


def limbs(kind: str) -> int:
    """Limbs of an activation, each of which has sums of its own; 1 where it is multiplied whole."""
    return LIMBS if kind == "int8 limbs" else 1


@intrinsic(prefer_literal=True)
def products(
    _typing: Any, weights: Any, apart: Any, inputs: Any, turns: Any, sums: Any,
    kind: Any, vectors: Any, batch: Any, streams: Any, gates: Any, ahead: Any,
) -> Any:  # fmt: skip
    """Store sums[s][b][v] = W_s x_b for `streams` tiles of weights, `batch` sequences and `vectors` vectors of rows.

    weights  address of the first tile; the others follow `apart` bytes from one another
    inputs   address of the activations as the kind wants them: [turns][batch][limbs] groups of DEPTH neighbours
    turns    length in k over the kind's DEPTH, at least 1
    sums     address of [streams][batch][gates][16] float32, or of [streams][batch][limbs][gates][16] int32
    ahead    bytes prefetched ahead of every line of weights; 0 for none
    """
    literals = (kind, vectors, batch, streams, gates, ahead)
    signature = types.void(*(types.uintp,) * 5, *literals)
    name, N, B, S, G, distance = (t.literal_value for t in literals)
    emit = _KINDS[name]
    columns, row = B * limbs(name), N * LINE_BYTES

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        first, spread, x, count, target = arguments[:5]
        tiles = [builder.add(first, builder.mul(spread, i64(s))) for s in range(S)]

        def turn(number: Any, sums: list[Any]) -> list[Any]:
            offset = builder.mul(number, i64(row))
            group = builder.add(x, builder.mul(number, i64(columns * emit.input_bytes)))
            at = (llvm.shifted(builder, group, b * emit.input_bytes) for b in range(columns))
            given = [emit.inputs(builder, address) for address in at]
            new = list(sums)
            for s in range(S):
                start = builder.add(tiles[s], offset)
                for n in range(N):
                    loaded = emit.weights(builder, llvm.shifted(builder, start, n * LINE_BYTES))
                    for b in range(columns):
                        i = (s * columns + b) * N + n
                        new[i] = emit.add(builder, new[i], loaded, given[b])
            if distance:  # last: no load moves past it, into the instruction that uses it
                for tile in tiles:
                    start = builder.add(tile, offset)
                    for line in range(0, row, LINE_BYTES):
                        llvm.prefetch(builder, llvm.shifted(builder, start, line + distance))
            return new

        zero = ir.Constant(emit.sums, [0] * LANES)
        totals = llvm.loop(builder, count, turn, [zero] * (S * columns * N))
        for i, total in enumerate(totals):
            place = llvm.shifted(builder, target, (i // N * G + i % N) * LINE_BYTES)
            llvm.store(builder, total, place, LINE_BYTES)

    return signature, generate


@dataclass(frozen=True)
class _Kind:
    """What loads a sequence's group of neighbours, what loads a line of weights, and what adds their product."""

    inputs: Callable[[Any, Any], Any]
    weights: Callable[[Any, Any], Any]
    add: Callable[[Any, Any, Any, Any], Any]
    input_bytes: int = 4
    sums: Any = FLOATS


def _splats(count: int) -> Callable[[Any, Any], list[Any]]:
    """So many neighbours in k, each in every lane of a vector of its own."""

    def inputs(builder: Any, at: Any) -> list[Any]:
        places = (llvm.shifted(builder, at, 4 * k) for k in range(count))
        return [llvm.splat(builder, llvm.load(builder, place, F32, 4)) for place in places]

    return inputs


def _multiply_adds(builder: Any, total: Any, weights: list[Any], given: list[Any]) -> Any:
    for w, x in zip(weights, given, strict=True):
        product = builder.fmul(w, x, flags=("contract",))
        total = builder.fadd(total, product, flags=("contract",))
    return total


def _float32(builder: Any, at: Any) -> list[Any]:
    return [llvm.load(builder, at, FLOATS, LINE_BYTES)]


def _bfloat16(builder: Any, at: Any) -> list[Any]:
    """Two neighbours in k of 16 rows: the even ones shifted up, the odd ones masked."""
    both = _line(builder, at)
    halves = builder.shl(both, ints(16)), builder.and_(both, ints(-65536))
    return [builder.bitcast(half, FLOATS) for half in halves]


def _int8(builder: Any, at: Any) -> list[Any]:
    """Four neighbours in k of 16 rows: each byte is moved to the top, down again, and converted."""
    four = _line(builder, at)
    moved = [builder.shl(four, ints(24 - 8 * k)) if k < 3 else four for k in range(4)]
    return [builder.sitofp(builder.ashr(one, ints(24)), FLOATS) for one in moved]


def _line(builder: Any, at: Any) -> Any:
    return llvm.load(builder, at, INTS, LINE_BYTES)


def _word(builder: Any, at: Any) -> Any:
    """A group of neighbours as one word in every lane."""
    return llvm.splat(builder, llvm.load(builder, at, I32, 4))


def _pairs(builder: Any, total: Any, weights: Any, given: Any) -> Any:
    """Dot products of pairs: bfloat16 weights with bfloat16 activations into float32."""
    pairs = ir.VectorType(_Bf16(), 2 * LANES)
    w, x = builder.bitcast(weights, pairs), builder.bitcast(given, pairs)
    return llvm.call(builder, "llvm.x86.avx512bf16.dpbf16ps.512", FLOATS, [total, w, x])


class _Bf16(ir.Type):  # type: ignore[misc] # llvmlite publishes no types
    """bfloat16, which llvmlite has no word for."""

    def _to_string(self) -> str:
        return "bfloat"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bf16)

    def __hash__(self) -> int:
        return hash(_Bf16)


def _unsigned(builder: Any, at: Any) -> Any:
    """Weights + 128 as unsigned bytes."""
    return builder.xor(_line(builder, at), ints(-0x7F7F7F80))


def _fours(builder: Any, total: Any, weights: Any, given: Any) -> Any:
    """Dot products of fours: unsigned weights with signed 8-bit limbs of the activations."""
    return llvm.call(builder, "llvm.x86.avx512.vpdpbusd.512", INTS, [total, weights, given])


_KINDS = {
    "float32": _Kind(_splats(1), _float32, _multiply_adds),
    "bfloat16": _Kind(_splats(2), _bfloat16, _multiply_adds, input_bytes=8),
    "bfloat16 pairs": _Kind(_word, _line, _pairs),
    "int8": _Kind(_splats(4), _int8, _multiply_adds, input_bytes=16),
    "int8 limbs": _Kind(_word, _unsigned, _fours, sums=INTS),
}
