"""PyTorch's sequences: what torch.nn.RNN, LSTM and GRU call for T time steps, one layer in one direction.

The functional form (torch._VF.lstm and its siblings) is called with the arena's tensors as flat weights; the module's
own Python is left out.

W is read once per call, U at every step. Seen with torch 2.13 on a CPU: for RNN and GRU the profiler shows one product
of T*B rows with W, then T with U. LSTM is oneDNN's (ONEDNN_VERBOSE=1 names brgemm): before each call it packs W and U
anew into buffers of its own, on pages of their own, and an I of 65,536 beside an H of 64 costs next to nothing more for
16 steps than for one. That packing is in the time and not in the bytes.

Reads W, U, both biases, all x, the first h (c); writes every h and the last c, which it allocates itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Layout

label = "PyTorch sequence"
reads = {"W": "per_call", "U": "per_step"}

_CALLS: dict[str, Callable[..., tuple[Tensor, ...]]] = {
    "rnn": torch._VF.rnn_tanh,
    "lstm": torch._VF.lstm,
    "gru": torch._VF.gru,
}
# with biases, layers, dropout, for training, both directions, batch first
_OPTIONS = (True, 1, 0.0, False, False, False)


def version() -> str:
    """PyTorch's version."""
    return f"torch {torch.__version__}"


def unavailable(case: Case) -> str | None:
    """Whole steps forward, on a CPU; weights and activations share one dtype."""
    if case.device != "cpu":
        return "on a GPU PyTorch's sequences are cuDNN's: cudnn_sequence"
    if case.part != "cell" or case.phase != "step":
        return f"it computes whole steps forward, not part {case.part} in phase {case.phase}"
    if case.activations != case.dtype:
        return f"PyTorch's sequences take one dtype, not {case.dtype} weights with {case.activations} activations"
    return None


def packs(case: Case) -> bool:
    """oneDNN's LSTM packs its weights at every call; RNN and GRU read those that they are given."""
    return case.cell == "lstm"


def layout(case: Case) -> Layout:
    """U and b_u, which every step reads, then W and b_w."""
    rows = GATES[case.cell] * case.hidden
    return (rows, case.hidden), (rows,), (rows, case.input), (rows,)


def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:  # noqa: ARG001 - the contract's signature
    """Each is in PyTorch's convention already."""
    U, b_u, W, b_w = tensors
    return Weights(W, U, b_w, b_u)


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Bind one set of weights and one set of inputs to the call."""
    return binder(case, [canonical(case, tensors) for tensors in sets], inputs)


def binder(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Bind a set of weights in PyTorch's order and a set of inputs to the call."""
    call = _CALLS[case.cell]

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        weights, given = list(sets[w]), inputs[i]
        x = given.x.view(case.steps, case.batch, case.input)
        h, c = given.h.unsqueeze(0), given.c.unsqueeze(0)
        if case.cell == "lstm":
            return partial(_lstm, call, x, (h, c), weights)
        return partial(_other, call, x, h, weights)

    return bind


def _lstm(
    call: Callable[..., tuple[Tensor, ...]],
    x: Tensor,
    state: tuple[Tensor, Tensor],
    weights: list[Tensor],
) -> tuple[Tensor, ...]:
    outputs, _h, c = call(x, state, weights, *_OPTIONS)
    return outputs, c


def _other(
    call: Callable[..., tuple[Tensor, ...]], x: Tensor, h: Tensor, weights: list[Tensor]
) -> tuple[Tensor, ...]:
    return (call(x, h, weights, *_OPTIONS)[0],)
