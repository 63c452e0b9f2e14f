"""Computes with a copy of its weights, made when preparing: memory that the read probe beside it does not read."""

from __future__ import annotations

from tests.cheats import honest

caught = "does not follow its weights when they change.*before it was timed"


def prepare(case, sets, inputs):
    """Smaller, packed or merely elsewhere: who does so must say so."""
    return honest(case, [[t.clone() for t in one] for one in sets], inputs)
