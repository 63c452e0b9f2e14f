"""cuDNN's sequences: what torch.nn.RNN, LSTM and GRU run on a GPU, one layer in one direction.

cuDNN takes all weights from one block, in its own order; a module copies them there once (`flatten_parameters`), and so
does this, before anything is timed. The step reads the copies. The functional form is called, without the module's own
Python. PyTorch lets cuDNN round the factors of float32 products to tf32; here it may not: a case means what it says.

bfloat16 is cuDNN's from its version 9.13 on and PyTorch's 2.10; before, the same call runs steps of PyTorch's own, one
after the other, which is no cuDNN and refused.

W is read once a call. Whether U is fetched at every step or kept on chip, cuDNN decides and does not tell; so U's bytes
are charged once a call too, the least that it must read.

Reads W, U, both biases, all x, the first h (c); writes every h and the last c, which it allocates itself. Ran on
an H200.
"""

from functools import partial

import torch

from kernels.case import Case
from kernels.contract import ONE_DTYPE, Bind, InputSets, Sets, Step, Support, Tensors, always
from kernels.implementations import _layouts, torch_sequence
from kernels.reference.inputs import TORCH_DTYPES

label = "cuDNN sequence"
reads = {"W": "per_call", "U": "per_call"}
layout, canonical = _layouts.layout, _layouts.canonical
packs = always  # into cuDNN's block

MODES = {"rnn": 1, "lstm": 2, "gru": 3}
"""cuDNN's numbers: tanh, LSTM, GRU."""

BFLOAT16_VERSION = 91300
"""The first cuDNN whose sequences take bfloat16, as it writes 9.13.0."""


def version() -> str:
    """PyTorch's version, and cuDNN's."""
    return f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}"


def _lacking(case: Case) -> str | None:
    """What this PyTorch and its cuDNN lack for such a case, or None."""
    if not torch.cuda.is_available():
        return None
    if not torch.backends.cudnn.is_available():
        return "this PyTorch has no cuDNN"
    one = torch.empty(1, dtype=TORCH_DTYPES[case.dtype], device=case.device)
    known = torch.backends.cudnn.version() or 0
    if torch.cudnn_is_acceptable(one) and (case.dtype != "bfloat16" or known >= BFLOAT16_VERSION):
        return None
    found = f"torch {torch.__version__} with cuDNN {known}"
    return f"{found} has no sequences of {case.dtype} by cuDNN, but by its own steps"


SUPPORTS = Support(
    device=("cuda",),
    part=("cell",),
    weights_x_activations=ONE_DTYPE,
    sequences=True,
    instead={"device": "cuDNN is a GPU's, and torch_sequence PyTorch's on a CPU"},
    also=_lacking,
)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Copy each set of weights into a block as cuDNN lays it out; bind it and a set of inputs to the call."""
    blocks = []
    for tensors in sets:
        copies = [tensor.clone() for tensor in tensors]
        with torch.no_grad():  # the copies become views of one block
            torch._cudnn_rnn_flatten_weight(
                copies, len(copies), case.input, MODES[case.cell], case.hidden, 0, 1, False, False
            )
        blocks.append(copies)
    bind = torch_sequence.binder(case, blocks, inputs)
    return bind if case.dtype != "float32" else lambda w, i: partial(_exactly, bind(w, i))


def _exactly(call: Step) -> Tensors:
    """Without tf32."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return call()
