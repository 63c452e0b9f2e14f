"""Is an answer right? One tolerance per pair of dtypes, with its reason, and the comparison with the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels import cells, gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from kernels.cells import Inputs, Weights
    from kernels.contract import Case

TOLERANCES: dict[tuple[str, str], float] = {
    # (weights, activations): largest error of an output element o against the float64 reference r,
    # |o - r| / max(1, |r|); of a gradient, |o - r| / the scale of its tensor
    #
    # A sum of K <= 16384 float32 products of size 2**-6 is off by a few units in its last place (2**-24 * |sum| * log K
    # when summed in blocks); 1e-5 leaves room for K of that size and is 50 times smaller than float16's rounding, which
    # must not pass for float32.
    # Gradients are at most twice as many roundings away, and their scale is that of their own terms: 2e-6 was the worst
    # seen of hidden sizes up to 1024.
    ("float32", "float32"): 1e-5,
    # bfloat16 keeps 8 bits: every rounded intermediate (the sum, each gate, c', tanh) adds up to 2**-9 of a number of
    # order one, and an LSTM chains about six of them. The reference starts from the weights and inputs as rounded.
    # Gradients chain about as many again, but few of them at the element that sets the scale: 1.6e-2 was seen.
    ("bfloat16", "bfloat16"): 3e-2,
    # Weights of fewer bits are exact as the reference takes them, and sums and activations are float32.
    ("bfloat16", "float32"): 1e-5,
    # Room for activations split into two digits of 8 bits, so that integer dot products can be used: an activation is
    # off by 2**-15 of the row's largest, a sum of K products of size 2**-7 by less than 2**-22 * K.
    ("int8", "float32"): 5e-4,
}

LEAST_SCALE = 0.1
"""Of the largest gradient among those of x, h, c, or of all weights: no tensor's scale is less than this share of it.

A gradient's scale is the largest element of its tensor; but one that has few elements, each a sum, may all but cancel.
"""


COARSER: dict[tuple[str, str], float] = {
    # (weights, what activations are rounded to before the products), declared by an implementation that computes less
    # exactly than the case asks for; its points state it, and their tolerance.
    #
    # Activations of 8 bits, 7 where a library fears the overflow of a 16-bit sum: each of the uniform -1 to 1 that the
    # suite draws is off by up to 2**-7, a sum of K products of size 2**-6 by 2**-14 * sqrt(K) on average, and the worst
    # of ten thousand sums by four times that: 2e-2 for K = 8192.
    ("int8", "int8"): 5e-2,
}


def tolerance(case: Case, rounds_to: str | None = None) -> float:
    """The largest error a right answer may show, from an implementation that rounds activations as it declares."""
    if rounds_to:
        return COARSER[case.dtype, rounds_to]
    return TOLERANCES[case.dtype, case.activations]


def collect(case: Case, outputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """A step's answer in the reference's form and in float64 on the CPU.

    The linear part may answer with the gate sums (B, S*H), whole or gate by gate, or with the two products W x and U h
    (B, G*H each), as they come out of a library. So does an axis of one layer, or of one time step, in front of (B, H).
    """
    exact = tuple(t.detach().to("cpu", torch.float64) for t in outputs)
    if case.part != "linear":
        return tuple(t[0] if t.dim() == 3 and len(t) == 1 else t for t in exact)
    G = cells.GATES[case.cell]
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
    found = gradients.reference(case, inputs, weights)
    of_weights = tuple(layout(found.weights))
    scales = (*(1.0 for _ in new), *_scales(found.of_inputs), *_scales(of_weights))
    return (*new, *found.of_inputs, *of_weights), scales


def _scales(gradients_alike: Sequence[Tensor]) -> list[float]:
    """The largest element of each tensor, but at least LEAST_SCALE of the largest among them all."""
    largest = [float(tensor.abs().max()) for tensor in gradients_alike]
    return [max(one, LEAST_SCALE * max(largest)) for one in largest]


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
        worst = max(worst, float(((mine - right).abs() / right.abs().clamp(min=scale)).max()))
    return worst


def poison(outputs: Sequence[Tensor]) -> None:
    """Fill an answer's memory with NaN, so that a step which writes nothing is found out."""
    with torch.no_grad():
        for tensor in outputs:
            tensor.fill_(float("nan"))
