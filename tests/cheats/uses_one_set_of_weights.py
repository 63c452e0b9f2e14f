"""Computes every step with the first set of weights, which so stays in the cache."""

from __future__ import annotations

from tests.cheats import honest

caught = "wrong answer before it was timed"
residency = "streamed"


def prepare(case, sets, inputs):
    """Whatever the set."""
    bind = honest(case, sets, inputs)
    return lambda _w, i: bind(0, i)
