"""PyTorch's sequences: what torch.nn.RNN, LSTM and GRU call for T time steps, one layer in one direction.

The functional form (torch._VF.lstm and its siblings) is called with the arena's tensors as flat weights; the module's
own Python is left out.

W is read once per call, U at every step. Seen with torch 2.13 on a CPU: for RNN and GRU the profiler shows one product
of T*B rows with W, then T with U. LSTM is oneDNN's (ONEDNN_VERBOSE=1 names brgemm): before each call it packs W and U
anew into buffers of its own, on pages of their own, and an I of 65,536 beside an H of 64 costs next to nothing more for
16 steps than for one. That packing is in the time and not in the bytes.

Reads W, U, both biases, all x, the first h (c); writes every h and the last c, which it allocates itself.
"""

from collections.abc import Callable
from functools import partial

import torch

from kernels.case import Case
from kernels.contract import ONE_DTYPE, Bind, InputSets, Sets, Step, Support, Tensors
from kernels.implementations import _layouts, torch_cell
from kernels.reference.cells import Answer, Weights

label = "PyTorch sequence"
reads = {"W": "per_call", "U": "per_step"}
version, layout = torch_cell.version, _layouts.recurrent_first

SUPPORTS = Support(
    device=("cpu",),
    part=("cell",),
    weights_x_activations=ONE_DTYPE,
    sequences=True,
    instead={"device": "on a GPU PyTorch's sequences are cuDNN's, cudnn_sequence"},
)

_CALLS: dict[str, Callable[..., Answer]] = {
    "rnn": torch._VF.rnn_tanh,
    "lstm": torch._VF.lstm,
    "gru": torch._VF.gru,
}
# with biases, layers, dropout, for training, both directions, batch first
_OPTIONS = (True, 1, 0.0, False, False, False)


def packs(case: Case) -> bool:
    """oneDNN's LSTM packs its weights at every call; RNN and GRU read those that they are given."""
    return case.cell == "lstm"


def canonical(_case: Case, tensors: Tensors) -> Weights:
    """Each is in PyTorch's convention already."""
    U, b_u, W, b_w = tensors
    return Weights(W, U, b_w, b_u)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Bind one set of weights and one set of inputs to the call."""
    return binder(case, [canonical(case, tensors) for tensors in sets], inputs)


def binder(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Bind a set of weights in PyTorch's order and a set of inputs to the call."""
    call = _CALLS[case.cell]

    def bind(w: int, i: int) -> Step:
        x = inputs[i].x.view(case.steps, case.batch, case.input)
        h, c = inputs[i].h.unsqueeze(0), inputs[i].c.unsqueeze(0)
        if case.cell == "lstm":
            return partial(_lstm, call, x, (h, c), list(sets[w]), *_OPTIONS)
        return partial(_other, call, x, h, list(sets[w]), *_OPTIONS)

    return bind


def _lstm(call: Callable[..., Answer], *given: object) -> Answer:
    outputs, _h, c = call(*given)
    return outputs, c


def _other(call: Callable[..., Answer], *given: object) -> Answer:
    return (call(*given)[0],)
