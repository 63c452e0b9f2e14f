"""Says that the second half of every row of U is zeros, and reads the first half alone."""

from __future__ import annotations

from kernels.reference.cells import Weights, join, pointwise

caught = r"\d+ of 256 changed weights .* it reads fewer"


def canonical(case, tensors):
    """U's second half is left out."""
    W, U, b_w, b_u = tensors
    U = U.clone()
    U[:, case.hidden // 2 :] = 0
    return Weights(W, U, b_w, b_u)


def prepare(case, sets, inputs):
    """Right for those weights."""
    half = case.hidden // 2

    def bind(w, i):
        weights, given = Weights(*sets[w]), inputs[i]

        def call():
            from_h = given.h[:, :half] @ weights.U[:, :half].T
            sums = join(case.cell, given.x @ weights.W.T, from_h)
            return pointwise(case.cell, sums, given.h, given.c, weights)

        return call

    return bind
