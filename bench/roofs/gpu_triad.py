"""Triad roof of a GPU: of three thirds a, b, c of a block a = b + s c. Bytes: all three. FLOPs: 2 per 12 bytes.

Ran on an H200.
"""

from bench.roofs import LEVELS, _triton

SWEPT, TURN = LEVELS, 2
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _triton.probe("triad")
