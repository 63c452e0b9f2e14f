"""LLVM vectors of 16 lanes for step kernels, as numba intrinsics emit them: loads, stores, loops, and what runs here.

LLVM splits 16 lanes on machines with narrower registers (AVX2, Arm). Addresses are integers (uintp); the caller keeps
the memory alive.
"""

import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import config
from numba.core.codegen import get_host_cpu_features

LANES = 16
LINE_BYTES = 64

I8, I16, I32, I64, F32 = (*(ir.IntType(bits) for bits in (8, 16, 32, 64)), ir.FloatType())
FLOATS, INTS, HALVES, BYTES = (ir.VectorType(kind, LANES) for kind in (F32, I32, I16, I8))


def features() -> list[str]:
    """Instructions of this machine, as numba compiles for it, each as `+name` or `-name`."""
    known = config.CPU_FEATURES
    return (get_host_cpu_features() if known is None else known).split(",")  # type: ignore[no-any-return]


def registers() -> tuple[int, int]:
    """Vector registers of this machine, and how many of them 16 floats take."""
    known = set(features())
    if "+avx512f" in known:
        return 32, 1
    if {"+avx", "+avx2"} & known:
        return 16, 2
    return (32 if platform.machine() in ("aarch64", "arm64") else 16), 4


def i64(number: int) -> Any:
    """A whole number, as addresses are."""
    return ir.Constant(I64, number)


def ints(number: int) -> Any:
    """The same whole number in every lane."""
    return ir.Constant(INTS, [number] * LANES)


def shifted(builder: Any, address: Any, offset: int) -> Any:
    """So many bytes behind an address."""
    return builder.add(address, i64(offset))


def load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    """A value of this type."""
    loaded = builder.load(builder.inttoptr(address, kind.as_pointer()))
    loaded.align = align
    return loaded


def store(builder: Any, value: Any, address: Any, align: int) -> None:
    """A value of whatever type."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = align


def masked_load(builder: Any, address: Any, kind: Any, count: Any) -> Any:
    """The first `count` lanes of a vector of this type, the others 0; reads no byte behind them."""
    pointer, align, mask = _masked(builder, address, kind, count)
    name = f"llvm.masked.load.v{LANES}{kind.element.intrinsic_name}.p0"
    return call(builder, name, kind, [pointer, align, mask, ir.Constant(kind, [0] * LANES)])


def masked_store(builder: Any, value: Any, address: Any, count: Any) -> None:
    """Store the first `count` lanes, and no byte behind them."""
    name = f"llvm.masked.store.v{LANES}{value.type.element.intrinsic_name}.p0"
    call(builder, name, ir.VoidType(), [value, *_masked(builder, address, value.type, count)])


def _masked(builder: Any, address: Any, kind: Any, count: Any) -> tuple[Any, Any, Any]:
    """Pointer, alignment, and the mask of the first `count` lanes."""
    lanes = ir.Constant(INTS, list(range(LANES)))
    pointer = builder.inttoptr(address, kind.as_pointer())
    mask = builder.icmp_signed("<", lanes, splat(builder, builder.trunc(count, I32)))
    return pointer, ir.Constant(I32, 2 if kind.element == I16 else 4), mask


def splat(builder: Any, number: Any, lanes: int = LANES) -> Any:
    """A number in every lane."""
    empty = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    one = builder.insert_element(empty, number, ir.Constant(I32, 0))
    return builder.shuffle_vector(one, empty, ir.Constant(ir.VectorType(I32, lanes), [0] * lanes))


def call(builder: Any, name: str, returns: Any, arguments: list[Any]) -> Any:
    """An LLVM intrinsic of this name."""
    kind = ir.FunctionType(returns, [argument.type for argument in arguments])
    known = builder.module.globals.get(name)
    return builder.call(known or ir.Function(builder.module, kind, name), arguments)


def prefetch(builder: Any, address: Any, locality: int = 2) -> None:
    """Data for reading, into the second level, or with locality 3 into the first."""
    hints = [ir.Constant(I32, hint) for hint in (0, locality, 1)]
    pointer = builder.inttoptr(address, I8.as_pointer())
    call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, *hints])


def loop(
    builder: Any,
    turns: Any,
    body: Callable[[Any, list[Any]], list[Any]],
    start: list[Any],
    *,
    unroll: bool = True,
) -> list[Any]:
    """`turns` turns (at least one), numbered from 0; carries the values of `start`.

    Without `unroll` LLVM may not make several turns one.
    """
    before = builder.block
    turn, done = builder.append_basic_block("turn"), builder.append_basic_block("done")
    builder.branch(turn)
    builder.position_at_end(turn)
    first, *carried = (builder.phi(value.type) for value in (i64(0), *start))
    new = body(first, carried)
    after = builder.add(first, i64(1))
    for phi, value, changed in zip((first, *carried), (i64(0), *start), (after, *new), strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(changed, builder.block)  # where the body ended
    back = builder.cbranch(builder.icmp_unsigned("<", after, turns), turn, done)
    if not unroll:
        module = builder.module
        as_it_stands = module.add_metadata([ir.MetaDataString(module, "llvm.loop.unroll.disable")])
        # a loop is told apart by a node that names itself first
        node = module.add_metadata([as_it_stands, i64(len(module.metadata))])
        node.operands = (node, as_it_stands)
        back.set_metadata("llvm.loop", node)
    builder.position_at_end(done)
    return new
