"""The textbook: one linear layer per gate over [x, h], as the paper counts them (LSTM four, RNN one), in plain PyTorch.

GRU's reset gate multiplies the recurrent product alone, so its candidate needs its two products apart: r and z over
[x, h], n over x and over h. A layer has one bias, as textbooks write it: an LSTM step reads 4*H weight elements fewer
than the cost model's two bias vectors, 0.05 % of its weights at H = I = 1024.

Reads [x, h] once per gate, each gate's [W_g | U_g] and bias; writes the joined [x, h], a tensor per gate, h' (and c').
"""

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear

from kernels.case import Case
from kernels.contract import Bind, InputSets, Sets, Step, Tensors
from kernels.implementations import _autograd, torch_cell
from kernels.reference.cells import Answer, Inputs, Weights
from kernels.reference.inputs import Layout

label = "one layer per gate"
reads = {"W": "per_step", "U": "per_step"}
version, SUPPORTS = torch_cell.version, torch_cell.SUPPORTS

JOINED_GATES = {"rnn": 1, "lstm": 4, "gru": 2}
"""Gates that are one layer over [x, h]; GRU's third is two layers."""


def layout(case: Case) -> Layout:
    """Per gate [W_g | U_g] (H, I+H); GRU's n as W_n (H, I) and U_n (H, H); then one bias (H,) for each of these.

    A part takes what it reads and leaves the others empty.
    """
    H, I, joined = case.hidden, case.input, JOINED_GATES[case.cell]  # noqa: E741 - the method's own letters
    apart: Layout = ((H, I), (H, H)) if case.cell == "gru" else ()
    layers = ((H, I + H),) * joined + apart
    biases = ((H,),) * len(layers)
    if case.part == "pointwise":
        return ((0, 0),) * len(layers) + biases
    return layers + (biases if case.part == "cell" else ((0,),) * len(layers))


def canonical(case: Case, tensors: Tensors) -> Weights:
    """Stack the gates; the one bias stands for b_w, and b_u is zero but for GRU's n."""
    layers, biases = tensors[: len(tensors) // 2], tensors[len(tensors) // 2 :]
    joined = JOINED_GATES[case.cell]
    W = [layer[:, : case.input] for layer in layers[:joined]]
    U = [layer[:, case.input :] for layer in layers[:joined]]
    b_w, b_u = list(biases[:joined]), [torch.zeros_like(b) for b in biases[:joined]]
    if case.cell == "gru":
        W, U, b_w, b_u = [*W, layers[2]], [*U, layers[3]], [*b_w, biases[2]], [*b_u, biases[3]]
    return Weights(torch.cat(W), torch.cat(U), torch.cat(b_w), torch.cat(b_u))


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Bind one set of weights and one set of inputs to the call; to train, with autograd around the same step."""
    if case.phase == "train":
        return _autograd.prepare(prepare, case, sets, inputs)

    step = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}[case.cell]

    def bind(w: int, i: int) -> Step:
        half, given = len(sets[w]) // 2, inputs[i]
        layers, biases = tuple(sets[w][:half]), tuple(sets[w][half:])
        if case.part == "linear":
            return partial(_linear, case.cell, given.x, given.h, layers)
        if case.part == "pointwise":
            return partial(_pointwise, case.cell, given, biases)
        return partial(step, given, layers, biases)

    return bind


def _rnn(given: Inputs, layers: tuple[Tensor, ...], biases: tuple[Tensor, ...]) -> Answer:
    xh = torch.cat([given.x, given.h], dim=1)
    return (torch.tanh(linear(xh, layers[0], biases[0])),)


def _lstm(given: Inputs, layers: tuple[Tensor, ...], biases: tuple[Tensor, ...]) -> Answer:
    xh = torch.cat([given.x, given.h], dim=1)
    i = torch.sigmoid(linear(xh, layers[0], biases[0]))
    f = torch.sigmoid(linear(xh, layers[1], biases[1]))
    g = torch.tanh(linear(xh, layers[2], biases[2]))
    o = torch.sigmoid(linear(xh, layers[3], biases[3]))
    c = f * given.c + i * g
    return o * torch.tanh(c), c


def _gru(given: Inputs, layers: tuple[Tensor, ...], biases: tuple[Tensor, ...]) -> Answer:
    xh = torch.cat([given.x, given.h], dim=1)
    r = torch.sigmoid(linear(xh, layers[0], biases[0]))
    z = torch.sigmoid(linear(xh, layers[1], biases[1]))
    of_x, of_h = linear(given.x, layers[2], biases[2]), linear(given.h, layers[3], biases[3])
    n = torch.tanh(of_x + r * of_h)
    return ((1 - z) * n + z * given.h,)


def _linear(cell: str, x: Tensor, h: Tensor, layers: tuple[Tensor, ...]) -> Answer:
    xh = torch.cat([x, h], dim=1)
    if cell != "gru":
        return tuple(linear(xh, layer) for layer in layers)
    return linear(xh, layers[0]), linear(xh, layers[1]), linear(x, layers[2]), linear(h, layers[3])


def _pointwise(cell: str, given: Inputs, biases: tuple[Tensor, ...]) -> Answer:
    sums = given.sums.chunk(len(biases), dim=1)
    if cell == "rnn":
        return (torch.tanh(sums[0] + biases[0]),)
    if cell == "lstm":
        i, f, o = (torch.sigmoid(sums[gate] + biases[gate]) for gate in (0, 1, 3))
        c = f * given.c + i * torch.tanh(sums[2] + biases[2])
        return o * torch.tanh(c), c
    r, z = (torch.sigmoid(sums[gate] + biases[gate]) for gate in (0, 1))
    n = torch.tanh(sums[2] + biases[2] + r * (sums[3] + biases[3]))
    return ((1 - z) * n + z * given.h,)
