"""Returns None."""

from __future__ import annotations

from tests.cheats import wrapped

caught = "^TypeError: "


def change(_answer, _given):
    """No answer."""


prepare = wrapped(change)
