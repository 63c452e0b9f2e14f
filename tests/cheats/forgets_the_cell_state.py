"""Gives h' without c'."""

from __future__ import annotations

from tests.cheats import wrapped

caught = "wrong answer before it was timed: error inf"


def change(answer, _given):
    """One output of two."""
    return answer[:1]


prepare = wrapped(change)
