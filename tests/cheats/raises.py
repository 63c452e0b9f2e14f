"""Raises when it is called."""

from __future__ import annotations

from tests.cheats import wrapped

caught = r"^RuntimeError: the first line$"


def change(_answer, _given):
    """Two lines, of which a report has room for one."""
    raise RuntimeError("the first line\nthe second line")


prepare = wrapped(change)
