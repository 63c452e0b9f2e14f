"""Computes every step with the first set of inputs."""

from __future__ import annotations

from tests.cheats import honest

caught = "wrong answer before it was timed"


def prepare(case, sets, inputs):
    """Whatever the input."""
    bind = honest(case, sets, inputs)
    return lambda w, _i: bind(w, 0)
