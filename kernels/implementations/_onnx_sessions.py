"""Sessions of ONNX Runtime over weights that a model names and does not contain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import onnx
import onnxruntime as ort

from kernels.case import Case

if TYPE_CHECKING:
    from torch import Tensor


def name_weights(model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]) -> None:
    """Declare float32 weights that are given when a session is made: a model that holds them may not exceed 2 GiB."""
    for name, dims in shapes.items():
        weight = model.graph.initializer.add(
            name=name,
            dims=dims,
            data_type=onnx.TensorProto.FLOAT,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        weight.external_data.add(key="location", value="given when the session is made")


def session(
    case: Case, model: onnx.ModelProto, weights: Mapping[str, Tensor]
) -> ort.InferenceSession:
    """A session on the case's threads, which do not spin; its weights are given by address."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = case.threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [ort.OrtValue.ortvalue_from_numpy(tensor.numpy()) for tensor in weights.values()]
    options.add_external_initializers(list(weights), values)
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
