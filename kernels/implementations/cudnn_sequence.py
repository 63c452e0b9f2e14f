"""cuDNN's sequences: what torch.nn.RNN, LSTM and GRU run on a GPU, one layer in one direction.

cuDNN takes all weights from one block, in its own order; a module copies them there once (`flatten_parameters`), and so
does this, before anything is timed. The step reads the copies. The functional form is called, without the module's own
Python.

W is read once a call. Whether U is fetched at every step or kept on chip, cuDNN decides and does not tell; so U's bytes
are charged once a call too, the least that it must read.

Reads W, U, both biases, all x, the first h (c); writes every h and the last c, which it allocates itself. Not run on a
card yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels import pytorch_layout
from kernels.implementations import torch_sequence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from kernels.cells import Inputs
    from kernels.contract import Case

label = "cuDNN sequence"
reads = {"W": "per_call", "U": "per_call"}
layout, canonical = pytorch_layout.layout, pytorch_layout.canonical

MODES = {"rnn": 1, "lstm": 2, "gru": 3}
"""cuDNN's numbers: tanh, LSTM, GRU."""


def version() -> str:
    """PyTorch's version, and cuDNN's."""
    return f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"


def unavailable(case: Case) -> str | None:
    """Whole steps forward, on a GPU; weights and activations share one dtype."""
    if case.device != "cuda":
        return f"cuDNN is a GPU's, and the device is a {case.device}: torch_sequence is PyTorch's there"
    if case.part != "cell" or case.phase != "step":
        return f"it computes whole steps forward, not part {case.part} in phase {case.phase}"
    if case.activations != case.dtype or case.dtype == "int8":
        return f"cuDNN takes one float dtype, not {case.dtype} weights with {case.activations} activations"
    if torch.cuda.is_available() and not torch.backends.cudnn.is_available():
        return "this PyTorch has no cuDNN"
    return None


def packs(case: Case) -> bool:  # noqa: ARG001 - the contract's signature
    """Always: into cuDNN's block."""
    return True


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """Copy each set of weights into a block as cuDNN lays it out; bind it and a set of inputs to the call."""
    blocks = []
    for tensors in sets:
        copies = [tensor.clone() for tensor in tensors]
        with torch.no_grad():  # the copies become views of one block
            torch._cudnn_rnn_flatten_weight(
                copies, len(copies), case.input, MODES[case.cell], case.hidden, 0, 1, False, False
            )
        blocks.append(copies)
    return torch_sequence.binder(case, blocks, inputs)
