"""Computes in float16 and gives float32."""

from __future__ import annotations

from kernels.reference.cells import Inputs
from tests.cheats import honest

caught = "wrong answer before it was timed"


def prepare(case, sets, inputs):
    """Half the bytes, half the digits."""
    narrow = [[t.half() for t in one] for one in sets]

    def cheat(w, i):
        def call():
            given = Inputs(*(t.half() for t in inputs[i]))
            return tuple(t.float() for t in honest(case, narrow, [given])(w, 0)())

        return call

    return cheat
