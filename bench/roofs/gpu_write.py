"""Write roof of a GPU: every 4-byte word is stored once per pass. Bytes: the block's.

The last to have its turn, for it leaves one number everywhere. Ran on an H200.
"""

from bench.roofs import LEVELS, _triton

SWEPT, TURN = LEVELS, 3
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _triton.probe("write")
