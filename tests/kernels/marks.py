"""Marks in memory in the place of prefetches, so that what is asked for can be counted."""

from __future__ import annotations

from llvmlite import ir

from kernels.vector.llvm import I8, I64


def behind(distance=0):
    """What stands in for `llvm.prefetch`: one more in the byte that lies so many bytes behind the address."""

    def mark(builder, address, _locality=2):
        moved = builder.add(address, ir.Constant(I64, distance))
        place = builder.inttoptr(moved, I8.as_pointer())
        builder.store(builder.add(builder.load(place), ir.Constant(I8, 1)), place)

    return mark
