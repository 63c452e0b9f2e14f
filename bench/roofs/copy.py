"""Copy roof: the first half of a block is copied to the second. Bytes: both halves, once each; no write-allocate, as in
STREAM. FLOPs: none. Variants as of the write roof, and the C library's memcpy.
"""

from __future__ import annotations

from functools import partial

from bench.roofs import shared, vector

KIND = vector.COPY
UNIT = "byte/s"
VARIANTS = vector.VARIANTS[KIND]

bytes_per_pass = partial(shared.bytes_per_pass, KIND)
"""Of a variant, a block's size and a number of threads: bytes loaded and stored."""

prepare = partial(shared.prepare, KIND)
"""Of a variant, an address, a block's size and a number of threads. Overwrites the second half of the block."""
