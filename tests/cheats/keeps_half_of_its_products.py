"""Keeps W x for as long as x is what it was, and reads U alone: half of the weights, and every answer right."""

from __future__ import annotations

import torch

from kernels.reference.cells import Weights, join, pointwise

caught = "does not follow its weights when they change.*before it was timed"


def prepare(case, sets, inputs):
    """The product of the input is made anew only when the input is."""

    def cheat(w, i):
        weights, given, kept = Weights(*sets[w]), inputs[i], {}

        def call():
            if not torch.equal(given.x, kept.get("x", given.h)):
                kept["x"], kept["product"] = given.x.clone(), given.x @ weights.W.T
            sums = join(case.cell, kept["product"], given.h @ weights.U.T)
            return pointwise(case.cell, sums, given.h, given.c, weights)

        return call

    return cheat
