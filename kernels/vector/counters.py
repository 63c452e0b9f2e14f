"""Counters in memory from which threads take their work: whoever is done takes more."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

APART = 16
"""Elements from one thread's counter or sum to the next one's: whole lines of caches."""


@intrinsic
def take(_typing: Any, counter: Any, count: Any) -> Any:
    """Count `count` up at this address, for all threads at once; returns what it was."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        address = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", address, arguments[1], "monotonic")

    return types.int64(types.uintp, types.int64), generate


@intrinsic
def pointer(_typing: Any, address: Any, kind: Any) -> Any:
    """An address as a pointer to elements of this type."""
    signature = types.CPointer(kind.dtype)(types.uintp, kind)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return signature, generate
