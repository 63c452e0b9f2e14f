"""ONNX Runtime's CPU provider: the step as a graph of two Gemm nodes and the gates, one session per set of weights.

Its own LSTM operator over a sequence of one step was tried too: as fast at one sequence and at four, slower at eight.
Weights are initializers, so that a session packs them for its products (without that, a step of four sequences took
twice as long); so the step reads copies of its own. Inputs and outputs are bound by their addresses: nothing is copied.
Threads do not spin once a call is done, for that would take cores from whatever is timed next.

Reads packed W and U, both biases, x, h (c); writes the products, the gates, and h' (and c') into tensors used again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import onnx.parser
import onnxruntime as ort
import torch
from torch import Tensor

from kernels.case import GATE_SUMS, GATES, Case, Unavailable
from kernels.implementations import _pytorch_layout
from kernels.implementations._onnx_sessions import name_weights, session
from kernels.reference.cells import Inputs, Weights

label = "ONNX Runtime"
reads = {"W": "per_step", "U": "per_step"}
layout, canonical = _pytorch_layout.layout, _pytorch_layout.canonical

MOST_SETS = 64
"""Sets of weights, and so sessions with threads of their own, for one case."""

BEFORE_GATES = {
    # from what is given to what the gates take; {b_w} and {b_u} stand for the biases where the part has them
    "products": "from_x = Gemm<transB = 1>(x, W{b_w}) from_h = Gemm<transB = 1>(h, U{b_u})",
    "join": "biased = Add(from_x, from_h)",
    "join gru": """
        x_r, x_z, n_x = Split<axis = 1, num_outputs = 3>(from_x)
        h_r, h_z, n_h = Split<axis = 1, num_outputs = 3>(from_h)
        s_r = Add(x_r, h_r)
        s_z = Add(x_z, h_z)""",
    "bias": "both = Add(b_w, b_u) biased = Add(sums, both)",
    "bias gru": """
        g_r, g_z, g_x, g_h = Split<axis = 1, num_outputs = 4>(sums)
        w_r, w_z, w_n = Split<axis = 0, num_outputs = 3>(b_w)
        u_r, u_z, u_n = Split<axis = 0, num_outputs = 3>(b_u)
        b_r = Add(w_r, u_r)
        b_z = Add(w_z, u_z)
        s_r = Add(g_r, b_r)
        s_z = Add(g_z, b_z)
        n_x = Add(g_x, w_n)
        n_h = Add(g_h, u_n)""",
}
GATES_OF = {
    "rnn": "h_new = Tanh(biased)",
    "lstm": """
        s_i, s_f, s_g, s_o = Split<axis = 1, num_outputs = 4>(biased)
        i = Sigmoid(s_i)
        f = Sigmoid(s_f)
        g = Tanh(s_g)
        o = Sigmoid(s_o)
        kept = Mul(f, c)
        added = Mul(i, g)
        c_new = Add(kept, added)
        shown = Tanh(c_new)
        h_new = Mul(o, shown)""",
    "gru": """
        r = Sigmoid(s_r)
        z = Sigmoid(s_z)
        reset = Mul(r, n_h)
        s_n = Add(n_x, reset)
        n = Tanh(s_n)
        away = Sub(h, n)
        kept = Mul(z, away)
        h_new = Add(n, kept)""",
}
"""The gates in ONNX's own text syntax."""


def version() -> str:
    """ONNX Runtime's version."""
    return f"onnxruntime {ort.__version__}"


def unavailable(case: Case) -> str | None:
    """float32 alone."""
    if case.steps > 1:
        return "its call is one step: onnxruntime_sequence computes sequences"
    if case.phase != "step":
        return "inference alone"
    if case.device != "cpu":
        return "its sessions are made for the CPU here"
    if (case.dtype, case.activations) == ("float32", "float32"):
        return None
    if case.dtype == "bfloat16" == case.activations:
        return "ONNX Runtime has no bfloat16 product on CPUs"
    return f"a product takes one dtype here, not {case.dtype} weights with {case.activations} activations"


def packs(case: Case) -> bool:  # noqa: ARG001 - the contract's signature
    """Always: a session packs its initializers."""
    return True


def prepare(
    case: Case, sets: Sequence[Sequence[Tensor]], inputs: Sequence[Inputs]
) -> Callable[[int, int], Callable[[], Sequence[Tensor]]]:
    """One session per set of weights, and one binding per pair. Raises Unavailable for more than MOST_SETS."""
    if len(sets) > MOST_SETS:
        raise Unavailable(
            f"streaming takes {len(sets)} sessions, more than {MOST_SETS}: use a larger hidden size"
        )
    model = _model(case)
    graph = model.graph
    takes = [one.name for one in graph.input]
    outputs = [torch.empty(_shape(one)) for one in graph.output]
    names = [one.name for one in graph.initializer]
    sessions = [
        session(case, model, {name: getattr(Weights(*tensors), name) for name in names})
        for tensors in sets
    ]

    def bind(w: int, i: int) -> Callable[[], Sequence[Tensor]]:
        binding = sessions[w].io_binding()
        for name in takes:
            tensor = getattr(inputs[i], name)
            binding.bind_input(name, "cpu", 0, np.float32, tuple(tensor.shape), tensor.data_ptr())
        for one, tensor in zip(graph.output, outputs, strict=True):
            binding.bind_output(
                one.name, "cpu", 0, np.float32, tuple(tensor.shape), tensor.data_ptr()
            )
        run = partial(sessions[w].run_with_iobinding, binding)

        def call() -> Sequence[Tensor]:
            run()
            return outputs

        return call

    return bind


def _model(case: Case) -> onnx.ModelProto:
    """The graph of a case's part, its weights named and not contained."""
    B, H, I = case.batch, case.hidden, case.input  # noqa: E741 - the method's own letters
    G, S = GATES[case.cell], GATE_SUMS[case.cell]
    shapes = {"x": (B, I), "h": (B, H), "c": (B, H), "sums": (B, S * H), "h_new": (B, H)}
    shapes |= {"c_new": (B, H), "biased": (B, G * H), "from_x": (B, G * H), "from_h": (B, G * H)}
    gru = case.cell == "gru"
    before = [BEFORE_GATES["products"], BEFORE_GATES["join gru" if gru else "join"]]
    takes, gives, names = ["x", "h"], ["h_new"], ["W", "U", "b_w", "b_u"]
    if case.part == "linear":
        names, gives = ["W", "U"], ["from_x", "from_h"] if gru else ["biased"]
        before = before[: 1 if gru else 2]
    else:
        takes += ["c"] if case.cell == "lstm" else []
        gives += ["c_new"] if case.cell == "lstm" else []
        before.append(GATES_OF[case.cell])
    if case.part == "pointwise":
        takes, names = ["sums", *({"lstm": ["c"], "gru": ["h"], "rnn": []}[case.cell])], names[2:]
        before = [BEFORE_GATES["bias gru" if gru else "bias"], GATES_OF[case.cell]]

    def told(these: Sequence[str]) -> str:
        return ", ".join(f"float[{','.join(map(str, shapes[name]))}] {name}" for name in these)

    biases = {name: f", {name}" if name in names else "" for name in ("b_w", "b_u")}
    body = "\n".join(before).format(**biases)
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 18]> step ({told(takes)}) => ({told(gives)}) {{ {body} }}'
    )
    dims = {"W": (G * H, I), "U": (G * H, H)}
    name_weights(model, {name: dims.get(name, (G * H,)) for name in names})
    return model


def _shape(value: onnx.ValueInfoProto) -> tuple[int, ...]:
    return tuple(one.dim_value for one in value.type.tensor_type.shape.dim)
