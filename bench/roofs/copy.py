"""Copy roof: the first half of a block is copied to the second. Bytes: both halves, once each; no write-allocate, as in
STREAM. FLOPs: none.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from numba import float32, prange, uintp

from bench.roofs.vector import chunk_bytes, scale_add
from bench.roofs.write import UNROLL, VARIANTS, WIDTH, Variant
from kernels.compiled import for_all_threads

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "copy"
UNIT = "byte/s"
__all__ = ["KIND", "UNIT", "VARIANTS", "bytes_per_pass", "prepare"]


@cache
def _compiled(variant: Variant) -> Callable[..., None]:
    around = variant.around
    chunk = chunk_bytes(1, UNROLL, WIDTH)

    @for_all_threads(*variant)
    def copy(address: Any, size: Any, threads: Any, passes: Any) -> None:
        for thread in prange(threads):
            share = size // 2 // threads // chunk * chunk
            a = uintp(address) + uintp(thread * share)
            to = a + uintp(share * threads)
            for _ in range(passes):
                scale_add(to, a, a, float32(1), uintp(share // chunk), UNROLL, WIDTH, around, 1)

    return copy


def bytes_per_pass(variant: Variant, size: int, threads: int) -> int:  # noqa: ARG001 - as in the other probes
    """Bytes a pass over a block of `size` bytes loads and stores."""
    chunk = chunk_bytes(1, UNROLL, WIDTH)
    return size // 2 // threads // chunk * chunk * threads * 2


def prepare(variant: Variant, address: int, size: int, threads: int) -> Callable[[int], None]:
    """A function of the number of passes. Overwrites the second half of the block. ValueError: too small a block."""
    if not bytes_per_pass(variant, size, threads):
        msg = f"{size} bytes are too few for {threads} threads of the copy probe"
        raise ValueError(msg)
    call = _compiled(variant)
    return lambda passes: call(address, size, threads, passes)
