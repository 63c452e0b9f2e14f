"""ONNX Runtime's own RNN, LSTM and GRU operators over T time steps, on its CPU provider.

One session per set of weights. These are initializers in ONNX's order of gates, given by address; a session packs
them for its products, so the steps read copies of its own. Inputs and outputs are bound by their
addresses: nothing is copied. Threads do not spin once a call is done, for that would take cores from whatever is timed
next.

W is read once per call, in a product of T*B rows, U at every step. Seen with onnxruntime 1.32: an I of 65,536 beside an
H of 64 costs about twice as much for 16 steps as for one.

Reads packed W and U, both biases, all x, the first h (c); writes every h and the last c, always into the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import onnx.parser
import onnxruntime as ort
import torch
from torch import Tensor

from kernels.case import GATES, Case
from kernels.implementations._onnx_sessions import name_weights, session
from kernels.reference.cells import Inputs, Weights
from kernels.reference.inputs import Layout

label = "ONNX Runtime sequence"
reads = {"W": "per_call", "U": "per_step"}

IN_PYTORCHS_ORDER = {"rnn": (0,), "lstm": (0, 2, 3, 1), "gru": (1, 0, 2)}
"""Where ONNX keeps PyTorch's gates: its LSTM has i o f g, its GRU z r n."""

OPERATORS = {
    "rnn": "outputs = RNN<hidden_size = {H}>(x, W, U, b, , h)",
    "lstm": "outputs, h_last, c_last = LSTM<hidden_size = {H}>(x, W, U, b, , h, c)",
    "gru": "outputs = GRU<hidden_size = {H}, linear_before_reset = 1>(x, W, U, b, , h)",
}
"""In ONNX's own text syntax; the place left empty is that of lengths, all being T."""


def version() -> str:
    """ONNX Runtime's version."""
    return f"onnxruntime {ort.__version__}"


def unavailable(case: Case) -> str | None:
    """Whole steps forward, resident, in float32."""
    if case.device != "cpu":
        return "its sessions are made for the CPU here"
    if case.part != "cell" or case.phase != "step":
        return f"it computes whole steps forward, not part {case.part} in phase {case.phase}"
    if case.residency != "resident":
        return "a session for each of many sets of weights is not measured here"
    if (case.dtype, case.activations) != ("float32", "float32"):
        return f"float32 alone, not {case.dtype} weights with {case.activations} activations"
    return None


def packs(case: Case) -> bool:  # noqa: ARG001 - the contract's signature
    """Always: a session packs LSTM's and GRU's weights, and its RNN reads copies too, which follow no change."""
    return True


def layout(case: Case) -> Layout:
    """U and b_u, which every step reads, then W and b_w."""
    rows = GATES[case.cell] * case.hidden
    return (rows, case.hidden), (rows,), (rows, case.input), (rows,)


def canonical(case: Case, tensors: Sequence[Tensor]) -> Weights:
    """Gates put in PyTorch's order."""
    order = IN_PYTORCHS_ORDER[case.cell]
    U, b_u, W, b_w = (
        torch.cat([tensor.chunk(len(order))[gate] for gate in order]) for tensor in tensors
    )
    return Weights(W, U, b_w, b_u)


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """One session per set of weights, and one binding per pair."""
    T, B, H = case.steps, case.batch, case.hidden
    sessions = [_session(case, tensors) for tensors in sets]

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        of_set = sessions[w]
        answer = [torch.empty(T, B, H)] + ([torch.empty(1, B, H)] if case.cell == "lstm" else [])
        binding = of_set.io_binding()
        for one in of_set.get_inputs():
            at = getattr(inputs[i], one.name).data_ptr()
            binding.bind_input(one.name, "cpu", 0, np.float32, one.shape, at)
        for one, tensor in zip(of_set.get_outputs(), answer, strict=True):
            binding.bind_output(one.name, "cpu", 0, np.float32, one.shape, tensor.data_ptr())
        return partial(_call, partial(of_set.run_with_iobinding, binding), answer)

    return bind


def _call(run: Callable[[], None], answer: Sequence[Tensor]) -> Sequence[Tensor]:
    run()
    return answer


def _session(case: Case, tensors: Sequence[Tensor]) -> ort.InferenceSession:
    U, b_u, W, b_w = tensors
    weights = {"W": W[None], "U": U[None], "b": torch.cat([b_w, b_u])[None]}
    model = _model(case, {name: tuple(tensor.shape) for name, tensor in weights.items()})
    return session(case, model, weights)


def _model(case: Case, weights: dict[str, tuple[int, ...]]) -> onnx.ModelProto:
    """One operator, its weights named and not contained."""
    T, B, H, I = case.steps, case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    takes: dict[str, tuple[int, ...]] = {"x": (T, B, I), "h": (1, B, H)}
    gives: dict[str, tuple[int, ...]] = {"outputs": (T, 1, B, H)}
    if case.cell == "lstm":
        takes["c"], gives["c_last"] = (1, B, H), (1, B, H)
    body = OPERATORS[case.cell].format(H=H)
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 18]> sequence ({_told(takes)}) => ({_told(gives)}) {{ {body} }}'
    )
    name_weights(model, weights)
    return model


def _told(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"float[{','.join(map(str, dims))}] {name}" for name, dims in shapes.items())
