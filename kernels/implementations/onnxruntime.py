"""ONNX Runtime's CPU provider: the step as a graph of two Gemm nodes and the gates, one session per set of weights.

Its own LSTM operator over a sequence of one step was tried too: as fast at one sequence and at four, slower at eight.
A session packs its weights (`_onnx.py`); without that, a step of four sequences took twice as long.

Reads packed W and U, both biases, x, h (c); writes the products, the gates, and h' (and c') into tensors used again.
"""

import torch

from kernels.case import GATE_SUMS, GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, always, limit_sets
from kernels.implementations import _layouts, _onnx
from kernels.reference.cells import Weights

label = "ONNX Runtime"
reads = {"W": "per_step", "U": "per_step"}
version, packs = _onnx.version, always
layout, canonical = _layouts.layout, _layouts.canonical

SUPPORTS = Support(
    device=("cpu",),
    weights_x_activations=(("float32", "float32"),),
    instead={
        "steps": "onnxruntime_sequence computes sequences",
        "weights x activations": "ONNX Runtime has no bfloat16 product on CPUs",
    },
)

MOST_SETS = 64
"""Sets of weights, and so sessions with threads of their own, for one case."""

NODES = {
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
    # the gates
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
"""In ONNX's own text syntax."""


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """One session per set of weights, and one binding per pair. Raises Unavailable for more than MOST_SETS."""
    limit_sets(sets, MOST_SETS, "sessions")
    takes, gives, body, names = _graph(case)
    sessions = []
    for tensors in sets:
        of_set = Weights(*tensors)._asdict()
        weights = {name: of_set[name] for name in names}
        sessions.append(_onnx.session(case, takes, gives, body, weights))
    answer = [torch.empty(shape) for shape in gives.values()]

    def bind(w: int, i: int) -> Step:
        return _onnx.bound(sessions[w], inputs[i], answer)

    return bind


def _graph(case: Case) -> tuple[_onnx.Shapes, _onnx.Shapes, str, list[str]]:
    """What a case's part takes and gives, its nodes, and the weights that they read."""
    B, H, rows = case.batch, case.hidden, GATES[case.cell] * case.hidden
    shapes = {"x": (B, case.input), "sums": (B, GATE_SUMS[case.cell] * H)}
    shapes |= dict.fromkeys(("h", "c", "h_new", "c_new"), (B, H))
    shapes |= dict.fromkeys(("biased", "from_x", "from_h"), (B, rows))
    gru, lstm = (case.cell == cell for cell in ("gru", "lstm"))
    takes, gives, weights = ["x", "h"], ["h_new"], ["W", "U", "b_w", "b_u"]
    nodes = ["products", "join gru" if gru else "join", case.cell]
    if case.part == "linear":
        gives, weights = ["from_x", "from_h"] if gru else ["biased"], weights[:2]
        nodes = nodes[: 1 if gru else 2]
    elif case.part == "pointwise":
        takes, weights = ["sums", *(["h"] if gru else [])], weights[2:]
        nodes = ["bias gru" if gru else "bias", case.cell]
    if lstm and case.part != "linear":
        takes, gives = [*takes, "c"], [*gives, "c_new"]
    biases = {name: f", {name}" if name in weights else "" for name in ("b_w", "b_u")}
    body = "\n".join(NODES[name] for name in nodes).format(**biases)
    taken, given = ({name: shapes[name] for name in names} for names in (takes, gives))
    return taken, given, body, weights
