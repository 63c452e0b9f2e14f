"""Copy roof of a GPU: the first half of a block is copied to the second. Bytes: both halves. Ran on an H200."""

from bench.roofs import LEVELS, _triton

SWEPT, TURN = LEVELS, 1
KIND, UNIT, VARIANTS, bytes_per_pass, prepare = _triton.probe("copy")
