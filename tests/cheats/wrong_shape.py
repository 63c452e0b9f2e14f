"""Gives its answer transposed."""

from __future__ import annotations

from tests.cheats import wrapped

caught = "wrong answer before it was timed: error inf"


def change(answer, _given):
    """Same elements, other shape."""
    return tuple(t.T.contiguous() for t in answer)


prepare = wrapped(change)
