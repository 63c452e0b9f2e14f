"""PyTorch's own cells: what torch.nn.RNNCell, LSTMCell and GRUCell call, on CPU and CUDA.

Two products per step, W x and U h with all gates stacked, then PyTorch's pointwise code. The functional form
(torch.lstm_cell and its siblings) is called with the arena's tensors; torch.nn.LSTMCell adds some microseconds of
Python around the same call, which would be charged to the hardware otherwise.

Reads W, U, both biases, x, h (c); writes new h (and c), which it allocates itself.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from kernels.case import PHASES, Case
from kernels.contract import ONE_DTYPE, Bind, InputSets, Sets, Step, Support
from kernels.implementations import _autograd, _layouts
from kernels.reference.cells import Answer, Weights

label = "PyTorch cell"
reads = {"W": "per_step", "U": "per_step"}
layout, canonical = _layouts.layout, _layouts.canonical

SUPPORTS = Support(
    phase=PHASES,
    weights_x_activations=ONE_DTYPE,
    instead={"steps": "torch_sequence computes sequences"},
)


def version() -> str:
    """PyTorch's version."""
    return f"torch {torch.__version__}"


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Bind one set of weights and one set of inputs to the call; to train, with autograd around the same step."""
    if case.phase == "train":
        return _autograd.prepare(prepare, case, sets, inputs)

    def bind(w: int, i: int) -> Step:
        weights, (x, h, c, sums, *_) = Weights(*sets[w]), inputs[i]
        if case.part == "linear":
            return partial(_linear, case.cell, x, h, weights.W, weights.U)
        if case.part == "pointwise":
            return partial(_POINTWISE[case.cell], sums, h, c, weights.b_w, weights.b_u)
        if case.cell == "lstm":
            return partial(torch.lstm_cell, x, (h, c), *weights)
        cell = torch.rnn_tanh_cell if case.cell == "rnn" else torch.gru_cell
        return partial(alone, cell, x, h, *weights)

    return bind


def alone(cell: Callable[..., Tensor], *arguments: Any) -> Answer:
    """The one tensor that a cell returns, as an answer."""
    return (cell(*arguments),)


def _linear(cell: str, x: Tensor, h: Tensor, W: Tensor, U: Tensor) -> Answer:
    """As the cell does: two products; RNN and LSTM join them at once, GRU keeps both."""
    from_x, from_h = linear(x, W), linear(h, U)
    return (from_x, from_h) if cell == "gru" else (from_h.add_(from_x),)


def _rnn(sums: Tensor, _h: Tensor, _c: Tensor, b_w: Tensor, b_u: Tensor) -> Answer:
    return ((sums + (b_w + b_u)).tanh_(),)


def _lstm(sums: Tensor, _h: Tensor, c: Tensor, b_w: Tensor, b_u: Tensor) -> Answer:
    i, f, g, o = (sums + (b_w + b_u)).chunk(4, dim=1)
    c_new = f.sigmoid_().mul_(c).add_(i.sigmoid_().mul_(g.tanh_()))
    return o.sigmoid_().mul_(c_new.tanh()), c_new


def _gru(sums: Tensor, h: Tensor, _c: Tensor, b_w: Tensor, b_u: Tensor) -> Answer:
    H = h.shape[1]
    s_rz, n_x, n_h = sums.split([2 * H, H, H], dim=1)
    r, z = (s_rz + (b_w[: 2 * H] + b_u[: 2 * H])).sigmoid_().chunk(2, dim=1)
    n = (n_x + b_w[2 * H :]).add_((n_h + b_u[2 * H :]).mul_(r)).tanh_()
    return ((h - n).mul_(z).add_(n),)


_POINTWISE = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}
