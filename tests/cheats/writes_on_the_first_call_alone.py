"""Computes when it is called for the first time, and gives the same tensors ever after."""

from __future__ import annotations

from tests.cheats import honest

caught = "wrong answer before it was timed: error inf"


def prepare(case, sets, inputs):
    """An answer per bound step."""
    bind = honest(case, sets, inputs)

    def cheat(w, i):
        step, kept = bind(w, i), []

        def call():
            if not kept:
                kept.append(step())
            return kept[0]

        return call

    return cheat
