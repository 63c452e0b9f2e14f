"""Read roof: every byte of a block is loaded once per pass and added up. Bytes: the block's, once per pass. FLOPs: one
addition per 4 bytes, which bounds no machine we know.

Several variants run, and the best counts: no single pattern is the best at every level. The bytes given are those
really read. How the threads share them is in `bench/roofs/_shared.py`.
"""

from bench.roofs import CURVE, _shared, _vector

SWEPT, TURN = CURVE, 0
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _shared.probe(_vector.READ)
