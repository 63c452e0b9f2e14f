"""Answers with memory it never wrote to in its step."""

from __future__ import annotations

from tests.cheats import honest

caught = "wrong answer before it was timed: error inf"


def prepare(case, sets, inputs):
    """The answer, right for now, is computed when binding."""
    bind = honest(case, sets, inputs)

    def cheat(w, i):
        answer = bind(w, i)()
        return lambda: answer

    return cheat
