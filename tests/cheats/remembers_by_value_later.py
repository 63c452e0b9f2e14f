"""Remembers answers by their input's values, but honestly computes the first thirty."""

from __future__ import annotations

from itertools import count

from tests.cheats import honest

caught = "does not follow its weights when they change.*after it was timed"


def prepare(case, sets, inputs):
    """As one who knows that it is looked at first."""
    bind, memory, number = honest(case, sets, inputs), {}, count()

    def cheat(w, i):
        step = bind(w, i)

        def call():
            key = (w, *(t.numpy().tobytes() for t in inputs[i]))
            if next(number) < 30 or key not in memory:
                memory[key] = step()
            return tuple(t.clone() for t in memory[key])

        return call

    return cheat
