"""Computes every answer before the clock runs, and copies it out in the step."""

from __future__ import annotations

from tests.cheats import honest

caught = "does not follow its weights when they change.*before it was timed"


def prepare(case, sets, inputs):
    """Right until the inputs are drawn anew."""
    bind = honest(case, sets, inputs)

    def cheat(w, i):
        answer = tuple(t.clone() for t in bind(w, i)())
        return lambda: tuple(t.clone() for t in answer)

    return cheat
