"""PyTorch's dynamic quantisation: what torch.ao.nn.quantized.dynamic's RNNCell, LSTMCell and GRUCell call, on CPU.

Weights of int8 with a scale per row. Activations stay float32 between steps, but every product first finds the range of
its x or h and rounds it to 8 bits (7 of them used): the step answers less exactly than its case asks for, which it
declares, and its tolerance is wider. The library packs W and U, so the step reads copies of its own.

Reads packed W and U, their scales and both biases, x, h (c); writes rounded x and h, the products, h' (and c').
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Floats, Layout
from kernels.vector.gates import LARGEST_INT8

label = "PyTorch int8"
reads = {"W": "per_step", "U": "per_step"}
rounds_to = "int8"

CELLS = {
    "rnn": "quantized_rnn_tanh_cell_dynamic",
    "lstm": "quantized_lstm_cell_dynamic",
    "gru": "quantized_gru_cell_dynamic",
}
NEEDED = ("linear_prepack", "linear_dynamic", *CELLS.values())


def version() -> str:
    """PyTorch's version, and the engine that multiplies."""
    return f"torch {torch.__version__}, {torch.backends.quantized.engine}"


def unavailable(case: Case) -> str | None:
    """int8 weights, float32 activations, on a CPU, where PyTorch was built with these operators."""
    if case.steps > 1:
        return "its call is one step: torch_sequence computes sequences"
    if case.phase != "step":
        return "a step alone: quantised weights are not trained"
    if case.dtype != "int8" or case.activations != "float32":
        return f"weights of int8 with float32 activations alone, not {case.dtype} with {case.activations}"
    if case.part == "pointwise":
        return "nothing of the part pointwise is quantised"
    if case.device != "cpu":
        return "dynamic quantisation has no CUDA kernels"
    lacking = [name for name in NEEDED if not hasattr(torch.ops.quantized, name)]
    if lacking or torch.backends.quantized.engine == "none":
        return f"torch {torch.__version__} is built without dynamic quantisation"
    return None


def packs(case: Case) -> bool:  # noqa: ARG001 - the contract's signature
    """Always: the engine has a form of its own."""
    return True


def layout(case: Case) -> Layout:
    """W and U in int8, the scale of each of their rows, then the biases where the part reads them."""
    rows = GATES[case.cell] * case.hidden
    scales = Floats((rows,))
    biases = Floats((rows if case.part == "cell" else 0,))
    return (rows, case.input), (rows, case.hidden), scales, scales, biases, biases


def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:  # noqa: ARG001 - the contract's signature
    """What the integers stand for, in float64."""
    W, U, scale_w, scale_u, b_w, b_u = tensors
    return Weights(_values(W, scale_w), _values(U, scale_u), b_w, b_u)


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Pack every set of weights once."""
    packed = [_packed(*tensors) for tensors in sets]

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        (W, U), (b_w, b_u), given = packed[w], sets[w][4:], inputs[i]
        if case.part == "linear":
            return partial(_linear, torch.ops.quantized.linear_dynamic, given.x, given.h, W, U)
        cell = getattr(torch.ops.quantized, CELLS[case.cell])
        if case.cell == "lstm":
            return partial(cell, given.x, (given.h, given.c), W, U, b_w, b_u)
        return partial(_one, cell, given.x, given.h, W, U, b_w, b_u)

    return bind


def _packed(
    W: Tensor, U: Tensor, scale_w: Tensor, scale_u: Tensor, b_w: Tensor, b_u: Tensor
) -> Any:
    """W and U as the engine keeps them, with the biases that it adds."""
    prepack = torch.ops.quantized.linear_prepack
    return tuple(
        prepack(_quantised(matrix, scale), bias if bias.numel() else None)
        for matrix, scale, bias in ((W, scale_w, b_w), (U, scale_u, b_u))
    )


def _quantised(matrix: Tensor, scale: Tensor) -> Tensor:
    """PyTorch's own quantised tensor of these integers, a scale per row."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # it is to be replaced in a future PyTorch; the operators have no other way in
        return torch._make_per_channel_quantized_tensor(
            matrix, scale.double() / LARGEST_INT8, torch.zeros(len(scale), dtype=torch.int64), 0
        )


def _values(matrix: Tensor, scale: Tensor) -> Tensor:
    return matrix.double() * (scale.double() / LARGEST_INT8)[:, None]


def _one(cell: Callable[..., Tensor], *arguments: Any) -> tuple[Tensor, ...]:
    return (cell(*arguments),)


def _linear(
    product: Callable[[Tensor, Any], Tensor], x: Tensor, h: Tensor, W: Any, U: Any
) -> tuple[Tensor, ...]:
    return product(x, W), product(h, U)
