"""Write roof: a block is filled once per pass, with bytes that are never 0. Bytes: the block's, once; the lines that a
cache fetches before it is written (write-allocate) are not counted, as in STREAM. FLOPs: none. Overwrites the block.

Variants: widths and numbers of stores, side by side, backward, past the caches, and the C library's memset.
"""

from bench.roofs import LEVELS, _shared, _vector

SWEPT, TURN = LEVELS, 1
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _shared.probe(_vector.WRITE)
