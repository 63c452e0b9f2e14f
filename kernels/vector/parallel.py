"""Functions that all threads run, kept on disk by variant, and the counters from which threads take their work."""

import re
from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

APART = 16
"""Elements from one thread's counter or sum to the next one's: whole lines of caches."""


def for_all_threads(*variant: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a function that compiles for this variant; the next process finds it compiled.

    numba names compiled closures by their function and a count of its own process. Of two closures of one function that
    two processes compiled, a third may find one and call the other: a wrong answer, kept (numba's issue 10128; figures
    are in FINDINGS). So the variant is in the name.
    """

    return lambda function: numba.njit(parallel=True, nogil=True, cache=True)(
        named(function, *variant)
    )


def named(function: Callable[..., Any], *variant: object) -> Callable[..., Any]:
    """The function, its variant in its name."""
    words = [function.__name__, *(re.sub(r"\W+", "_", str(part)) for part in variant)]
    function.__name__ = function.__qualname__ = "_".join(words)
    return function


@intrinsic
def take(_typing: Any, counter: Any, count: Any) -> Any:
    """Count `count` up at this address, for all threads at once; returns what it was: whoever is done takes more."""

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
