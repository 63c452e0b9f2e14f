"""Overwrites its weights with zeros when it prepares, so that the right answer takes no product at all."""

from __future__ import annotations

caught = "changed its weights"


def prepare(_case, sets, inputs):
    """With no sums, i = f = o = 1/2 and g = 0."""
    for one in sets:
        for tensor in one:
            tensor.zero_()

    def bind(_w, i):
        def call():
            c = inputs[i].c / 2
            return c.tanh() / 2, c

        return call

    return bind
