# ruff: noqa: ARG001 - numba reads the arguments off the signatures
"""Vector loads and stores for the probes, as LLVM functions: one for each kind of probe and variant.

A summing loop in Python, numpy or plain numba gives half the truth: one running sum waits for its own last addition,
and the vectoriser decides how much is in flight. So each pass walks `streams` segments of the memory side by side, with
`unroll` vectors of `width` floats of each in a turn of the loop and, where it adds up, an accumulator for every one of
them. A width of 16 floats is split by LLVM on machines with narrower registers. Everything is known when compiling, so
no pass has a branch but its loop; LLVM may not unroll it further, or narrow turns would all become wide ones.

Which variant is the best is a matter of the core: of how many stores of which width it takes in a cycle, of how many
streams its prefetchers follow, of what it does where a load and an earlier store have the same place in their pages.
"""

from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.llvm import F32, I8, I32, I64, LINE_BYTES, i64

FLOAT_BYTES = 4
KEEP_IN_CACHES = 3  # of a prefetch: in all of them
FUSED = ("contract",)  # a product and a sum in one instruction, where there is one

READ, WRITE, COPY, TRIAD = "read", "write", "copy", "triad"
ARRAYS = {READ: 1, WRITE: 1, COPY: 2, TRIAD: 3}
"""Into how many parts of one size each cuts its memory; the last one is stored to."""
ORDINARY, AROUND, BACKWARD, LIBRARY = "", "non-temporal", "backward", "library"
"""How it stores: as usual, past the caches, from the last byte to the first, or by the C library's own function."""

_POINTER = I8.as_pointer()


class Variant(NamedTuple):
    """How a pass walks: segments side by side, vectors of each in flight, floats per vector, bytes prefetched ahead."""

    streams: int
    unroll: int
    width: int
    ahead: int = 0
    how: str = ORDINARY

    @property
    def name(self) -> str:
        """As a profile states it: `2x4x16`, with prefetching `4x2x16+2048`, `1x8x8 non-temporal`."""
        if self.how == LIBRARY:
            return LIBRARY
        ahead = f"+{self.ahead}" if self.ahead else ""
        return f"{self.streams}x{self.unroll}x{self.width}{ahead} {self.how}".strip()

    @property
    def chunk_bytes(self) -> int:
        """Bytes of each array that one turn of the loop moves: memory is walked in multiples of it."""
        return self.streams * self.unroll * self.width * FLOAT_BYTES


_STORES = (
    Variant(1, 4, 16),
    Variant(1, 1, 8),
    Variant(1, 8, 8),
    Variant(4, 2, 16),
    Variant(4, 4, 8),
    Variant(1, 4, 16, how=BACKWARD),
    Variant(2, 4, 8, how=BACKWARD),
    Variant(1, 4, 16, how=AROUND),
    Variant(2, 2, 16, how=AROUND),
    Variant(1, 4, 8, how=AROUND),
    Variant(4, 4, 8, how=AROUND),
)
_BY_LIBRARY = Variant(1, 1, 16, how=LIBRARY)
VARIANTS = {
    READ: (
        Variant(1, 8, 16),
        Variant(2, 4, 16),
        Variant(4, 4, 16),
        Variant(1, 8, 8),
        Variant(4, 4, 8),
        Variant(4, 2, 16, 2048),
    ),
    WRITE: (*_STORES, _BY_LIBRARY),
    COPY: (*_STORES, _BY_LIBRARY),
    TRIAD: _STORES,
}


@intrinsic(prefer_literal=True)
def walk(
    _typing: Any,
    kind: Any,
    which: Any,
    address: Any,
    segment: Any,
    array: Any,
    turns: Any,
    passes: Any,
    value: Any,
) -> Any:
    """`passes` passes over `turns` turns of the loop, by variant number `which` of a literal kind.

    Returns what a read sums up, else how many turns were made, as float32.

    From `address` on lie arrays, `array` bytes apart, each of segments, `segment` bytes apart. Addresses are aligned to
    64 bytes, and the caller keeps them alive. A write fills with `value`, a byte repeated four times.
    """
    size, name = types.uintp, kind.literal_value
    signature = types.float32(kind, types.int64, size, size, size, size, size, types.uint32)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        number, *given = arguments[1:]
        ways = [(builder.append_basic_block(), variant) for variant in VARIANTS[name]]
        nowhere, done = builder.append_basic_block(), builder.append_basic_block()
        chosen = builder.switch(number, nowhere)
        builder.position_at_end(nowhere)
        builder.unreachable()
        builder.position_at_end(done)
        result = builder.phi(F32)
        for index, (block, variant) in enumerate(ways):
            chosen.add_case(ir.Constant(I64, index), block)
            builder.position_at_end(block)
            result.add_incoming(builder.call(function(builder.module, name, variant), given), block)
            builder.branch(done)
        builder.position_at_end(done)
        return result

    return signature, generate


def function(module: Any, kind: str, variant: Variant) -> Any:
    """The LLVM function of that variant in `module`: address, segment, array, turns, passes, value as of `walk`."""
    name = f"{kind} {variant.name}"
    if name in module.globals:
        return module.globals[name]
    made = ir.Function(module, ir.FunctionType(F32, [I64] * 5 + [I32]), name)
    made.linkage = "internal"
    made.attributes.add("noinline")
    address, segment, array, turns, passes, value = made.args
    builder = ir.IRBuilder(made.append_basic_block())
    S, U, V, ahead, how = variant
    vector, step = ir.VectorType(F32, V), U * V * FLOAT_BYTES

    def loaded(at: Any) -> Any:
        return llvm.load(builder, at, vector, V * FLOAT_BYTES)

    first = [builder.add(address, builder.mul(array, i64(a))) for a in range(ARRAYS[kind])]
    zero = ir.Constant(vector, [0.0] * V)
    if kind == WRITE:
        filled = builder.bitcast(llvm.splat(builder, value, V), vector)
    half = ir.Constant(vector, [0.5] * V)

    def turn(_number: Any, carried: list[Any]) -> list[Any]:
        offset, *sums = carried
        new = [builder.add(offset, i64(-step if how == BACKWARD else step))]
        for s in range(S):
            start = builder.add(offset, builder.mul(segment, i64(s)))
            for u in reversed(range(U)) if how == BACKWARD else range(U):
                place = u * V * FLOAT_BYTES
                at = [builder.add(builder.add(one, start), i64(place)) for one in first]
                if ahead and place % LINE_BYTES == 0:
                    llvm.prefetch(builder, llvm.shifted(builder, at[0], ahead), KEEP_IN_CACHES)
                if kind == READ:
                    new.append(builder.fadd(sums[s * U + u], loaded(at[0])))
                    continue
                stored = filled if kind == WRITE else loaded(at[0])
                if kind == TRIAD:
                    scaled = builder.fmul(half, loaded(at[1]), flags=FUSED)
                    stored = builder.fadd(stored, scaled, flags=FUSED)
                _store(builder, stored, at[-1], vector, around=how == AROUND)
        return new

    count = builder.mul(turns, i64(step))
    begin = builder.sub(count, i64(step)) if how == BACKWARD else i64(0)

    def one_pass(_number: Any, sums: list[Any]) -> list[Any]:
        # Nothing to the processor. To LLVM, that the memory may have changed, else it does repeated stores once; and
        # that this number is new, else it keeps an address for every load and store of a backward turn.
        again = builder.asm(ir.FunctionType(I64, [I64]), "", "=r,0,~{memory}", [begin], True)
        if how != LIBRARY:
            return llvm.loop(builder, turns, turn, [again, *sums], unroll=False)[1:]
        if kind == WRITE:
            _library(builder, "memset", first[0], builder.trunc(value, I8), count)
        else:
            _library(builder, "memcpy", first[1], builder.inttoptr(first[0], _POINTER), count)
        return sums

    start = [zero] * (S * U) if kind == READ else []
    sums = llvm.loop(builder, passes, one_pass, start, unroll=False)
    made_turns = builder.uitofp(builder.mul(turns, passes), F32)
    builder.ret(_total(builder, sums) if sums else made_turns)
    return made


def _total(builder: Any, sums: list[Any]) -> Any:
    """Of all lanes of all vectors, in order."""
    while len(sums) > 1:
        sums = [builder.fadd(a, b) for a, b in zip(sums[::2], sums[1::2], strict=True)]
    width = sums[0].type.count
    name, zero = f"llvm.vector.reduce.fadd.v{width}f32", ir.Constant(F32, 0.0)
    return llvm.call(builder, name, F32, [zero, sums[0]])


def _store(builder: Any, value: Any, address: Any, vector: Any, *, around: bool) -> None:
    store = builder.store(value, builder.inttoptr(address, vector.as_pointer()))
    store.align = vector.count * FLOAT_BYTES
    if around:
        store.set_metadata("nontemporal", builder.module.add_metadata([ir.Constant(I32, 1)]))


def _library(builder: Any, name: str, to: Any, what: Any, count: Any) -> None:
    """memset or memcpy: the C library's, which knows the machine."""
    given = [_POINTER, *([what.type] if name == "memcpy" else []), I64]
    called = builder.module.declare_intrinsic(f"llvm.{name}", given)
    builder.call(
        called, [builder.inttoptr(to, _POINTER), what, count, ir.Constant(ir.IntType(1), 0)]
    )
