"""Gives the memory of its input, overwritten, for its answer."""

from __future__ import annotations

from tests.cheats import wrapped

caught = r"it changed its input \(before it was timed\)"


def change(answer, given):
    """The answer is the input."""
    given.h.copy_(answer[0])
    return (given.h, *answer[1:])


prepare = wrapped(change)
