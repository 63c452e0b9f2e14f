"""OpenVINO's CPU plugin: the step as two products and the gates, one compiled model per set of weights.

Its own LSTMCell operator was tried too: slower than the products at one sequence, as fast at four and eight. The plugin
packs the weights, so the step reads copies of its own. Inputs and outputs are shared by their addresses: nothing is
copied. Its threads sleep once a call is done.

Reads packed W and U, the sum of the biases (GRU's n: both), x, h (c); writes the products, the gates, and h' (and c')
into tensors used again.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import openvino as ov
import torch
from openvino import opset13 as op
from torch import Tensor

from kernels.case import GATE_SUMS, GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Support, always, limit_sets
from kernels.implementations import _layouts
from kernels.reference.cells import Weights

label = "OpenVINO"
reads = {"W": "per_step", "U": "per_step"}
layout, canonical = _layouts.layout, _layouts.canonical
packs = always  # its constants

MOST_SETS = 64
"""Sets of weights, and so compiled models, for one case."""

TYPES = {torch.float32: ov.Type.f32, torch.bfloat16: ov.Type.bf16}


def version() -> str:
    """OpenVINO's version."""
    return f"openvino {ov.get_version().split('-')[0]}"


def _lacking(case: Case) -> str | None:
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if case.dtype == "bfloat16" and "BF16" not in capabilities:
        return "OpenVINO computes in bfloat16 only where the processor has instructions for it"
    return None


@cache
def _core() -> ov.Core:
    return ov.Core()


SUPPORTS = Support(
    device=("cpu",),
    weights_x_activations=(("float32", "float32"), ("bfloat16", "bfloat16")),
    instead={"steps": "torch_sequence computes sequences"},
    also=_lacking,
)


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """One compiled model per set of weights, and one request per pair. Raises Unavailable for more than MOST_SETS."""
    limit_sets(sets, MOST_SETS, "compiled models")
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": case.threads,
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[case.dtype],
        "ENABLE_CPU_PINNING": False,
    }
    built = (_model(case, Weights(*tensors)) for tensors in sets)
    models = [_core().compile_model(model, "CPU", options) for model in built]
    outputs = [torch.empty(tuple(one.shape), dtype=inputs[0].h.dtype) for one in models[0].outputs]

    def bind(w: int, i: int) -> Step:
        request = models[w].create_infer_request()
        for place, one in enumerate(models[w].inputs):
            request.set_input_tensor(place, _shared(getattr(inputs[i], one.any_name)))
        for place, tensor in enumerate(outputs):
            request.set_output_tensor(place, _shared(tensor))
        request.infer()  # its threads are made at the first call

        def call() -> Sequence[Tensor]:
            request.infer()
            return outputs

        return call

    return bind


def _model(case: Case, weights: Weights) -> ov.Model:
    """The graph of a case's part; inputs are named as the suite names them."""
    B, H, S, G = case.batch, case.hidden, GATE_SUMS[case.cell], GATES[case.cell]
    shapes = {"x": [B, case.input], "h": [B, H], "c": [B, H], "sums": [B, S * H]}
    W, U, b_w, b_u = weights
    kind = TYPES[W.dtype]
    given = {name: op.parameter(shape, kind, name=name) for name, shape in shapes.items()}
    state = {"rnn": (), "lstm": ("c",), "gru": ("h",)}[case.cell]
    if case.part == "pointwise":
        takes, sums = ("sums", *state), _split(given["sums"], S)
    else:
        takes = ("x", "h", *state) if case.cell == "lstm" else ("x", "h")
        from_x, from_h = (
            op.matmul(given[name], _constant(matrix), False, True)
            for name, matrix in (("x", W), ("h", U))
        )
        products = (from_x, from_h) if case.cell == "gru" else (op.add(from_x, from_h),)
        if case.part == "linear":
            return _over(given, ("x", "h"), products)
        if case.cell == "gru":
            (r_x, z_x, n_x), (r_h, z_h, n_h) = (_split(one, 3) for one in products)
            sums = [op.add(r_x, r_h), op.add(z_x, z_h), n_x, n_h]
        else:
            sums = _split(products[0], G)
    biases: Sequence[Tensor] = (b_w + b_u).view(1, -1).chunk(G, dim=1)
    if case.cell == "gru":
        n_w, n_u = (b.view(1, -1).chunk(3, dim=1)[2] for b in (b_w, b_u))
        biases = *biases[:2], n_w, n_u
    biased = [op.add(one, _constant(bias)) for one, bias in zip(sums, biases, strict=True)]
    return _over(given, takes, _new_state(case.cell, biased, given["h"], given["c"]))


def _new_state(cell: str, sums: Sequence[Any], h: Any, c: Any) -> tuple[Any, ...]:
    if cell == "rnn":
        return (op.tanh(sums[0]),)
    if cell == "lstm":
        i, f, o = (op.sigmoid(sums[gate]) for gate in (0, 1, 3))
        c_new = f * c + i * op.tanh(sums[2])
        return o * op.tanh(c_new), c_new
    r, z = op.sigmoid(sums[0]), op.sigmoid(sums[1])
    n = op.tanh(sums[2] + r * sums[3])
    return (n + z * (h - n),)


def _over(given: dict[str, Any], takes: Sequence[str], outputs: Sequence[Any]) -> ov.Model:
    model = ov.Model(list(outputs), [given[name] for name in takes])
    for name, one in zip(takes, model.inputs, strict=True):
        one.tensor.set_names({name})
    return model


def _split(given: Any, parts: int) -> list[Any]:
    return list(op.split(given, op.constant(1), parts).outputs())


def _constant(tensor: Tensor) -> Any:
    return op.constant(_shared(tensor.contiguous()), shared_memory=False)


def _shared(tensor: Tensor) -> ov.Tensor:
    """The same memory as OpenVINO's; numpy has no bfloat16, so it goes by as words of 16 bits."""
    words = tensor.view(torch.int16) if tensor.dtype == torch.bfloat16 else tensor
    return ov.Tensor(words.numpy(), list(tensor.shape), TYPES[tensor.dtype])
