"""Is an answer right? One tolerance per pair of dtypes, growing with the sum, and the comparison with the reference.

A tolerance is `(least, unit)`: the larger of least and ROOM * sqrt(K) * unit, where K is the number of terms of a
case's longest sum, I + H (`terms`). The unit is what one term, or one addition, is off by. Errors of either sign add up
like a random walk, by sqrt(K); ROOM = 4 lets the worst of a million outputs pass.

Of float32 activations the unit is u = 2**-24, half a unit in the last place of a number of order one, and the walk is
that of the roundings. K products of size s = 2**-6.5 (weights of 2**-7 to 2**-5, inputs uniform in -1 to 1) add up to a
sum of size S = s * sqrt(K). Each addition rounds by u / sqrt(3) of the partial sum so far; all of them, where the sum
is made of L equal chains (vector lanes, blocks of a library), by u * s * K / sqrt(6 L) = sqrt(K) * u * S / sqrt(6 L).
The worst of a million outputs is off by five times that, and slopes of tanh and sigmoid are 1 at the most. So 4 *
sqrt(K) * u is enough while 5 S <= 4 sqrt(6 L): for one chain up to K = 31,000, for two up to 63,000, and at I = 65,536,
where S is 2.8, for the three chains or more that any library has. At a million it takes 34. Below K = 1760 the least,
1e-5, is more: it is 50 times smaller than float16's rounding, which must not pass for float32.

Gradients are at most twice as many roundings away, and their scale is the largest of their tensor, four times the size
of its usual element. That outweighs that sums of d_x and d_h have G*H terms; those of the weights' gradients have B.
A sequence's steps are each off by as much, and each lets an older error through by a slope below one.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.reference import cells, gradients
from kernels.reference.cells import Inputs, Weights

ROOM = 4
"""Units times the root of the terms that an answer may be off by."""

TOLERANCES: dict[tuple[str, str], tuple[float, float]] = {
    # (weights, activations): least and unit of the largest error of an output element o against the float64 reference
    # r, |o - r| / max(1, |r|); of a gradient, |o - r| / the scale of its tensor
    #
    # See above. Of gradients, 2e-6 was the worst seen of hidden sizes up to 1024.
    ("float32", "float32"): (1e-5, 2**-24),
    # bfloat16 keeps 8 bits: every rounded intermediate (the sum, each gate, c', tanh) adds up to 2**-9 of a number of
    # order one, and an LSTM chains about six of them. The reference starts from the weights and inputs as rounded.
    # A sum that is rounded in parts, as where W x and U h come from two products, is off by 2**-9 of their size, which
    # is 2**-6 * sqrt(K): more than the least from K = 60,000 on.
    # Gradients chain about as many again, but few of them at the element that sets the scale: 1.6e-2 was seen.
    ("bfloat16", "bfloat16"): (3e-2, 2**-15),
    # float16 keeps 11 bits: an eighth of bfloat16's, and its range is none of a concern at these magnitudes.
    ("float16", "float16"): (3.75e-3, 2**-18),
    # Weights are exact in bfloat16; activations and outputs are rounded as bfloat16's.
    ("float8", "bfloat16"): (3e-2, 2**-15),
    # Weights of fewer bits are exact as the reference takes them, and sums and activations are float32.
    ("bfloat16", "float32"): (1e-5, 2**-24),
    # Room for activations split into two limbs of 8 bits, so that integer dot products can be used: an activation is
    # off by up to 2**-15 of the row's largest, a product with a weight of size 2**-6 by 2**-21.
    ("int8", "float32"): (5e-4, 2**-21),
}

LEAST_SCALE = 0.1
"""Of the largest gradient among those of x, h, c, or of all weights: no tensor's scale is less than this share of it.

A gradient's scale is the largest element of its tensor; but one that has few elements, each a sum, may all but cancel.
"""

LEAST_SLOPE = 0.2
"""No gradient's scale is less than what it would be were all slopes so small.

Where every gate is saturated, gradients vanish with the slopes, their rounding does not: 1 - h^2 of an h of bfloat16
is off by up to 3 * 2**-9, which is 3e-2 of this. With slopes of 1 the gradients of the weights are as large as d_h_new
(d_c_new), that of x as this times the longest column of W, that of h as this times U's; and a state that is handed on,
LSTM's c and GRU's h, brings it itself.
"""


COARSER: dict[tuple[str, str], tuple[float, float]] = {
    # (weights, what activations are rounded to before the products), declared by an implementation that computes less
    # exactly than the case asks for; its points state it, and their tolerance.
    #
    # Activations of 8 bits, 7 where a library fears the overflow of a 16-bit sum: each of the uniform -1 to 1 that the
    # suite draws is off by up to 2**-7, by half of that at random, and a product with a weight of size 2**-6 by 2**-14.
    # The worst of ten thousand sums is four times the usual one: 2e-2 for K = 8192, more than the least from 42,000 on.
    ("int8", "int8"): (5e-2, 2**-14)
}


def tolerance(case: Case, rounds_to: str | None = None) -> float:
    """The largest error a right answer may show, from an implementation that rounds activations as it declares."""
    if rounds_to:
        least, unit = COARSER[case.dtype, rounds_to]
    else:
        least, unit = TOLERANCES[case.dtype, case.activations]
    return max(least, ROOM * math.sqrt(terms(case)) * unit)


def terms(case: Case) -> int:
    """Terms of the longest sum of which an answer's rounding is to be feared: the part pointwise has none."""
    if case.part == "pointwise":
        return 1
    of_step = case.input + case.hidden
    return max(of_step, case.batch) if case.phase == "train" else of_step


def collect(case: Case, outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """A step's answer in the reference's form and in float64.

    The linear part may answer with the gate sums (B, S*H), whole or gate by gate, or with the two products W x and U h
    (B, G*H each), as they come out of a library. So does an axis of one layer, or of one time step, in front of (B, H).
    """
    exact = tuple(cells.exactly(outputs))
    if case.part != "linear":
        return tuple(t[0] if t.dim() == 3 and len(t) == 1 else t for t in exact)
    G = GATES[case.cell]
    apart = len(exact) == 2 and all(t.shape == (case.batch, G * case.hidden) for t in exact)
    if not apart:
        return (torch.cat(exact, dim=1),)
    from_x, from_h = exact
    return (cells.join(case.cell, from_x, from_h),)


def expected(
    case: Case, inputs: Inputs, weights: Weights, layout: Callable[[Weights], Sequence[Tensor]]
) -> tuple[tuple[Tensor, ...], tuple[float, ...]]:
    """What a step must return, in float64, and the scale of each tensor for `error`.

    In phase train these are new state, gradients of x, h (c), and then the gradients of the weights in the
    implementation's own layout, into which `layout` turns them from PyTorch's convention (`gradients.in_layout`).
    """
    new = cells.reference(case, inputs, weights)
    if case.phase == "step":
        return new, (1.0,) * len(new)
    of_inputs, canonical = gradients.reference(case, inputs, weights)
    of_weights = tuple(layout(canonical))
    arriving = LEAST_SLOPE * max(
        float(d.abs().max()) for d in (inputs.d_h_new, inputs.d_c_new) if d.numel()
    )
    of_x, of_h = (float(m.double().norm(dim=0).max()) for m in (weights.W, weights.U))
    least = (of_x, max(of_h, 1.0) if case.cell == "gru" else of_h, 1.0)
    scales = (
        *(1.0 for _ in new),
        *_scales(of_inputs, [arriving * one for one in least]),
        *_scales(of_weights, [arriving] * len(of_weights)),
    )
    return (*new, *of_inputs, *of_weights), scales


def _scales(gradients_alike: Sequence[Tensor], least: Sequence[float]) -> list[float]:
    """The largest element of each tensor, but at least its `least`, and LEAST_SCALE of the largest among them all."""
    largest = [float(tensor.abs().max()) for tensor in gradients_alike]
    shared = LEAST_SCALE * max(largest)
    return [max(one, shared, other) for one, other in zip(largest, least, strict=False)]


def error(
    case: Case,
    outputs: Sequence[Tensor],
    expected: Sequence[Tensor],
    scales: Sequence[float] | None = None,
) -> float:
    """Largest error of any output element against the reference, |o - r| / max(scale, |r|), the scale 1 if not given.

    Infinite where a shape is wrong or a value is not finite.
    """
    got = collect(case, outputs)
    scales = scales or (1.0,) * len(expected)
    if [t.shape for t in got] != [t.shape for t in expected]:
        return float("inf")
    worst = 0.0
    for mine, right, scale in zip(got, expected, scales, strict=True):
        if not torch.isfinite(mine).all():
            return float("inf")
        worst = max(
            worst,
            float(((mine.to(right.device) - right).abs() / right.abs().clamp(min=scale)).max()),
        )
    return worst


def poison(outputs: Sequence[Tensor]) -> None:
    """Fill an answer's memory with NaN, so that a step which writes nothing is found out."""
    with torch.no_grad():
        for tensor in outputs:
            tensor.fill_(float("nan"))
