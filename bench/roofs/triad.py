"""Triad roof: a = b + s*c over the three thirds of a block (STREAM's triad). Bytes: three thirds, once each; no
write-allocate. FLOPs: 2 per 12 bytes. Variants as of the write roof. Overwrites the last third.
"""

from bench.roofs import LEVELS, _shared, _vector

SWEPT, TURN = LEVELS, 3
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _shared.probe(_vector.TRIAD)
