"""Leaves out the second bias."""

from __future__ import annotations

from tests.cheats import honest

caught = "wrong answer before it was timed"


def prepare(case, sets, inputs):
    """The recurrent bias is zero."""
    return honest(case, [[W, U, b_w, b_u * 0] for W, U, b_w, b_u in sets], inputs)
