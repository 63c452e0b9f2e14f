"""New state from gates, in PyTorch's plain operators: the pointwise equations of several implementations."""

from collections.abc import Callable

import torch
from torch import Tensor

from kernels.reference.cells import Answer


def new_state(cell: str, gate: Callable[[int], Tensor], h: Tensor, c: Tensor) -> Answer:
    """(h',) or LSTM's (h', c'), from each gate's sum with its bias; GRU's gates 2 and 3 are its n's of x and of h."""
    if cell == "rnn":
        return (torch.tanh(gate(0)),)
    if cell == "lstm":
        i, f = torch.sigmoid(gate(0)), torch.sigmoid(gate(1))
        g, o = torch.tanh(gate(2)), torch.sigmoid(gate(3))
        c_new = f * c + i * g
        return o * torch.tanh(c_new), c_new
    r, z = torch.sigmoid(gate(0)), torch.sigmoid(gate(1))
    n = torch.tanh(gate(2) + r * gate(3))
    return ((1 - z) * n + z * h,)
