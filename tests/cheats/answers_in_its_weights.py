"""Gives a view of its weights for an answer; who poisons that poisons every later point's weights."""

from __future__ import annotations

caught = "wrong answer|changed its weights"


def prepare(case, sets, _inputs):
    """As many elements as an answer has."""
    return lambda w, _i: lambda: (sets[w][1][: case.batch], sets[w][1][: case.batch])
