"""Raises after some hundred calls, in the middle of being timed."""

from __future__ import annotations

from itertools import count

from tests.cheats import honest

caught = "^MemoryError: at last$"


def prepare(case, sets, inputs):
    """A leak, say."""
    bind, number = honest(case, sets, inputs), count()

    def cheat(w, i):
        step = bind(w, i)

        def call():
            if next(number) > 30:
                raise MemoryError("at last")
            return step()

        return call

    return cheat
