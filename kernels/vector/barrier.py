"""A barrier between the threads of one parallel region, and the roll call that says who they are.

A barrier is a counter that only rises: a thread adds 1 and waits until as many have come as the barrier's number asks
for. It looks some thousand times, with the instruction that says so to the core between two looks, then offers its core
to others between looks: threads that share a core, or that were put aside, neither block each other nor burn it.

numba promises no thread for each turn of a parallel loop: a pool may have fewer, and one of them may take several turns
one after the other, the first of which would wait for the second forever. So whoever comes first waits for the others
for a while only, then closes the list; who comes later has no part, and those on the list do all the work.

Memory is three lines of 64 bits each, `LINE_BYTES` apart, all 0 before the region begins: who came to the roll call,
how many are on the list, and who came to the barriers.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-decorators=False

import platform
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import carray, types, uintp
from numba.extending import intrinsic

from kernels.vector import llvm
from kernels.vector.llvm import I32, I64, LINE_BYTES
from kernels.vector.parallel import pointer

BYTES = 3 * LINE_BYTES
"""Of the memory that a region's barriers need."""
LOOKS = 2000
"""Looks before a thread offers its core to others: tens of microseconds, many times what a barrier takes."""
PATIENCE = 5000
"""Offers before the roll call is closed without those who have not come: milliseconds, where nobody takes them."""
PAUSES = {
    "x86_64": ("llvm.x86.sse2.pause", ()),
    "aarch64": ("llvm.aarch64.isb", (15,)),
    "arm64": ("llvm.aarch64.isb", (15,)),
}
"""By machine, the instruction that makes a waiting core rest for some ten nanoseconds, and its operands."""


@numba.njit(nogil=True)
def cleared(memory):
    """Make a barrier's memory ready, before the region begins."""
    words = carray(pointer(memory, np.int64), (BYTES // 8,))
    for one in range(BYTES // 8):
        words[one] = 0


@numba.njit(nogil=True)
def enrolled(memory, wanted):
    """This thread's number in the order of coming, and how many take part; no part where the number is not less.

    `wanted` threads are waited for. Each takes part from here on in every barrier of the region.
    """
    came, listed = memory, memory + uintp(LINE_BYTES)
    me = _add(came, 1)
    if me == wanted - 1:
        _swap(listed, 0, wanted)
    looks = 0
    while _seen(listed) == 0:
        looks += 1
        if looks > LOOKS + PATIENCE:
            _swap(listed, 0, _seen(came))
        elif looks > LOOKS:
            _offer()
        else:
            _pause()
    return me, _seen(listed)


@numba.njit(nogil=True)
def together(memory, members, number):
    """Wait until all `members` have come here: the region's barrier of this number, counted from 1.

    What any of them stored before is seen by all behind it.
    """
    counter, all_of_them = memory + uintp(2 * LINE_BYTES), members * number
    _add(counter, 1)
    looks = 0
    while _seen(counter) < all_of_them:
        looks += 1
        if looks > LOOKS:
            _offer()
        else:
            _pause()


def _pointer(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, I64.as_pointer())


@intrinsic
def _add(_typing: Any, address: Any, count: Any) -> Any:
    """Add at this address; returns what was there. Stores before it are seen by who sees the sum."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _pointer(builder, arguments[0]), arguments[1], "acq_rel")

    return types.int64(types.uintp, types.int64), generate


@intrinsic
def _seen(_typing: Any, address: Any) -> Any:
    """What is at this address; what was stored before it was counted up is seen from here on."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_pointer(builder, arguments[0]), "acquire", 8)

    return types.int64(types.uintp), generate


@intrinsic
def _swap(_typing: Any, address: Any, old: Any, new: Any) -> Any:
    """Put `new` where `old` is; nothing where something else is."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        at, before, after = arguments
        builder.cmpxchg(_pointer(builder, at), before, after, "acq_rel", "monotonic")
        return context.get_dummy_value()

    return types.void(types.uintp, types.int64, types.int64), generate


@intrinsic
def _pause(_typing: Any) -> Any:
    """Let the core rest for a moment, where its machine has an instruction for it."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        for name, operands in filter(None, [PAUSES.get(platform.machine())]):
            llvm.call(builder, name, ir.VoidType(), [ir.Constant(I32, one) for one in operands])
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _offer(_typing: Any) -> Any:
    """Let another thread have this core first: sched_yield of the C library."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        llvm.call(builder, "sched_yield", I32, [])
        return context.get_dummy_value()

    return types.void(), generate
