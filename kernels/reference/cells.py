"""The three cells: their gates, and the reference step in float64, written from the equations.

Convention and order are PyTorch's (torch.nn.RNNCell, LSTMCell, GRUCell): LSTM gates i f g o, GRU gates r z n with the
reset applied after the recurrent product. W is (G*H, I), U is (G*H, H), two bias vectors of G*H.

    RNN   h' = tanh(W x + b_w + U h + b_u)
    LSTM  i, f, o = sigmoid(.), g = tanh(.)         c' = f c + i g        h' = o tanh(c')
    GRU   r, z = sigmoid(.)   n = tanh(W_n x + b_wn + r (U_n h + b_un))   h' = (1 - z) n + z h
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.case import Case

NONE = torch.empty(0, 0)
"""Stands for a tensor that a case does not read."""


Answer = tuple[Tensor, ...]
"""What a step returns: (h',) for RNN and GRU, (h', c') for LSTM; or what a part does."""


class Weights(NamedTuple):
    """One cell's weights in PyTorch's convention: W (G*H, I), U (G*H, H), b_w (G*H,), b_u (G*H,)."""

    W: Tensor
    U: Tensor
    b_w: Tensor
    b_u: Tensor


class Inputs(NamedTuple):
    """What one step reads beside the weights: x (B, I), h (B, H), c (B, H), sums (B, S*H), d_h_new and d_c_new (B, H).

    A sequence of T steps has an x of (T, B, I), and the h and c that it starts from. c is used by LSTM alone. sums
    (W x + U h, without biases) is used by the part `pointwise` alone, with S of GATE_SUMS; GRU's are r, z, W_n x,
    U_n h. d_h_new and d_c_new (LSTM alone) are the gradients of h' and c' that the backward pass of phase `train`
    starts from.
    """

    x: Tensor
    h: Tensor
    c: Tensor
    sums: Tensor
    d_h_new: Tensor = NONE
    d_c_new: Tensor = NONE


def linear(cell: str, x: Tensor, h: Tensor, weights: Weights) -> Tensor:
    """The gate sums W x + U h without biases: (B, S*H), in the dtype of the arguments."""
    return join(cell, x @ weights.W.T, h @ weights.U.T)


def join(cell: str, from_x: Tensor, from_h: Tensor) -> Tensor:
    """Gate sums (B, S*H) from the two products W x and U h, each (B, G*H)."""
    if cell != "gru":
        return from_x + from_h
    r_x, z_x, n_x = from_x.chunk(3, dim=1)
    r_h, z_h, n_h = from_h.chunk(3, dim=1)
    return torch.cat([r_x + r_h, z_x + z_h, n_x, n_h], dim=1)


def pointwise(cell: str, sums: Tensor, h: Tensor, c: Tensor, weights: Weights) -> Answer:
    """New state from the gate sums: (h',) for RNN and GRU, (h', c') for LSTM, each (B, H)."""
    b_w, b_u = weights.b_w, weights.b_u
    if cell == "rnn":
        return (torch.tanh(sums + b_w + b_u),)
    if cell == "lstm":
        i, f, g, o = (sums + b_w + b_u).chunk(4, dim=1)
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c_new), c_new
    s_r, s_z, n_x, n_h = sums.chunk(4, dim=1)
    b_wr, b_wz, b_wn = b_w.chunk(3)
    b_ur, b_uz, b_un = b_u.chunk(3)
    r = torch.sigmoid(s_r + b_wr + b_ur)
    z = torch.sigmoid(s_z + b_wz + b_uz)
    n = torch.tanh(n_x + b_wn + r * (n_h + b_un))
    return ((1 - z) * n + z * h,)


def reference(case: Case, inputs: Inputs, weights: Weights) -> Answer:
    """The new state, or a part's answer, in float64, from the weights as rounded to their dtype.

    A sequence returns (h_1 .. h_T,) as (T, B, H), for whatever stands behind it reads them all, and LSTM's last c,
    which with h_T is what a next sequence starts from; the c before it are handed to nobody. What phase `train` must
    return beside the new state is in `kernels.reference.gradients`.
    """
    x, h, c, sums, *_ = exactly(inputs)
    exact = Weights(*exactly(weights))
    if case.steps > 1:
        return _sequence(case.cell, x, h, c, exact)
    if case.part == "linear":
        return (linear(case.cell, x, h, exact),)
    if case.part == "cell":
        sums = linear(case.cell, x, h, exact)
    return pointwise(case.cell, sums, h, c, exact)


def exactly(tensors: Sequence[Tensor]) -> list[Tensor]:
    """In float64, where they lie.

    A GPU's are checked on the GPU, by its library's float64 products: to carry a gigabyte of widened weights to the CPU
    for every pair that is checked took most of a point's time.
    """
    return [tensor.detach().to(torch.float64) for tensor in tensors]


def _sequence(cell: str, x: Tensor, h: Tensor, c: Tensor, weights: Weights) -> Answer:
    """One step after the other, each fed the state of the last; W x of all steps in one product."""
    outputs = []
    for from_x in x @ weights.W.T:
        h, *carried = pointwise(cell, join(cell, from_x, h @ weights.U.T), h, c, weights)
        c = carried[0] if carried else c
        outputs.append(h)
    return (torch.stack(outputs), c) if cell == "lstm" else (torch.stack(outputs),)
