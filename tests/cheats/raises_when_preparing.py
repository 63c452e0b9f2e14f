"""Raises before there is a step."""

from __future__ import annotations

caught = "^ZeroDivisionError: "


def prepare(_case, _sets, _inputs):
    """A slip in the code."""
    return 1 // 0
