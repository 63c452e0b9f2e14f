"""Works in place in the state it was given."""

from __future__ import annotations

from tests.cheats import wrapped

caught = r"it changed its input \(before it was timed\)"


def change(answer, given):
    """The new state is the old one's memory."""
    given.h.copy_(answer[0])
    return (given.h.clone(), *answer[1:])


prepare = wrapped(change)
