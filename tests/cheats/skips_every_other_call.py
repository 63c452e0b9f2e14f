"""Computes at every second call, and gives the answer of the one before at the others."""

from __future__ import annotations

from tests.cheats import honest

caught = "wrong answer before it was timed"


def prepare(case, sets, inputs):
    """Half the work."""
    bind = honest(case, sets, inputs)

    def cheat(w, i):
        step, calls = bind(w, i), 0
        kept = tuple(t.clone() for t in step())

        def call():
            nonlocal calls, kept
            calls += 1
            if calls % 2 == 0:
                kept = step()
            return kept

        return call

    return cheat
