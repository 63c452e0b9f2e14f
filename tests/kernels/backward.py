"""The backward pass of a step as equations: what `cost` counts, and what the reference's gradients are held against.

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

import torch

from kernels.reference import cells


def keep(cell, x, h, c, weights):
    """What the forward pass must keep for the backward pass, each (B, H): RNN h', LSTM i f g o c', GRU r z n q.

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


def pointwise(cell, kept, h, c, d_h_new, d_c_new):
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
        d_sums = (d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g * g), d_o * o * (1 - o))
        return torch.cat(d_sums, dim=1), None, d_c_all * f
    r, z, n, q = kept
    d_z = d_h_new * (h - n) * z * (1 - z)
    d_n = d_h_new * (1 - z) * (1 - n * n)
    d_r = d_n * q * r * (1 - r)
    return torch.cat([d_r, d_z, d_n, d_n * r], dim=1), d_h_new * z, None


def part(cell, d_sums):
    """Gradients of W x and of U h, (B, G*H) each, from those of the gate sums: what `cells.join` does, backwards."""
    if cell != "gru":
        return d_sums, d_sums
    d_r, d_z, d_n, d_q = d_sums.chunk(4, dim=1)
    return torch.cat([d_r, d_z, d_n], dim=1), torch.cat([d_r, d_z, d_q], dim=1)
