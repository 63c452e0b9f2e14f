"""Write roof: a block is filled once per pass. Bytes: the block's, once; the lines that a cache fetches before it is
written (write-allocate) are not counted, as in STREAM. FLOPs: none. Variants: ordinary and non-temporal stores.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from numba import float32, prange, uintp

from bench.roofs.vector import chunk_bytes, fill
from kernels.compiled import for_all_threads

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "write"
UNIT = "byte/s"
UNROLL, WIDTH = 4, 16


class Variant(NamedTuple):
    """Past the caches (1) or through them (0)."""

    around: int

    @property
    def name(self) -> str:
        """As a profile states it."""
        return "non-temporal" if self.around else "ordinary"


VARIANTS = (Variant(0), Variant(1))


@cache
def _compiled(variant: Variant) -> Callable[..., None]:
    around = variant.around
    chunk = chunk_bytes(1, UNROLL, WIDTH)

    @for_all_threads(*variant)
    def write(address: Any, size: Any, threads: Any, passes: Any) -> None:
        for thread in prange(threads):
            share = size // threads // chunk * chunk
            for number in range(passes):
                fill(
                    uintp(address) + uintp(thread * share),
                    uintp(share // chunk),
                    float32(number) + float32(0.5),
                    UNROLL,
                    WIDTH,
                    around,
                )

    return write


def bytes_per_pass(variant: Variant, size: int, threads: int) -> int:  # noqa: ARG001 - as in the other probes
    """Bytes a pass over a block of `size` bytes stores."""
    chunk = chunk_bytes(1, UNROLL, WIDTH)
    return size // threads // chunk * chunk * threads


def prepare(variant: Variant, address: int, size: int, threads: int) -> Callable[[int], None]:
    """A function of the number of passes. Overwrites the block. ValueError: too small a block."""
    if not bytes_per_pass(variant, size, threads):
        msg = f"{size} bytes are too few for {threads} threads of the write probe"
        raise ValueError(msg)
    call = _compiled(variant)
    return lambda passes: call(address, size, threads, passes)
