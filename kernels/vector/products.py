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
TURNS = 16
"""Turns of the loop over k whose activations lie side by side for each sequence: they are copied in whole vectors."""
WIDTH = {"float32": 1, "bfloat16": 2, "bfloat16 pairs": 1, "int8": 4, "int8 limbs": 1}
"""Vectors that a line of weights becomes, and a group of activations."""
NEEDS = {"bfloat16 pairs": "avx512bf16", "int8 limbs": "avx512vnni"}
"""Instructions that a kind of product is made of; the others run everywhere."""


def runs(kind: str) -> bool:
    """Whether this machine, as numba compiles for it, has what this kind of product needs."""
    return kind not in NEEDS or f"+{NEEDS[kind]}" in llvm.features()


def limbs(kind: str) -> int:
    """Limbs of an activation, each of which has sums of its own; 1 where it is multiplied whole."""
    return LIMBS if kind == "int8 limbs" else 1


def as_they_lie(kind: str, activations: str, *lengths: int) -> bool:
    """Whether products read one sequence's activations of these lengths as they are: in this dtype, in whole groups."""
    wanted = {"bfloat16 pairs": "bfloat16", "int8 limbs": ""}.get(kind, "float32")
    return activations == wanted and all(length % DEPTH[kind] == 0 for length in lengths)


@intrinsic(prefer_literal=True)
def products(
    _typing: Any, weights: Any, part: Any, apart: Any, inputs: Any, turns: Any, sums: Any, sums_apart: Any,
    ahead: Any, section: Any,
    kind: Any, vectors: Any, batch: Any, streams: Any, gates: Any, prefetched: Any, sections: Any,
) -> Any:  # fmt: skip
    """Add W_s x_b to sums[s][b][v] for `streams` tiles of weights, `batch` sequences and `vectors` vectors of rows.

    weights     address of the first tile's rows, `gates` lines long; those of the others follow `apart` bytes apart
    part        bytes from a row's beginning to the lines that are multiplied
    inputs      address of the activations as the kind wants them, `TURNS` turns of a sequence side by side:
                [turns / TURNS][batch][limbs][TURNS] groups of DEPTH neighbours
    turns       length in k over the kind's DEPTH, at least 1
    sums        address of [batch][gates][16] float32, or of [batch][limbs][gates][16] int32, `sums_apart` bytes from
                one stream's to the next one's
    ahead       how many bytes ahead of its rows a tile prefetches: of each row the first `prefetched` of the lines that
                are multiplied; or so many `sections`, of each a line in every turn
    section     the first of these sections

    The rows that lie `ahead` of a stream's are `gates` sections of `turns` lines each, one section behind the other.
    Section u is of stream u % streams. Tiles of the same rows share the sections, so that each asks for lines in the
    order in which they lie. Memory serves them faster then than some lines of each row, and later the others.
    """
    literals = (kind, vectors, batch, streams, gates, prefetched, sections)
    signature = types.void(*(types.uintp,) * 9, *literals)
    name, N, B, S, G, lines, own_sections = (t.literal_value for t in literals)
    emit = _KINDS[name]
    columns, row, group = B * limbs(name), G * LINE_BYTES, emit.input_bytes * TURNS

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        rows, part, spread, x, count, target, target_spread, distance, first_section = arguments[:9]
        first = builder.add(rows, part)
        tiles = [builder.add(first, builder.mul(spread, i64(s))) for s in range(S)]
        targets = [builder.add(target, builder.mul(target_spread, i64(s))) for s in range(S)]
        places = [
            llvm.shifted(builder, targets[s], (b * G + n) * LINE_BYTES)
            for s in range(S)
            for b in range(columns)
            for n in range(N)
        ]

        def section(number: int) -> Any:
            """Where the section begins that is `number` of those that this tile prefetches."""
            which = builder.add(first_section, i64(number))
            stream, of_stream = builder.urem(which, i64(S)), builder.udiv(which, i64(S))
            start = builder.add(builder.add(rows, builder.mul(spread, stream)), distance)
            return builder.add(start, builder.mul(of_stream, builder.mul(count, i64(LINE_BYTES))))

        sections = [section(number) for number in range(own_sections)]

        def weight(at: Any, n: int) -> Any:
            return emit.weights(builder, llvm.shifted(builder, at, n * LINE_BYTES))

        def turn(at: list[Any], number: Any, group_at: Any, sums: list[Any]) -> list[Any]:
            """One row of every tile; whichever is less, its lines or the activations, waits in registers."""
            new = list(sums)

            def add(s: int, b: int, n: int, loaded: Any, given: Any) -> None:
                i = (s * columns + b) * N + n
                new[i] = emit.add(builder, new[i], loaded, given)

            def given(b: int) -> Any:
                return emit.inputs(builder, llvm.shifted(builder, group_at, b * group))

            if columns <= S * N:
                all_given = [given(b) for b in range(columns)]
                for s in range(S):
                    for n in range(N):
                        loaded = weight(at[s], n)
                        for b in range(columns):
                            add(s, b, n, loaded, all_given[b])
            else:
                loads = [(s, n, weight(at[s], n)) for s in range(S) for n in range(N)]
                for b in range(columns):
                    one = given(b)
                    for s, n, loaded in loads:
                        add(s, b, n, loaded, one)
            # last: no load moves past it, into the instruction that uses it
            for tile in at if lines else ():
                start = builder.add(tile, distance)
                for line in range(lines):
                    llvm.prefetch(builder, llvm.shifted(builder, start, line * LINE_BYTES))
            for start in sections:
                line_at = builder.mul(number, i64(LINE_BYTES))
                llvm.prefetch(builder, builder.add(start, line_at))
            return new

        def some(number: Any, carried: list[Any]) -> list[Any]:
            """Up to TURNS turns, whose activations lie side by side."""
            done = builder.mul(number, i64(TURNS))
            left = builder.sub(count, done)
            these = builder.select(builder.icmp_unsigned("<", left, i64(TURNS)), left, i64(TURNS))
            offset = builder.mul(done, i64(row))
            starts = [builder.add(tile, offset) for tile in tiles]
            group_at = builder.add(x, builder.mul(number, i64(columns * group)))

            def one(k: Any, sums: list[Any]) -> list[Any]:
                shift = builder.mul(k, i64(row))
                at = [builder.add(start, shift) for start in starts]
                word = builder.add(group_at, builder.mul(k, i64(emit.input_bytes)))
                return turn(at, builder.add(done, k), word, sums)

            return llvm.loop(builder, these, one, carried)

        before = [llvm.load(builder, place, emit.sums, LINE_BYTES) for place in places]
        blocks = builder.udiv(builder.add(count, i64(TURNS - 1)), i64(TURNS))
        after = llvm.loop(builder, blocks, some, before)
        for total, place in zip(after, places, strict=True):
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
GROUP_BYTES = {name: limbs(name) * kind.input_bytes * TURNS for name, kind in _KINDS.items()}
"""Bytes of one sequence's activations that lie side by side, of TURNS turns: all limbs of them."""
