"""Triad roof: a = b + s*c over the three thirds of a block (STREAM's triad). Bytes: three thirds, once each; no
write-allocate. FLOPs: 2 per 12 bytes.
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

KIND = "triad"
UNIT = "byte/s"
__all__ = ["KIND", "UNIT", "VARIANTS", "bytes_per_pass", "prepare"]


@cache
def _compiled(variant: Variant) -> Callable[..., None]:
    around = variant.around
    chunk = chunk_bytes(1, UNROLL, WIDTH)

    @for_all_threads(*variant)
    def triad(address: Any, size: Any, threads: Any, passes: Any) -> None:
        for thread in prange(threads):
            share = size // 3 // threads // chunk * chunk
            b = uintp(address) + uintp(thread * share)
            c = b + uintp(share * threads)
            a = c + uintp(share * threads)
            for _ in range(passes):
                scale_add(a, b, c, float32(0.5), uintp(share // chunk), UNROLL, WIDTH, around, 2)

    return triad


def bytes_per_pass(variant: Variant, size: int, threads: int) -> int:  # noqa: ARG001 - as in the other probes
    """Bytes a pass over a block of `size` bytes loads and stores."""
    chunk = chunk_bytes(1, UNROLL, WIDTH)
    return size // 3 // threads // chunk * chunk * threads * 3


def prepare(variant: Variant, address: int, size: int, threads: int) -> Callable[[int], None]:
    """A function of the number of passes. Overwrites the last third of the block. ValueError: too small a block."""
    if not bytes_per_pass(variant, size, threads):
        msg = f"{size} bytes are too few for {threads} threads of the triad probe"
        raise ValueError(msg)
    call = _compiled(variant)
    return lambda passes: call(address, size, threads, passes)
