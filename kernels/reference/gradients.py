"""The way back through a step: gradients of the three cells in float64, written from the equations.

Given d_h' (and d_c'), the loss's gradients with respect to the new state, phase `train` wants those of x, h (and c) and
of the weights. s' stands for a gate's derivative by its own value, v (1 - v) for sigmoid, 1 - v^2 for tanh:

    RNN   d_n = d_h' n'                                                          with n = h' and its sum as the one gate
    LSTM  d_c'' = d_c' + d_h' o (1 - t^2)       with t = tanh(c')                d_c = d_c'' f
          d_i = d_c'' g i'   d_f = d_c'' c f'   d_g = d_c'' i g'   d_o = d_h' t o'
    GRU   d_z = d_h' (h - n) z'   d_n = d_h' (1 - z) n'   d_q = d_n r   d_r = d_n q r'      with q = U_n h + b_un

Through the products, with D_w the gradients of W x and D_u those of U h (GRU: r z n and r z q; else the same):

    d_x = D_w W    d_h = D_u U (GRU: + d_h' z)    d_W = D_w^T x    d_U = D_u^T h    d_b = sums of D over the batch
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kernels.case import Case
from kernels.reference import cells
from kernels.reference.cells import Inputs, Weights


class Gradients(NamedTuple):
    """Of x (B, I), h (B, H), c (B, H; None but for LSTM), and of the weights in PyTorch's convention."""

    x: Tensor
    h: Tensor
    c: Tensor | None
    weights: Weights

    @property
    def of_inputs(self) -> tuple[Tensor, ...]:
        """Those of x, h (and c)."""
        return (self.x, self.h) if self.c is None else (self.x, self.h, self.c)


def reference(case: Case, inputs: Inputs, weights: Weights) -> Gradients:
    """The gradients of a step in float64 on the CPU, from the weights as rounded to their dtype."""
    x, h, c, _, d_h_new, d_c_new = (t.detach().to("cpu", torch.float64) for t in inputs)
    exact = Weights(*(t.detach().to("cpu", torch.float64) for t in weights))
    kept = keep(case.cell, x, h, c, exact)
    d_sums, d_h, d_c = pointwise(case.cell, kept, h, c, d_h_new, d_c_new)
    D_w, D_u = part(case.cell, d_sums)
    b_w, b_u = part(case.cell, d_sums.sum(0, keepdim=True))
    d_x, through_u = D_w @ exact.W, D_u @ exact.U
    d_h = through_u if d_h is None else through_u + d_h
    return Gradients(d_x, d_h, d_c, Weights(D_w.T @ x, D_u.T @ h, b_w[0], b_u[0]))


def keep(cell: str, x: Tensor, h: Tensor, c: Tensor, weights: Weights) -> tuple[Tensor, ...]:
    """What the way forward must keep for the way back, each (B, H): RNN h', LSTM i f g o c', GRU r z n q.

    h' and c' are outputs, so they are kept without being written once more.
    """
    from_x, from_h = x @ weights.W.T + weights.b_w, h @ weights.U.T + weights.b_u
    sums = cells.join(cell, from_x, from_h)
    if cell == "rnn":
        return (torch.tanh(sums),)
    if cell == "lstm":
        i, f, g, o = sums.chunk(4, dim=1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        return i, f, g, o, f * c + i * g
    r, z, n_x, q = sums.chunk(4, dim=1)
    r, z = torch.sigmoid(r), torch.sigmoid(z)
    return r, z, torch.tanh(n_x + r * q), q


def pointwise(
    cell: str, kept: tuple[Tensor, ...], h: Tensor, c: Tensor, d_h_new: Tensor, d_c_new: Tensor
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Gradients of the gate sums (B, S*H, ordered as `GATE_SUMS`), GRU's d_h past the products, LSTM's d_c."""
    if cell == "rnn":
        (n,) = kept
        return d_h_new * (1 - n * n), None, None
    if cell == "lstm":
        i, f, g, o, c_new = kept
        t = torch.tanh(c_new)
        d_o = d_h_new * t
        d_c_all = d_c_new + d_h_new * o * (1 - t * t)
        d_i, d_f, d_g = d_c_all * g, d_c_all * c, d_c_all * i
        d_sums = (
            d_i * i * (1 - i),
            d_f * f * (1 - f),
            d_g * (1 - g * g),
            d_o * o * (1 - o),
        )
        return torch.cat(d_sums, dim=1), None, d_c_all * f
    r, z, n, q = kept
    d_z = d_h_new * (h - n) * z * (1 - z)
    d_n = d_h_new * (1 - z) * (1 - n * n)
    d_r = d_n * q * r * (1 - r)
    return torch.cat([d_r, d_z, d_n, d_n * r], dim=1), d_h_new * z, None


def part(cell: str, d_sums: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of W x and of U h, (B, G*H) each, from those of the gate sums: what `cells.join` does, backwards."""
    if cell != "gru":
        return d_sums, d_sums
    d_r, d_z, d_n, d_q = d_sums.chunk(4, dim=1)
    return torch.cat([d_r, d_z, d_n], dim=1), torch.cat([d_r, d_z, d_q], dim=1)


def in_layout(
    canonical: Callable[[Sequence[Tensor]], Weights], tensors: Sequence[Tensor], found: Weights
) -> tuple[Tensor, ...]:
    """Gradients of the weights `tensors` of some layout, from those of the same weights in PyTorch's convention.

    `canonical` turns that layout into PyTorch's convention by differentiable operations; it is gone back through.
    """
    with torch.enable_grad():
        leaves = [tensor.detach().to("cpu", torch.float64).requires_grad_() for tensor in tensors]
        pairs = [
            pair for pair in zip(canonical(leaves), found, strict=True) if pair[0].requires_grad
        ]
        return torch.autograd.grad([w for w, _ in pairs], leaves, [d for _, d in pairs])
