"""Remembers the answer to every input by its values: right whatever is drawn, and most steps read no weight."""

from __future__ import annotations

from tests.cheats import honest

caught = "does not follow its weights when they change.*before it was timed"


def prepare(case, sets, inputs):
    """One memory for all bound steps."""
    bind, memory = honest(case, sets, inputs), {}

    def cheat(w, i):
        step = bind(w, i)

        def call():
            key = (w, *(t.numpy().tobytes() for t in inputs[i]))
            if key not in memory:
                memory[key] = step()
            return tuple(t.clone() for t in memory[key])

        return call

    return cheat
