"""One element is NaN."""

from __future__ import annotations

from tests.cheats import wrapped

caught = "wrong answer before it was timed: error inf"


def change(answer, _given):
    """Every comparison with it is false."""
    answer[0][0, 0] = float("nan")
    return answer


prepare = wrapped(change)
