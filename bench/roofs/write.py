"""Write roof: a block is filled once per pass, with bytes that are never 0. Bytes: the block's, once; the lines that a
cache fetches before it is written (write-allocate) are not counted, as in STREAM. FLOPs: none.

Variants: widths and numbers of stores, side by side, backward, past the caches, and the C library's memset.
"""

from __future__ import annotations

from functools import partial

from bench.roofs import shared, vector

KIND = vector.WRITE
UNIT = "byte/s"
VARIANTS = vector.VARIANTS[KIND]

bytes_per_pass = partial(shared.bytes_per_pass, KIND)
"""Of a variant, a block's size and a number of threads: bytes stored."""

prepare = partial(shared.prepare, KIND)
"""Of a variant, an address, a block's size and a number of threads. Overwrites the block."""
