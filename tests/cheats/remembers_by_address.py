"""Remembers the answer to every input by the address of its memory, once it has been looked at, and gives copies."""

from __future__ import annotations

from itertools import count

from tests.cheats import honest

caught = "wrong answer after it was timed"


def prepare(case, sets, inputs):
    """One memory for all bound steps."""
    bind, memory, number = honest(case, sets, inputs), {}, count()

    def cheat(w, i):
        step, key = bind(w, i), (w, inputs[i].x.data_ptr(), inputs[i].h.data_ptr())

        def call():
            if next(number) < 30 or key not in memory:
                memory[key] = step()
            return tuple(t.clone() for t in memory[key])

        return call

    return cheat
