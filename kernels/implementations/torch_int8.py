"""PyTorch's dynamic quantisation: what torch.ao.nn.quantized.dynamic's RNNCell, LSTMCell and GRUCell call, on CPU.

Weights of int8 with a scale per row. Activations stay float32 between steps, but every product first finds the range of
its x or h and rounds it to 8 bits (7 of them used): the step answers less exactly than its case asks for, which it
declares, and its tolerance is wider. The library packs W and U, so the step reads copies of its own.

Reads packed W and U, their scales and both biases, x, h (c); writes rounded x and h, the products, h' (and c').
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from kernels.case import LARGEST_INT8, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, always
from kernels.implementations import _layouts, torch_cell
from kernels.reference.cells import Answer

label = "PyTorch int8"
reads = {"W": "per_step", "U": "per_step"}
packs = always  # the engine has a form of its own
rounds_to = "int8"
layout, canonical = _layouts.layout, _layouts.canonical

CELLS = {
    "rnn": "quantized_rnn_tanh_cell_dynamic",
    "lstm": "quantized_lstm_cell_dynamic",
    "gru": "quantized_gru_cell_dynamic",
}
NEEDED = ("linear_prepack", "linear_dynamic", *CELLS.values())


def version() -> str:
    """PyTorch's version, and the engine that multiplies."""
    return f"torch {torch.__version__}, {torch.backends.quantized.engine}"


def _lacking(_case: Case) -> str | None:
    lacking = [name for name in NEEDED if not hasattr(torch.ops.quantized, name)]
    if lacking or torch.backends.quantized.engine == "none":
        return f"torch {torch.__version__} is built without dynamic quantisation"
    return None


SUPPORTS = Support(
    device=("cpu",),
    part=("cell", "linear"),
    weights_x_activations=(("int8", "float32"),),
    instead={
        "steps": "torch_sequence computes sequences",
        "device": "dynamic quantisation has no CUDA kernels",
        "phase": "quantised weights are not trained",
        "part": "nothing of the part pointwise is quantised",
    },
    also=_lacking,
)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Pack every set of weights once."""
    prepack = torch.ops.quantized.linear_prepack
    packed = [
        tuple(
            prepack(_quantised(matrix, scale), bias if bias.numel() else None)
            for matrix, scale, bias in ((W, scale_w, b_w), (U, scale_u, b_u))
        )
        for W, U, scale_w, scale_u, b_w, b_u in sets
    ]

    def bind(w: int, i: int) -> Step:
        (W, U), (b_w, b_u), (x, h, c, *_) = packed[w], sets[w][4:], inputs[i]
        if case.part == "linear":
            return partial(_linear, torch.ops.quantized.linear_dynamic, x, h, W, U)
        cell = getattr(torch.ops.quantized, CELLS[case.cell])
        if case.cell == "lstm":
            return partial(cell, x, (h, c), W, U, b_w, b_u)
        return partial(torch_cell.alone, cell, x, h, W, U, b_w, b_u)

    return bind


def _quantised(matrix: Tensor, scale: Tensor) -> Tensor:
    """PyTorch's own quantised tensor of these integers, a scale per row."""
    with warnings.catch_warnings():
        # it is to be replaced in a future PyTorch; the operators have no other way in
        warnings.simplefilter("ignore")
        return torch._make_per_channel_quantized_tensor(
            matrix, scale.double() / LARGEST_INT8, torch.zeros(len(scale), dtype=torch.int64), 0
        )


def _linear(product: Callable[..., Tensor], x: Tensor, h: Tensor, W: Any, U: Any) -> Answer:
    return product(x, W), product(h, U)
