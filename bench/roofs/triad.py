"""Triad roof: a = b + s*c over the three thirds of a block (STREAM's triad). Bytes: three thirds, once each; no
write-allocate. FLOPs: 2 per 12 bytes. Variants as of the write roof.
"""

from __future__ import annotations

from functools import partial

from bench.roofs import shared, vector

KIND = vector.TRIAD
UNIT = "byte/s"
VARIANTS = vector.VARIANTS[KIND]

bytes_per_pass = partial(shared.bytes_per_pass, KIND)
"""Of a variant, a block's size and a number of threads: bytes loaded and stored."""

prepare = partial(shared.prepare, KIND)
"""Of a variant, an address, a block's size and a number of threads. Overwrites the last third of the block."""
