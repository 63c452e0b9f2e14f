"""ONNX Runtime's own RNN, LSTM and GRU operators over T time steps, on its CPU provider.

One session per set of weights, which it packs (`_onnx.py`); they lie in ONNX's order of gates.

W is read once per call, in a product of T*B rows, U at every step. Seen with onnxruntime 1.32: an I of 65,536 beside an
H of 64 costs about twice as much for 16 steps as for one.

Reads packed W and U, both biases, all x, the first h (c); writes every h and the last c, always into the same tensors.
"""

import torch

from kernels.case import Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, Tensors, always
from kernels.implementations import _layouts, _onnx
from kernels.reference.cells import Weights

label = "ONNX Runtime sequence"
reads = {"W": "per_call", "U": "per_step"}
version, packs, layout = _onnx.version, always, _layouts.recurrent_first

IN_PYTORCHS_ORDER = {"rnn": (0,), "lstm": (0, 2, 3, 1), "gru": (1, 0, 2)}
"""Where ONNX keeps PyTorch's gates: its LSTM has i o f g, its GRU z r n."""

OPERATORS = {
    "rnn": "outputs = RNN<hidden_size = {H}>(x, W, U, b, , h)",
    "lstm": "outputs, h_last, c_last = LSTM<hidden_size = {H}>(x, W, U, b, , h, c)",
    "gru": "outputs = GRU<hidden_size = {H}, linear_before_reset = 1>(x, W, U, b, , h)",
}
"""In ONNX's own text syntax; the place left empty is that of lengths, all being T."""

SUPPORTS = Support(
    device=("cpu",),
    part=("cell",),
    weights_x_activations=(("float32", "float32"),),
    sequences=True,
    residency=("resident",),
    instead={"residency": "a session for each of many sets of weights is not measured"},
)


def canonical(case: Case, tensors: Tensors) -> Weights:
    """Gates put in PyTorch's order."""
    order = IN_PYTORCHS_ORDER[case.cell]
    U, b_u, W, b_w = (
        torch.cat([tensor.chunk(len(order))[gate] for gate in order]) for tensor in tensors
    )
    return Weights(W, U, b_w, b_u)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """One session per set of weights, and one binding per pair."""
    T, B, H, I = case.steps, case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    takes: dict[str, tuple[int, ...]] = {"x": (T, B, I), "h": (1, B, H)}
    gives: dict[str, tuple[int, ...]] = {"outputs": (T, 1, B, H)}
    if case.cell == "lstm":
        takes["c"], gives["c_last"] = (1, B, H), (1, B, H)
    body, sessions = OPERATORS[case.cell].format(H=H), []
    for U, b_u, W, b_w in sets:
        weights = {"W": W[None], "U": U[None], "b": torch.cat([b_w, b_u])[None]}
        sessions.append(_onnx.session(case, takes, gives, body, weights))

    def bind(w: int, i: int) -> Step:
        answer = [torch.empty(T, B, H)] + ([torch.empty(1, B, H)] if case.cell == "lstm" else [])
        return _onnx.bound(sessions[w], inputs[i], answer)

    return bind
