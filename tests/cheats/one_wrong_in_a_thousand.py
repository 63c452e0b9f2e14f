"""One element of the answer in a thousand is off by a hundred-thousandth and a little."""

from __future__ import annotations

from tests.cheats import wrapped

caught = "wrong answer before it was timed: error 2.*e-05"


def change(answer, _given):
    """The thousandth."""
    answer[1].flatten()[999::1000] += 2e-5
    return answer


prepare = wrapped(change)
