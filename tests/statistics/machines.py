"""Machines whose truth is known: how fast a step is on them in each visit, and in each round of it. All in logarithms.

A visit's effect is what the machine's state does to everything measured in it; a round's is noise of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def effects(
    random: np.random.Generator, shape: tuple[int, ...], sd: float, kind: str = "normal"
) -> Array:
    """Effects with mean 0 and this standard deviation, of a normal, skewed or two-state machine.

    skewed     a shifted exponential: now and then much slower
    two-state  one of two speeds, with equal chance
    """
    if kind == "normal":
        return sd * random.standard_normal(shape)
    if kind == "skewed":
        return sd * (random.standard_exponential(shape) - 1)
    if kind == "two-state":
        return sd * random.choice((-1.0, 1.0), shape)
    raise ValueError(f"no machine is {kind!r}")


def walking(random: np.random.Generator, machines: int, steps: int, sd: float) -> Array:
    """The logarithm of the speed of machines that wander: (machines, steps), each step's change with this deviation."""
    return np.cumsum(sd * random.standard_normal((machines, steps)), axis=1)
