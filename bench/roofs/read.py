"""Read roof: every byte of a block is loaded once per pass and added up. Bytes: the block's, once per pass. FLOPs: one
addition per 4 bytes, which bounds no machine we know.

Several variants run, and the best counts: no single pattern is the best at every level. The bytes given are those
really read. How the threads share them is in `bench/roofs/shared.py`.
"""

from __future__ import annotations

from functools import partial

from bench.roofs import shared, vector
from bench.roofs.vector import Variant

KIND = vector.READ
UNIT = "byte/s"
VARIANTS = vector.VARIANTS[KIND]
__all__ = ["KIND", "UNIT", "VARIANTS", "Variant", "bytes_per_pass", "prepare"]

bytes_per_pass = partial(shared.bytes_per_pass, KIND)
"""Of a variant, a block's size and a number of threads; and of how many blocks, each how many times in a row."""

prepare = partial(shared.prepare, KIND)
"""Of a variant, an address, a block's size and a number of threads; and of how many blocks.

Each is read so many times in a row, as by a training step, which finds a small one in a cache again.
"""
