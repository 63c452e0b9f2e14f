"""Read roof of a GPU: every 4-byte word is loaded once per pass and added up, modulo 2**32: a sum does not depend on
its order, so an answer is right or wrong. Bytes: the block's. Ran on an H100 and an H200.
"""

from bench.roofs import CURVE, _triton

SWEPT, TURN = CURVE, 0
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _triton.probe("read")
