"""Copy roof: the first half of a block is copied to the second. Bytes: both halves, once each; no write-allocate, as in
STREAM. FLOPs: none. Variants as of the write roof, and the C library's memcpy. Overwrites the second half.
"""

from bench.roofs import LEVELS, _shared, _vector

SWEPT, TURN = LEVELS, 2
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _shared.probe(_vector.COPY)
